#include "buffer/populating.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <nodewise/allowance.hpp>
#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "os/os.hpp"
#include "pages/huge_pages.hpp"
#include "pages/parts.hpp"
#include "team/pinning.hpp"
#include "team/run.hpp"

namespace nodewise {
namespace {

// The part of a shard that one worker populates.
struct Slice {
  std::size_t shard = 0;
  ByteRange pages;
};

struct Work {
  const Plan& plan;
  const Team& team;
  const MappedMemory& memory;
  PlacingRung rung;
  const Buffer::Fill& fill;
};

// Divides `pages` among `workers`, in units that no two workers share.
void divide(std::size_t shard, const ByteRange& pages, std::size_t unit_bytes,
            const std::vector<unsigned>& workers, std::vector<std::vector<Slice>>& slices) {
  const auto first_unit = pages.begin / unit_bytes;
  const auto units = base::round_up(pages.end, unit_bytes) / unit_bytes - first_unit;
  const auto begin_of = [&](std::size_t i) {
    const auto at = (first_unit + base::mul_div(units, i, workers.size())) * unit_bytes;
    return std::clamp(at, pages.begin, pages.end);
  };
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const ByteRange part{begin_of(i), i + 1 == workers.size() ? pages.end : begin_of(i + 1)};
    if (part.bytes() > 0) slices[workers[i]].push_back({shard, part});
  }
}

// By worker. The workers of a node share the pages of its shard; all workers share interleaved pages.
std::vector<std::vector<Slice>> slices_of(const Work& work) {
  std::vector<std::vector<Slice>> slices(work.team.workers().size());
  const std::size_t unit = work.memory.slice_bytes;
  if (work.plan.policy() == Policy::interleaved) {
    std::vector<unsigned> everyone;
    for (const Worker& worker : work.team.workers()) everyone.push_back(worker.worker);
    divide(0, {0, work.plan.mapped_bytes()}, unit, everyone, slices);
    return slices;
  }
  for (std::size_t shard = 0; shard < work.plan.shards().size(); ++shard) {
    const Shard& part = work.plan.shards()[shard];
    if (part.pages.bytes() > 0) divide(shard, part.pages, unit, work.team.home_workers(part.node), slices);
  }
  return slices;
}

// A small piece that has just been zeroed is still in the caches, so filling it takes less time.
int populate_range(const Work& work, const ByteRange& range) {
  std::byte* const data = work.memory.data;
  if (!work.fill) return PagesParts::populate(work.memory.pages, data + range.begin, range.bytes());
  const std::uint64_t piece = work.memory.piece_bytes;
  for (std::uint64_t begin = range.begin; begin < range.end;) {
    const std::uint64_t end = std::min(base::round_down(begin, piece) + piece, range.end);
    if (const int error = PagesParts::populate(work.memory.pages, data + begin, end - begin)) return error;
    work.fill(data + begin, {begin, std::min(end, work.plan.dataset().total_bytes())});
    begin = end;
  }
  return 0;
}

// Under first touch, the worker must run on the shard's node, so a worker from elsewhere moves there first.
// `unreached` records, by shard, why that was impossible.
int populate_slice(const Work& work, const Slice& slice, unsigned worker_node, std::vector<int>& unreached) {
  const unsigned node = work.plan.shards()[slice.shard].node;
  std::optional<KeptMask> kept;
  if (work.rung == PlacingRung::first_touch && worker_node != node) {
    const IndexSet there = work.team.topology().node(node).cpus & work.team.usable_cpus();
    int error = ENODEV;
    if (!there.empty()) error = kept.emplace().error();
    if (error == 0) error = os::current().set_affinity(there);
    unreached[slice.shard] = error;
  }
  return populate_range(work, slice.pages);
}

// What ran out. The allowance no longer contains what this call has populated already.
std::string what_ran_out(const Work& work) {
  const std::uint64_t bytes = work.plan.mapped_bytes();
  if (work.memory.pages.kind() == PageKind::hugetlb) return why_no_huge_pages(bytes, work.plan.page_bytes());
  std::string text;
  if (work.memory.pages.backing() == Backing::segment)
    text = "the file system in memory (/dev/shm: df, mount -o remount,size=..., docker --shm-size), ";
  text += "the node or the control group ran out while it was filled";
  if (const auto allowance = allowance_now(work.team.topology()))
    text += base::text("; ", allowance->from, " still leaves ", base::human_bytes(allowance->bytes));
  return text;
}

[[noreturn]] void throw_unpopulated(const Work& work, int error) {
  throw Unpopulated(
      base::text("Buffer::allocate: populating ", work.plan.mapped_bytes(), " bytes of ",
                 base::human_bytes(work.memory.slice_bytes), " pages failed; ", what_ran_out(work)),
      error);
}

// First touch places nothing if the workers are not pinned.
PlacingRung judge_workers(const TeamRun& run, PlacingRung rung, std::vector<Degradation>& degradations) {
  if (run.on_calling_thread)
    degradations.push_back(
        {DegradationKind::forked_child,
         "this process was forked after OpenMP had begun: one thread does all workers' parts", 0});
  const auto refused =
      std::find_if(run.pin_errors.begin(), run.pin_errors.end(), [](int error) { return error != 0; });
  if (refused == run.pin_errors.end()) return rung;
  degradations.push_back({DegradationKind::pinning_refused,
                          base::text("sched_setaffinity: ", base::errno_text(*refused),
                                     "; workers run, and touch pages, wherever the kernel puts them"),
                          *refused});
  return rung == PlacingRung::first_touch ? PlacingRung::none : rung;
}

// `unreached`: by worker and shard.
void judge_first_touch(const Plan& plan, const std::vector<std::vector<int>>& unreached,
                       std::vector<Degradation>& degradations) {
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    int error = 0;
    for (const auto& of_worker : unreached) error = of_worker[shard] != 0 ? of_worker[shard] : error;
    if (error == 0) continue;
    degradations.push_back({DegradationKind::node_out_of_reach,
                            base::text("no worker may run on node ", plan.shards()[shard].os_index, " (",
                                       base::errno_text(error), "), so first touch cannot place its ",
                                       plan.shards()[shard].pages.bytes(),
                                       " bytes there; they lie on the node of the worker that reads them"),
                            error});
  }
}

}  // namespace

PlacingRung populate(const Plan& plan, const Team& team, const MappedMemory& memory, PlacingRung rung,
                     const Buffer::Fill& fill, std::vector<Degradation>& degradations) {
  const Work work{plan, team, memory, rung, fill};
  const auto slices = slices_of(work);
  const auto workers = team.workers().size();
  std::vector<int> errors(workers);
  std::vector<std::vector<int>> unreached(workers, std::vector<int>(plan.shards().size()));
  std::vector<unsigned> nodes;
  for (const Worker& worker : team.workers()) nodes.push_back(worker.node);
  const auto run = recorded_run(team, [&](unsigned worker, bool) {
    for (const Slice& slice : slices[worker])
      if (const int error = populate_slice(work, slice, nodes[worker], unreached[worker]))
        errors[worker] = error;
  });
  for (const int error : errors)
    if (error != 0) throw_unpopulated(work, error);
  rung = judge_workers(run, rung, degradations);
  if (rung == PlacingRung::first_touch) judge_first_touch(plan, unreached, degradations);
  return rung;
}

}  // namespace nodewise
