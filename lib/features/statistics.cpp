#include "features/statistics.hpp"

#include <cmath>

#include <nodewise/buffer_stream.hpp>
#include <nodewise/error.hpp>

#include "base/fp_guard.hpp"
#include "base/text.hpp"
#include "features/pass.hpp"
#include "kernels/dispatch.hpp"

namespace nodewise {
namespace {

using base::FpGuard;

std::vector<double> means_of(const PassSums& pass, std::uint64_t features) {
  const FpGuard guard;
  std::vector<double> means(features, canonical_nan());
  for (std::size_t i = 0; i < means.size() && pass.samples > 0; ++i)
    means[i] = pass.sums.divided(i, pass.samples);
  return means;
}

// A feature whose mean is not finite has no variance.
std::vector<double> variances_of(const PassSums& squares, const std::vector<double>& means,
                                 std::uint64_t ddof) {
  const FpGuard guard;
  std::vector<double> variances(means.size(), canonical_nan());
  for (std::size_t i = 0; i < means.size(); ++i)
    if (std::isfinite(means[i])) variances[i] = squares.sums.divided(i, squares.samples - ddof);
  return variances;
}

void begin_anew(BatchStream& stream) {
  if (!stream.rewind())
    throw InvalidArgument(
        "feature_statistics: variances take two passes, and this stream can be read only once; "
        "feature_means takes one");
}

}  // namespace

std::vector<double> feature_means_with(const KernelSet& kernels, BatchStream& stream, const Team& team) {
  return means_of(sum_features(stream, team, nullptr, kernels, "feature_means"),
                  stream.dataset().shape().features);
}

FeatureStatistics feature_statistics_with(const KernelSet& kernels, BatchStream& stream, const Team& team,
                                          std::uint64_t ddof) {
  constexpr const char* call = "feature_statistics";
  begin_anew(stream);
  const PassSums elements = sum_features(stream, team, nullptr, kernels, call);
  FeatureStatistics statistics{means_of(elements, stream.dataset().shape().features), {}};
  const std::vector<double>& means = statistics.means;
  statistics.variances.assign(means.size(), canonical_nan());
  if (elements.samples <= ddof) return statistics;
  begin_anew(stream);
  const PassSums squares = sum_features(stream, team, means.data(), kernels, call);
  if (squares.samples != elements.samples)
    throw InvalidArgument(base::text("feature_statistics: the stream gave ", elements.samples,
                                     " samples, and ", squares.samples,
                                     " when it was read again; both passes need the same"));
  statistics.variances = variances_of(squares, means, ddof);
  return statistics;
}

std::vector<double> feature_means(BatchStream& stream, const Team& team) {
  return feature_means_with(best_kernels(), stream, team);
}

FeatureStatistics feature_statistics(BatchStream& stream, const Team& team, std::uint64_t ddof) {
  return feature_statistics_with(best_kernels(), stream, team, ddof);
}

std::vector<double> feature_means(const Buffer& buffer, const Team& team) {
  team.check_plan(buffer.plan());
  BufferStream stream(buffer);
  return feature_means(stream, team);
}

FeatureStatistics feature_statistics(const Buffer& buffer, const Team& team, std::uint64_t ddof) {
  team.check_plan(buffer.plan());
  BufferStream stream(buffer);
  return feature_statistics(stream, team, ddof);
}

}  // namespace nodewise
