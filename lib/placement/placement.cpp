#include <nodewise/placement.hpp>

#include "base/text.hpp"
#include "os/os.hpp"
#include "placement/asker.hpp"
#include "placement/batch_runs.hpp"
#include "placement/ledger.hpp"

namespace nodewise {
namespace {

bool autonuma_is_on() {
  const auto mode = os::current().read_text("/proc/sys/kernel/numa_balancing");
  return mode.ok() && mode.value != "0\n";
}

}  // namespace

std::string_view to_string(BatchRun::State state) noexcept {
  switch (state) {
    case BatchRun::State::local:
      return "local";
    case BatchRun::State::misplaced:
      return "misplaced";
    case BatchRun::State::cut:
      return "cut";
    case BatchRun::State::absent:
      return "absent";
    case BatchRun::State::unknown:
      return "unknown";
    case BatchRun::State::on_target:
      return "on_target";
  }
  return {};
}

Placement Placement::of(const Buffer& buffer) {
  Placement placement;
  placement.host_ = os::current().host_name().value;
  placement.policy_ = buffer.plan().policy();
  placement.binding_ = buffer.plan().binding();
  placement.page_bytes_ = buffer.plan().page_bytes();
  placement.page_kind_ = buffer.pages().kind();
  placement.placing_rung_ = buffer.placing_rung();
  placement.degradations_ = buffer.degradations();
  const Asker asker(buffer);
  placement.asking_rung_ = asker.rung();
  for (const Degradation& lost : asker.degradations()) placement.degradations_.push_back(lost);
  BatchRuns runs(buffer.plan());
  for (std::size_t shard = 0; shard < buffer.plan().shards().size(); ++shard) {
    placement.shards_.push_back(account_of(buffer, shard, asker, runs));
    placement.shards_.back().host = placement.host_;
  }
  placement.batches_ = runs.take();
  for (const Node& node : buffer.topology().nodes()) placement.os_indices_.push_back(node.os_index);
  placement.autonuma_ = placement.placing_rung_ != PlacingRung::mbind && autonuma_is_on();
  const std::uint64_t unknown = placement.total().unknown_bytes;
  if (asker.rung() == AskingRung::move_pages && unknown > 0)
    placement.degradations_.push_back(
        {DegradationKind::pages_unknown,
         base::text(unknown,
                    " bytes are in memory, but move_pages names no node of the topology for them; "
                    "under AutoNUMA some kernels (Linux 6.1) hide pages until they are read again: ask "
                    "then, or set kernel.numa_balancing to 0"),
         0});
  return placement;
}

PlacementBytes& PlacementBytes::operator+=(const PlacementBytes& other) noexcept {
  planned_bytes += other.planned_bytes;
  local_bytes += other.local_bytes;
  misplaced_bytes += other.misplaced_bytes;
  cut_bytes += other.cut_bytes;
  absent_bytes += other.absent_bytes;
  unknown_bytes += other.unknown_bytes;
  on_target_bytes += other.on_target_bytes;
  return *this;
}

PlacementBytes Placement::total() const {
  PlacementBytes total;
  for (const ShardPlacement& shard : shards_) total += shard;
  return total;
}

std::string_view Placement::granularity() const noexcept {
  return asking_rung_ == AskingRung::move_pages  ? "page"
         : asking_rung_ == AskingRung::numa_maps ? "shard"
                                                 : "none";
}

std::optional<double> Placement::local_fraction() const {
  if (policy_ == Policy::interleaved || asking_rung_ == AskingRung::none) return std::nullopt;
  const PlacementBytes bytes = total();
  if (bytes.planned_bytes == 0) return 1.0;
  return static_cast<double>(bytes.local_bytes) / static_cast<double>(bytes.planned_bytes);
}

}  // namespace nodewise
