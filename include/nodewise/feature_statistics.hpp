// Means and variances of each feature over all samples: the same bits from any number of workers and from
// every layout.
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/export.hpp>
#include <nodewise/stream.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

/// The means and variances of all features, one element for each feature.
struct FeatureStatistics {
  std::vector<double> means;
  std::vector<double> variances;
};

/// The mean of each feature over all samples: the exact sum divided by the count, rounded once, as of
/// batch_means. The batches may be in any layout. No samples give NaN. NaN results are the canonical quiet
/// NaN. Each shard is read by the workers of its node. Throws PlacementError where the buffer was planned for
/// another machine than the team's. Cost: one pass over the data; from rows they are transposed on the way.
/// Memory: 16 bytes for each feature and worker, and 0.6 KiB for each sum that two doubles cannot hold; the
/// calling thread adds up the workers' sums. Thread class: any thread.
NODEWISE_PUBLIC std::vector<double> feature_means(const Buffer& buffer, const Team& team);

/// Means as feature_means gives them, and variances. Let d be an element less the mean, and q its square,
/// each rounded to double: the variance is the exact sum of all q divided by (samples - ddof), rounded once.
/// Elements of 64-bit integers are rounded to double first. NaN where an element of the feature is not
/// finite, and where there are not more samples than `ddof`. A sum that is too large for a double gives
/// infinity. docs/layouts.md has the error bound. Cost: two passes. Memory: up to 144 bytes for each feature
/// and worker, otherwise as feature_means.
NODEWISE_PUBLIC FeatureStatistics feature_statistics(const Buffer& buffer, const Team& team,
                                                     std::uint64_t ddof = 0);

/// The same for the batches that `stream` gives, wherever each lies; only their samples count. feature_means
/// reads the stream from where it stands to its end. feature_statistics reads it twice from its beginning,
/// and throws InvalidArgument before it has read anything where the stream can be read only once
/// (BatchStream::rewind). Runs are divided among workers, and other errors thrown, as by batch_means.
NODEWISE_PUBLIC std::vector<double> feature_means(BatchStream& stream, const Team& team);
NODEWISE_PUBLIC FeatureStatistics feature_statistics(BatchStream& stream, const Team& team,
                                                     std::uint64_t ddof = 0);

}  // namespace nodewise
