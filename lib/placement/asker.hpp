// Asks the kernel where a buffer's pages are, by the best rung that works here.
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
  /// Chooses the rung. Precondition: `buffer` outlives this.
  explicit Asker(const Buffer& buffer);

  AskingRung rung() const noexcept { return rung_; }
  /// What the chosen rung lacks, and why no better one works.
  const std::vector<Degradation>& degradations() const noexcept { return degradations_; }
  /// With AskingRung::numa_maps: the sums over a shard's own mapping; nothing where it has none of its own.
  std::optional<NumaMaps::Sums> mapping_of(const Shard& shard) const;
  /// Calls `fn` for runs of `range`, a part of the dataset's bytes that `shard` holds, each with a kernel's
  /// node, page_absent or page_unknown: unknown too where only sums are known and they name more than one
  /// node. Throws SystemError where the kernel refuses half way.
  void runs(const Shard& shard, ByteRange range, const std::function<void(ByteRange, int)>& fn) const;

 private:
  void lost(DegradationKind kind, const char* what, int error, const char* consequence);
  const Buffer& buffer_;
  NumaMaps maps_;
  AskingRung rung_ = AskingRung::none;
  std::vector<Degradation> degradations_;
};

}  // namespace nodewise
