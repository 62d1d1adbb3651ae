#include <nodewise/placement.hpp>

#include <algorithm>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/os.hpp"
#include "pages/residency.hpp"
#include "placement/batch_runs.hpp"
#include "placement/judge.hpp"

namespace nodewise {
namespace {

using State = BatchRun::State;

// The logical index of a kernel's node; nothing for page_absent, page_unknown and nodes beyond the topology.
std::optional<unsigned> node_of(const Buffer& buffer, int state) {
  return state < 0 ? std::nullopt : buffer.topology().node_of_os_index(static_cast<unsigned>(state));
}

}  // namespace

ByteRange own_bytes(const Plan& plan, const Shard& shard) {
  if (plan.policy() == Policy::interleaved) return shard.bytes;
  const std::uint64_t offset = plan.base_offset();
  const auto in_dataset = [&](std::uint64_t at) {
    return std::clamp(at < offset ? 0 : at - offset, shard.bytes.begin, shard.bytes.end);
  };
  if (shard.pages.bytes() == 0) return {shard.bytes.end, shard.bytes.end};
  return {in_dataset(shard.pages.begin), in_dataset(shard.pages.end)};
}

State judge(const Buffer& buffer, const Shard& shard, int state) {
  if (state == page_absent) return State::absent;
  const auto node = node_of(buffer, state);
  if (!node) return State::unknown;
  if (buffer.plan().policy() == Policy::blocked) return *node == shard.node ? State::local : State::misplaced;
  const auto& shards = buffer.plan().shards();
  const auto is_target = [node](const Shard& any) { return any.node == *node; };
  return std::any_of(shards.begin(), shards.end(), is_target) ? State::local : State::misplaced;
}

std::uint64_t& bytes_in(PlacementBytes& bytes, State state) {
  switch (state) {
    case State::local:
      return bytes.local_bytes;
    case State::misplaced:
      return bytes.misplaced_bytes;
    case State::cut:
      return bytes.cut_bytes;
    case State::absent:
      return bytes.absent_bytes;
    case State::unknown:
      break;
  }
  return bytes.unknown_bytes;
}

namespace {

// Adds up what is said about one shard after the other.
class Ledger {
 public:
  Ledger(const Buffer& buffer, std::size_t shard, BatchRuns& runs)
      : buffer_(buffer), runs_(runs), planned_(buffer.plan().shards()[shard]) {
    account.shard = shard;
    account.node = planned_.node;
    account.os_index = planned_.os_index;
    account.batches = planned_.batches;
    account.planned_bytes = planned_.bytes.bytes();
    account.bytes_on_node.resize(buffer.topology().nodes().size());
  }

  void cut(ByteRange bytes) {
    bytes_in(account, State::cut) += bytes.bytes();
    runs_.add(bytes, State::cut);
  }

  // `state`: a kernel's node, page_absent or page_unknown.
  void page_run(ByteRange bytes, int state) { runs_.add(bytes, count(bytes.bytes(), state)); }

  // Sums over the shard's own mapping. Bytes of the mapping that are not the shard's are taken to be among
  // those that lie right, so that nothing wrong is hidden.
  void sums(ByteRange own, const NumaMaps::Sums& sums) {
    std::uint64_t left = own.bytes();
    State worst = State::local;
    const auto take = [&](std::uint64_t bytes, int state) {
      const auto taken = std::min(bytes, left);
      left -= taken;
      if (taken > 0) worst = worse(worst, count(taken, state));
    };
    for (const auto& [node, bytes] : sums.bytes_on_node)
      if (node != planned_.os_index) take(bytes, static_cast<int>(node));
    take(planned_.pages.bytes() - std::min(planned_.pages.bytes(), sums.present_bytes), page_absent);
    const auto home = sums.bytes_on_node.find(planned_.os_index);
    if (home != sums.bytes_on_node.end()) take(home->second, static_cast<int>(planned_.os_index));
    take(left, page_unknown);
    runs_.add(own, worst);
  }

  ShardPlacement account;

 private:
  State count(std::uint64_t bytes, int state) {
    if (const auto node = node_of(buffer_, state)) account.bytes_on_node[*node] += bytes;
    const State judged = judge(buffer_, planned_, state);
    bytes_in(account, judged) += bytes;
    return judged;
  }

  const Buffer& buffer_;
  BatchRuns& runs_;
  const Shard& planned_;
};

// Chooses the best way of asking that works, and says what was lost.
class Asker {
 public:
  explicit Asker(const Buffer& buffer) : buffer_(buffer) {
    const int pages = pages_refusal();
    if (pages == 0) {
      rung = AskingRung::move_pages;
      return;
    }
    const bool apart = buffer.plan().policy() == Policy::blocked;
    lost(DegradationKind::move_pages_refused, "move_pages", pages,
         apart ? "; shards are counted as whole mappings" : "; interleaved pages cannot be counted");
    const int maps = NumaMaps::read(maps_, buffer_.data(), buffer_.plan().dataset().total_bytes());
    if (maps == 0 && apart) rung = AskingRung::numa_maps;
    if (maps != 0)
      lost(DegradationKind::numa_maps_unreadable, "/proc/self/numa_maps", maps, "; nothing can be verified");
  }

  std::optional<NumaMaps::Sums> mapping_of(const Shard& shard) const {
    const std::byte* first_page = buffer_.data() - buffer_.plan().base_offset();
    return maps_.sums(first_page + shard.pages.begin, first_page + shard.pages.end);
  }

  // Runs of [range) with a kernel's node or a state; where only sums are known and they name more than one
  // node, unknown.
  void runs(const Shard& shard, ByteRange range, const std::function<void(ByteRange, int)>& fn) const {
    if (range.bytes() == 0) return;
    const auto shifted = [&](ByteRange run, int state) {
      fn({run.begin + range.begin, run.end + range.begin}, state);
    };
    if (rung == AskingRung::move_pages) {
      const int refused =
          ask_pages(buffer_.data() + range.begin, range.bytes(), buffer_.pages().page_bytes(), shifted);
      if (refused != 0) throw SystemError("Placement: move_pages", refused);
      return;
    }
    const auto sums = rung == AskingRung::numa_maps ? mapping_of(shard) : std::nullopt;
    const ByteRange own = own_bytes(buffer_.plan(), shard);
    const ByteRange known{std::max(range.begin, own.begin), std::min(range.end, own.end)};
    const bool one_node =
        sums && sums->bytes_on_node.size() == 1 && sums->present_bytes == shard.pages.bytes();
    if (!one_node || known.begin >= known.end) return fn(range, page_unknown);
    // What is cut lies in a neighbour's mapping, of which nothing is said here.
    if (range.begin < known.begin) fn({range.begin, known.begin}, page_unknown);
    fn(known, static_cast<int>(sums->bytes_on_node.begin()->first));
    if (known.end < range.end) fn({known.end, range.end}, page_unknown);
  }

  AskingRung rung = AskingRung::none;
  std::vector<Degradation> degradations;

 private:
  void lost(DegradationKind kind, const char* what, int error, const char* consequence) {
    degradations.push_back({kind, base::text(what, ": ", base::errno_text(error), consequence), error});
  }
  const Buffer& buffer_;
  NumaMaps maps_;
};

ShardPlacement account_of(const Buffer& buffer, std::size_t index, const Asker& asker, BatchRuns& runs) {
  const Shard& shard = buffer.plan().shards()[index];
  Ledger ledger(buffer, index, runs);
  const ByteRange own = own_bytes(buffer.plan(), shard);
  if (own.begin > shard.bytes.begin) ledger.cut({shard.bytes.begin, own.begin});
  if (own.bytes() > 0) {
    const auto sums = asker.rung == AskingRung::numa_maps ? asker.mapping_of(shard) : std::nullopt;
    if (sums)
      ledger.sums(own, *sums);
    else
      asker.runs(shard, own, [&](ByteRange bytes, int state) { ledger.page_run(bytes, state); });
  }
  if (own.end < shard.bytes.end) ledger.cut({own.end, shard.bytes.end});
  return std::move(ledger.account);
}

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
  Asker asker(buffer);
  placement.asking_rung_ = asker.rung;
  for (Degradation& lost : asker.degradations) placement.degradations_.push_back(std::move(lost));
  BatchRuns runs(buffer.plan());
  for (std::size_t shard = 0; shard < buffer.plan().shards().size(); ++shard) {
    placement.shards_.push_back(account_of(buffer, shard, asker, runs));
    placement.shards_.back().host = placement.host_;
  }
  placement.batches_ = runs.take();
  for (const Node& node : buffer.topology().nodes()) placement.os_indices_.push_back(node.os_index);
  placement.autonuma_ = placement.placing_rung_ != PlacingRung::mbind && autonuma_is_on();
  const std::uint64_t unknown = placement.total().unknown_bytes;
  if (asker.rung == AskingRung::move_pages && unknown > 0)
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

namespace {

// The shards that lie wrong, for a message; the first few of many.
std::string wrong_shards(const std::vector<ShardPlacement>& shards) {
  constexpr int most_named = 8;
  std::string text;
  int named = 0;
  for (const ShardPlacement& shard : shards) {
    if (shard.misplaced_bytes + shard.absent_bytes + shard.unknown_bytes == 0) continue;
    if (++named > most_named) continue;
    text += base::text("; shard ", shard.shard, " (node ", shard.os_index, ", batches ", shard.batches.begin,
                       " to ", shard.batches.end - 1, "): ", shard.misplaced_bytes, " bytes misplaced");
    if (shard.absent_bytes > 0) text += base::text(", ", shard.absent_bytes, " absent");
    if (shard.unknown_bytes > 0) text += base::text(", ", shard.unknown_bytes, " unknown");
  }
  if (named > most_named) text += base::text("; and ", named - most_named, " more shards");
  return text;
}

}  // namespace

void Placement::require(double wanted_fraction) const {
  if (policy_ == Policy::interleaved)
    throw PlacementError("Placement::require: interleaved memory has no local part; use the blocked policy");
  const auto fraction = local_fraction();
  if (!fraction) {
    std::string why;
    for (const Degradation& lost : degradations_) why += "; " + lost.message;
    throw PlacementError("Placement::require: the kernel could not be asked where the pages are" + why);
  }
  if (*fraction >= wanted_fraction) return;
  const PlacementBytes bytes = total();
  throw PlacementError(base::text("Placement::require: ", bytes.local_bytes, " of ", bytes.planned_bytes,
                                  " bytes are local (", *fraction, "), ", wanted_fraction, " is required; ",
                                  bytes.cut_bytes, " bytes are cut", wrong_shards(shards_)));
}

void Placement::require_planned() const {
  const PlacementBytes bytes = total();
  if (bytes.misplaced_bytes + bytes.absent_bytes + bytes.unknown_bytes == 0) return;
  throw PlacementError(base::text(
      "Placement: ", bytes.misplaced_bytes, " bytes lie on another node than planned, ", bytes.absent_bytes,
      " are absent, of ", bytes.unknown_bytes, " the kernel does not say", wrong_shards(shards_)));
}

std::vector<WorkerReads> worker_reads(const Buffer& buffer, const Means& means) {
  std::vector<WorkerReads> reads;
  for (const Worker& worker : means.team) reads.push_back({worker, 0, 0, 0});
  const Asker asker(buffer);
  const auto& shards = buffer.plan().shards();
  for (const ReadRange& range : means.reads) {
    WorkerReads& reader = reads.at(range.worker);
    for (const Shard& shard : shards) {
      const ByteRange part{std::max(range.bytes.begin, shard.bytes.begin),
                           std::min(range.bytes.end, shard.bytes.end)};
      if (part.begin >= part.end) continue;
      asker.runs(shard, part, [&](ByteRange bytes, int state) {
        const auto node = node_of(buffer, state);
        auto& count = !node                         ? reader.unknown_bytes
                      : *node == reader.worker.node ? reader.local_bytes
                                                    : reader.remote_bytes;
        count += bytes.bytes();
      });
    }
  }
  return reads;
}

Residency residency(const Topology& topology, const void* data, std::size_t bytes) {
  Residency residency;
  residency.bytes_on_node.resize(topology.nodes().size());
  const auto add = [&](ByteRange range, int state) {
    const auto node = state < 0 ? std::nullopt : topology.node_of_os_index(static_cast<unsigned>(state));
    auto& count = state == page_absent ? residency.absent_bytes
                  : node               ? residency.bytes_on_node[*node]
                                       : residency.unknown_bytes;
    count += range.bytes();
  };
  const auto* begin = static_cast<const std::byte*>(data);
  if (can_ask_pages()) {
    residency.asking_rung = AskingRung::move_pages;
    if (const int refused = ask_pages(begin, bytes, os::current().base_page_bytes(), add))
      throw SystemError("residency: move_pages", refused);
    return residency;
  }
  NumaMaps maps;
  const auto sums = NumaMaps::read(maps, begin, bytes) == 0 ? maps.sums(begin, begin + bytes) : std::nullopt;
  if (!sums) {
    residency.unknown_bytes = bytes;
    return residency;
  }
  residency.asking_rung = AskingRung::numa_maps;
  for (const auto& [node, on_node] : sums->bytes_on_node) add({0, on_node}, static_cast<int>(node));
  add({0, bytes - std::min<std::uint64_t>(bytes, sums->present_bytes)}, page_absent);
  return residency;
}

}  // namespace nodewise
