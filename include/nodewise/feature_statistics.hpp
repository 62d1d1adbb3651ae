// Means and variances of each feature (column) over all samples (rows). They have the same bits for any
// number of workers and nodes, and for every layout of the batches.
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

/// The mean of each feature over all samples: the exact sum divided by the number of samples, rounded once.
/// The batches may be in any layout. Without samples, all means are NaN; a NaN is always the canonical quiet
/// NaN. The shard of a node (its part of the data) is read by the workers of that node. Throws PlacementError
/// if the buffer was planned for another machine. Thread class: any thread.
///
/// Cost: one pass over the data; batches in Layout::rows are transposed on the way. The calling thread adds
/// up the workers' sums. Memory: 16 bytes for each feature and worker, and 0.6 KiB for each sum that two
/// doubles cannot hold.
NODEWISE_PUBLIC std::vector<double> feature_means(const Buffer& buffer, const Team& team);

/// The means that feature_means gives, and variances. Let d be an element minus the mean, rounded to double,
/// and q be the square of d, rounded to double. The variance is the exact sum of all q, divided by (samples -
/// ddof) and rounded once. Elements of 64-bit integers are rounded to double first. A variance is NaN if an
/// element of the feature is not finite, or if there are not more than `ddof` samples. It is infinite if the
/// sum is too large for a double. docs/layouts.md has the error bound. Cost: two passes. Memory: up to 144
/// bytes for each feature and worker; otherwise as feature_means.
NODEWISE_PUBLIC FeatureStatistics feature_statistics(const Buffer& buffer, const Team& team,
                                                     std::uint64_t ddof = 0);

/// The same for the batches that `stream` gives (stream.hpp); samples of other batches do not count.
/// feature_means reads the stream from its present position to its end. feature_statistics reads the stream
/// twice from the beginning; if the stream can be read only once, it throws InvalidArgument before it reads
/// anything. Runs are divided among the workers, and other exceptions are thrown, as in batch_means.
NODEWISE_PUBLIC std::vector<double> feature_means(BatchStream& stream, const Team& team);
NODEWISE_PUBLIC FeatureStatistics feature_statistics(BatchStream& stream, const Team& team,
                                                     std::uint64_t ddof = 0);

}  // namespace nodewise
