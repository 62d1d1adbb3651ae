#include "buffer/placing.hpp"

#include <algorithm>
#include <cerrno>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "buffer/preflight.hpp"
#include "pages/huge_pages.hpp"
#include "pages/parts.hpp"
#include "pages/residency.hpp"

namespace nodewise {
namespace {

// Where the kernel has no huge pages, the usual size serves as well: it only keeps workers apart.
std::size_t huge_page_bytes_here() {
  constexpr std::size_t usual = std::size_t{2} << 20;
  const std::size_t bytes = transparent_pages().page_bytes;
  return bytes != 0 ? bytes : usual;
}

// Gives a thread its mask back.
class MaskKept {
 public:
  explicit MaskKept(const IndexSet* mask) noexcept : mask_(mask) {}
  ~MaskKept() {
    if (mask_ != nullptr) os::current().set_affinity(*mask_);
  }
  MaskKept(const MaskKept&) = delete;
  MaskKept& operator=(const MaskKept&) = delete;

 private:
  const IndexSet* mask_;
};

}  // namespace

// Neighbours that differ in one flag stay separate mappings; leaving every second shard out of core dumps is
// a flag that costs nothing else. The borders continue the alternation.
int keep_shards_apart(const Plan& plan, std::byte* data, std::size_t border) {
  bool flagged = true;
  int refused = 0;
  const auto flag = [&](std::byte* at, std::size_t bytes) {
    if (const int error = os::current().advise(at, bytes, os::Advice::no_dump)) refused = error;
  };
  for (const Shard& shard : plan.shards()) {
    if (shard.pages.bytes() == 0) continue;
    if (flagged) flag(data + shard.pages.begin, shard.pages.bytes());
    flagged = !flagged;
  }
  if (flagged && border > 0) flag(data + plan.mapped_bytes(), border);
  return refused;
}

Placing::Placing(const Plan& plan, const Team& team)
    : plan_(plan), team_(team), huge_page_bytes_(huge_page_bytes_here()) {}

void Placing::degrade(DegradationKind kind, std::string message, int error) {
  degradations_.push_back({kind, std::move(message), error});
}

Pages Placing::map(PageKind kind) {
  const std::uint64_t bytes = plan_.mapped_bytes();
  if (bytes == 0) return Pages::map(0, PageKind::base);
  if (kind != PageKind::hugetlb) return map_ordinary(bytes, kind);
  try {
    return map_pool(bytes);
  } catch (const SystemError& error) {
    if (plan_.binding() == Binding::required) throw PlacementError(error.what());
    degrade(DegradationKind::huge_pages_short, error.what(), error.code());
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
  const std::size_t border = apart ? huge_page_bytes_ : 0;
  if (kind == PageKind::automatic && bytes < huge_page_bytes_)
    kind = PageKind::base;  // not for borders' sake
  const auto mapped_bytes = base::checked_add(bytes, 2 * border);
  if (!mapped_bytes)
    throw InvalidArgument(base::text("Buffer::allocate: ", bytes, " bytes exceed the address space"));
  Pages pages = Pages::map(*mapped_bytes, kind);
  if (!pages.shortfall().empty()) {
    if (plan_.binding() == Binding::required) throw PlacementError(std::string(pages.shortfall()));
    degrade(DegradationKind::huge_pages_off, std::string(pages.shortfall()));
  }
  data_ = pages.data() + border;
  const bool transparent = pages.kind() == PageKind::transparent;
  slice_unit_ = transparent ? std::max(huge_page_bytes_, plan_.page_bytes()) : plan_.page_bytes();
  if (apart) keep_shards_apart(border);
  return pages;
}

void Placing::use(const Pages& pages) {
  data_ = pages.data();
  const bool transparent = pages.kind() == PageKind::transparent;
  slice_unit_ = transparent ? std::max(huge_page_bytes_, plan_.page_bytes()) : plan_.page_bytes();
  // A file's mapping merges with no other, so no border is needed around it.
  if (data_ != nullptr && !interleaved() && !can_ask_pages()) keep_shards_apart(0);
}

void Placing::keep_shards_apart(std::size_t border) {
  const int refused = nodewise::keep_shards_apart(plan_, data_, border);
  if (refused != 0)
    degrade(
        DegradationKind::shards_not_apart,
        base::text("madvise: ", base::errno_text(refused),
                   "; the kernel may sum up the pages of several shards, which then cannot be told apart"),
        refused);
}

void Placing::refuse_binding(int error, const std::string& consequence) {
  degrade(DegradationKind::mbind_refused, base::text("mbind: ", base::errno_text(error), "; ", consequence),
          error);
}

int Placing::bind_shard(std::size_t shard, os::BindMode mode) const {
  const Shard& bound = plan_.shards()[shard];
  if (bound.pages.bytes() == 0) return 0;
  return os::current().bind(data_ + bound.pages.begin, bound.pages.bytes(), mode, bound.os_index);
}

void Placing::bind_shards() {
  rung_ = PlacingRung::mbind;
  const std::size_t count = plan_.shards().size();
  std::size_t refused = 0;
  for (std::size_t shard = 0; shard < count; ++shard) {
    const int error = bind_shard(shard, os::BindMode::preferred);
    if (error == 0) continue;
    if (error == EINVAL && ++refused < count) {  // this node alone: outside of the cpuset, or without memory
      refuse_binding(error, base::text("the pages of node ", plan_.shards()[shard].os_index,
                                       " are placed by first touch, wherever that is"));
      continue;
    }
    rung_ = PlacingRung::first_touch;
    // Policies that differ split a huge page at the shards' borders; without them something else must.
    keep_shards_apart(0);
    return refuse_binding(error, "pages are placed by first touch from workers on their nodes");
  }
}

void Placing::bind_interleaved() {
  IndexSet nodes;
  for (const Shard& shard : plan_.shards()) nodes.insert(shard.os_index);
  const int error = os::current().interleave(data_, plan_.mapped_bytes(), nodes);
  if (error == 0) {
    rung_ = PlacingRung::mbind;
    return;
  }
  if (plan_.binding() == Binding::required)
    throw PlacementError(
        base::text("Buffer::allocate: the binding is required, and the kernel refuses to interleave: mbind: ",
                   base::errno_text(error)));
  refuse_binding(error, "pages lie where they are touched, not interleaved");
}

void Placing::bind() {
  if (data_ == nullptr) return;
  if (interleaved()) return bind_interleaved();
  bind_shards();
  if (rung_ == PlacingRung::mbind) note_tight_nodes();
}

void Placing::note_tight_nodes() {
  if (plan_.page_bytes() > team_.topology().page_bytes()) return;  // a pool has no page cache
  for (std::size_t shard = 0; shard < plan_.shards().size(); ++shard) {
    const auto free = unused_bytes_now(team_.topology().node(plan_.shards()[shard].node));
    if (!free || plan_.shards()[shard].pages.bytes() > *free) tight_shards_.push_back(shard);
  }
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
int Placing::populate_slice(const Slice& slice, unsigned worker_node, std::vector<int>& unreached,
                            const Populating& what) const {
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
  const MaskKept kept(moved ? &mask.value : nullptr);
  return populate_range(slice.pages, what);
}

// What has just been zeroed is in the caches, if it was not much; filling it then takes less time.
int Placing::populate_range(const ByteRange& range, const Populating& what) const {
  if (!what.fill) return PagesParts::populate(what.pages, data_ + range.begin, range.bytes());
  const std::uint64_t piece_bytes = std::max(slice_unit_, huge_page_bytes_);
  for (std::uint64_t begin = range.begin; begin < range.end;) {
    const std::uint64_t end = std::min(base::round_down(begin, piece_bytes) + piece_bytes, range.end);
    if (const int error = PagesParts::populate(what.pages, data_ + begin, end - begin)) return error;
    what.fill(data_ + begin, {begin, std::min(end, plan_.total_bytes())});
    begin = end;
  }
  return 0;
}

void Placing::throw_unpopulated(const Pages& pages, int error) const {
  const bool file = pages.backing() == Backing::segment;
  throw SystemError(
      base::text("Buffer::allocate: populating ", plan_.mapped_bytes(), " bytes of ",
                 base::human_bytes(slice_unit_), " pages failed; ",
                 file ? "the file system in memory (/dev/shm: df, mount -o remount,size=..., "
                        "docker --shm-size), "
                      : "",
                 "the node, the huge page pool or the control group ran out while it was filled"),
      error);
}

void Placing::populate(const Pages& pages, const Buffer::Fill& fill) {
  if (data_ == nullptr) return;
  const auto work = slices();
  const auto workers = team_.workers().size();
  std::vector<int> errors(workers);
  std::vector<std::vector<int>> unreached(workers, std::vector<int>(plan_.shards().size()));
  std::vector<unsigned> nodes;
  for (const Worker& worker : team_.workers()) nodes.push_back(worker.node);
  const auto run = recorded_run(team_, [&](unsigned worker, bool) {
    for (const Slice& slice : work[worker])
      if (const int error = populate_slice(slice, nodes[worker], unreached[worker], {pages, fill}))
        errors[worker] = error;
  });
  for (const int error : errors)
    if (error != 0) throw_unpopulated(pages, error);
  note_workers(run);
  if (rung_ == PlacingRung::first_touch) judge_first_touch(unreached);
}

// First touch places a page where its toucher stands, so it placed nothing if nobody could be made to stand.
void Placing::note_workers(const TeamRun& run) {
  if (run.on_calling_thread)
    degrade(DegradationKind::forked_child,
            "this process was forked after OpenMP had begun: one thread does all workers' parts");
  for (const int error : run.pin_errors) {
    if (error == 0) continue;
    if (rung_ == PlacingRung::first_touch) rung_ = PlacingRung::none;
    degrade(DegradationKind::pinning_refused,
            base::text("sched_setaffinity: ", base::errno_text(error),
                       "; workers run and touch wherever the kernel puts them"),
            error);
    return;
  }
}

void Placing::judge_first_touch(const std::vector<std::vector<int>>& unreached) {
  for (std::size_t shard = 0; shard < plan_.shards().size(); ++shard) {
    int error = 0;
    for (const auto& of_worker : unreached) error = of_worker[shard] != 0 ? of_worker[shard] : error;
    if (error == 0) continue;
    degrade(DegradationKind::node_out_of_reach,
            base::text("no worker may run on node ", plan_.shards()[shard].os_index, " (",
                       base::errno_text(error), "), so first touch cannot place its ",
                       plan_.shards()[shard].pages.bytes(), " bytes there; they lie with their reader"),
            error);
  }
}

void Placing::seal() {
  if (data_ == nullptr || interleaved() || rung_ != PlacingRung::mbind) return;
  const bool required = plan_.binding() == Binding::required;
  for (const std::size_t shard : tight_shards_) {
    bind_shard(shard, os::BindMode::strict_moving);  // where it fails, verifying finds what it left
    if (!required) bind_shard(shard, os::BindMode::preferred);
  }
  if (!required) return;
  for (std::size_t shard = 0; shard < plan_.shards().size(); ++shard)
    if (const int error = bind_shard(shard, os::BindMode::strict))
      return refuse_binding(error, "the policy could not be made strict");
}

}  // namespace nodewise
