// Asks the kernel where the pages of a buffer are, by the best method that works here.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <nodewise/placement.hpp>

#include "pages/residency.hpp"

namespace nodewise {

/// Thread class: immutable.
class Asker {
 public:
  /// Chooses the method. Precondition: `buffer` outlives this.
  explicit Asker(const Buffer& buffer);

  AskingRung rung() const noexcept { return rung_; }
  /// What the chosen method lacks, and why no better one works.
  const std::vector<Degradation>& degradations() const noexcept { return degradations_; }
  /// With AskingRung::numa_maps: the sums over the mapping of `shard`. Empty if the shard is not a mapping of
  /// its own.
  std::optional<NumaMaps::Sums> mapping_of(const Shard& shard) const;
  /// Calls `fn` for runs of `range`, which is a part of the bytes of `shard`. Each run has a state: the
  /// kernel's number of a node, page_absent or page_unknown. It is also unknown if there are only sums, and
  /// they contain several nodes. Throws SystemError if the kernel stops answering half way.
  void runs(const Shard& shard, ByteRange range, const std::function<void(ByteRange, int)>& fn) const;

 private:
  void lost(DegradationKind kind, const char* what, int error, const char* consequence);
  const Buffer& buffer_;
  NumaMaps maps_;
  AskingRung rung_ = AskingRung::none;
  std::vector<Degradation> degradations_;
};

}  // namespace nodewise
