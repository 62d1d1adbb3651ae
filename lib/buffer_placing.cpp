#include "buffer_placing.hpp"

#include <algorithm>
#include <cerrno>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "os/os.hpp"
#include "preflight.hpp"
#include "residency_ask.hpp"
#include "team_run.hpp"

namespace nodewise {
namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

}  // namespace

void Placing::degrade(std::string name, std::string message, int error) {
  degradations_.push_back({std::move(name), std::move(message), error});
}

Pages Placing::map(PageKind kind) {
  const std::uint64_t bytes = plan_.mapped_bytes();
  if (bytes == 0) return Pages::map(0, PageKind::base);
  if (kind != PageKind::hugetlb) return map_ordinary(bytes, kind);
  try {
    return map_pool(bytes);
  } catch (const SystemError& error) {
    if (plan_.binding() == Binding::required) throw PlacementError(error.what());
    degrade("huge-pages-short", error.what(), error.code());
  }
  // Other memory than the pool's, so there must be room in it too.
  for (Degradation& found : preflight(plan_, team_.topology(), PageKind::automatic))
    degradations_.push_back(std::move(found));
  return map_ordinary(bytes, PageKind::automatic);
}

Pages Placing::map_pool(std::uint64_t bytes) {
  Pages pages = Pages::map(bytes, PageKind::hugetlb, plan_.page_bytes());
  data_ = pages.data();
  slice_unit_ = plan_.page_bytes();
  // Mappings of the pool never merge with others, so no border is needed around them.
  if (!interleaved() && !can_ask_pages()) keep_shards_apart(0);
  return pages;
}

Pages Placing::map_ordinary(std::uint64_t bytes, PageKind kind) {
  // Where pages cannot be asked about one by one, the kernel's sums per mapping have to do, and then each
  // shard must be a mapping of its own, with a border on either side.
  const bool apart = !interleaved() && !can_ask_pages();
  const std::size_t border = apart ? huge_page_bytes : 0;
  if (kind == PageKind::automatic && bytes < huge_page_bytes) kind = PageKind::base;  // not for borders' sake
  const auto mapped_bytes = base::checked_add(bytes, 2 * border);
  if (!mapped_bytes)
    throw InvalidArgument(base::text("Buffer::allocate: ", bytes, " bytes exceed the address space"));
  Pages pages = Pages::map(*mapped_bytes, kind);
  if (!pages.shortfall().empty()) {
    if (plan_.binding() == Binding::required) throw PlacementError(std::string(pages.shortfall()));
    degrade("huge-pages-off", std::string(pages.shortfall()));
  }
  data_ = pages.data() + border;
  const bool transparent = pages.kind() == PageKind::transparent;
  slice_unit_ = transparent ? std::max(huge_page_bytes, plan_.page_bytes()) : plan_.page_bytes();
  if (apart) keep_shards_apart(border);
  return pages;
}

void Placing::keep_shards_apart(std::size_t border) {
  // Neighbours that differ in one flag stay separate mappings; leaving every second shard out of core dumps
  // is a flag that costs nothing else. The borders continue the alternation.
  bool flagged = true;
  for (const Shard& shard : plan_.shards()) {
    if (shard.pages.bytes() == 0) continue;
    if (flagged) os::current().advise(data_ + shard.pages.begin, shard.pages.bytes(), os::Advice::no_dump);
    flagged = !flagged;
  }
  if (flagged && border > 0) os::current().advise(data_ + plan_.mapped_bytes(), border, os::Advice::no_dump);
}

int Placing::bind_shards(bool strict) {
  const auto mode = strict ? os::BindMode::strict : os::BindMode::preferred;
  for (const Shard& shard : plan_.shards()) {
    if (shard.pages.bytes() == 0) continue;
    const int error =
        os::current().bind(data_ + shard.pages.begin, shard.pages.bytes(), mode, shard.os_index);
    if (error != 0) return error;
  }
  return 0;
}

int Placing::bind_interleaved() {
  IndexSet nodes;
  for (const Shard& shard : plan_.shards()) nodes.insert(shard.os_index);
  return os::current().interleave(data_, plan_.mapped_bytes(), nodes);
}

void Placing::bind() {
  if (data_ == nullptr) return;
  const int error = interleaved() ? bind_interleaved() : bind_shards(false);
  if (error == 0) {
    rung_ = PlacingRung::mbind;
    return;
  }
  rung_ = interleaved() ? PlacingRung::none : PlacingRung::first_touch;
  // Policies that differ split a huge page at the shards' borders; without them something else must.
  if (rung_ == PlacingRung::first_touch) keep_shards_apart(0);
  degrade("mbind-refused",
          base::text("mbind: ", base::errno_text(error),
                     interleaved() ? "; pages lie where they are touched, not interleaved"
                                   : "; pages are placed by first touch from workers on their nodes"),
          error);
}

// Each shard's pages are divided among the workers of its node, in units that no two of them share.
std::vector<std::vector<Placing::Slice>> Placing::slices() const {
  std::vector<std::vector<Slice>> slices(team_.workers().size());
  const auto begin_of = [&](const ByteRange& pages, std::uint64_t units, std::size_t parts, std::size_t i) {
    const auto first_unit = pages.begin / slice_unit_;
    const auto at = (first_unit + base::mul_div(units, i, parts)) * slice_unit_;
    return std::clamp(at, pages.begin, pages.end);
  };
  const auto add = [&](std::size_t shard, const ByteRange& pages, const std::vector<unsigned>& workers) {
    const auto units = base::round_up(pages.end, slice_unit_) / slice_unit_ - pages.begin / slice_unit_;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      const ByteRange part{
          begin_of(pages, units, workers.size(), i),
          i + 1 == workers.size() ? pages.end : begin_of(pages, units, workers.size(), i + 1)};
      if (part.bytes() > 0) slices[workers[i]].push_back({shard, part});
    }
  };
  if (interleaved()) {
    std::vector<unsigned> everyone;
    for (const Worker& worker : team_.workers()) everyone.push_back(worker.worker);
    add(0, {0, plan_.mapped_bytes()}, everyone);
    return slices;
  }
  for (std::size_t shard = 0; shard < plan_.shards().size(); ++shard)
    if (plan_.shards()[shard].pages.bytes() > 0)
      add(shard, plan_.shards()[shard].pages, team_.home_workers(plan_.shards()[shard].node));
  return slices;
}

// Under first touch the toucher must stand on the shard's node: a worker from elsewhere moves there first.
int Placing::populate_slice(const Slice& slice, unsigned worker_node, std::vector<int>& unreached) const {
  os::Os& os = os::current();
  const unsigned node = plan_.shards()[slice.shard].node;
  os::Result<IndexSet> mask;
  bool moved = false;
  if (rung_ == PlacingRung::first_touch && worker_node != node) {
    const IndexSet there = team_.topology().node(node).cpus & team_.usable_cpus();
    mask = os.affinity();
    int error = there.empty() ? ENODEV : mask.error;
    if (error == 0) error = os.set_affinity(there);
    moved = error == 0;
    unreached[slice.shard] = error;
  }
  const int error = os.populate(data_ + slice.pages.begin, slice.pages.bytes());
  if (moved) os.set_affinity(mask.value);
  return error;
}

void Placing::populate() {
  if (data_ == nullptr) return;
  const auto work = slices();
  const auto workers = team_.workers().size();
  std::vector<int> errors(workers);
  std::vector<std::vector<int>> unreached(workers, std::vector<int>(plan_.shards().size()));
  std::vector<unsigned> nodes;
  for (const Worker& worker : team_.workers()) nodes.push_back(worker.node);
  const auto run = run_team(team_, [&](unsigned worker) {
    for (const Slice& slice : work[worker])
      if (const int error = populate_slice(slice, nodes[worker], unreached[worker])) errors[worker] = error;
  });
  for (const int error : errors)
    if (error != 0)
      throw SystemError(base::text("Buffer::allocate: populating ", plan_.mapped_bytes(), " bytes of ",
                                   base::human_bytes(slice_unit_),
                                   " pages failed; the node, the huge page "
                                   "pool or the control group ran out while it was filled"),
                        error);
  if (rung_ == PlacingRung::first_touch) judge_first_touch(run.pin_errors, unreached);
}

// First touch places a page where its toucher stands, so it placed nothing if nobody could be made to stand.
void Placing::judge_first_touch(const std::vector<int>& pin_errors,
                                const std::vector<std::vector<int>>& unreached) {
  for (const int error : pin_errors) {
    if (error == 0) continue;
    rung_ = PlacingRung::none;
    degrade("pinning-refused",
            base::text("sched_setaffinity: ", base::errno_text(error),
                       "; workers run and touch wherever the kernel puts them"),
            error);
    return;
  }
  for (std::size_t shard = 0; shard < plan_.shards().size(); ++shard) {
    int error = 0;
    for (const auto& of_worker : unreached) error = of_worker[shard] != 0 ? of_worker[shard] : error;
    if (error == 0) continue;
    degrade("node-out-of-reach",
            base::text("no worker may run on node ", plan_.shards()[shard].os_index, " (",
                       base::errno_text(error), "), so first touch cannot place its ",
                       plan_.shards()[shard].pages.bytes(), " bytes there; they lie with their reader"),
            error);
  }
}

void Placing::seal() {
  if (data_ == nullptr || interleaved() || plan_.binding() != Binding::required) return;
  if (rung_ != PlacingRung::mbind) return;
  if (const int error = bind_shards(true))
    degrade("mbind-refused", base::text("mbind, to make the policy strict: ", base::errno_text(error)),
            error);
}

}  // namespace nodewise
