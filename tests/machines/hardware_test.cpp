// Goal: on a real kernel with several nodes, memory lies where the plan says, by each means of placing that
// is left, and the report says what an independent witness sees.
// Method: loaders of many kinds; a separate program without a line of the library asks the kernel about this
// process from outside. Runs on any machine of two nodes or more; in the ordinary test run, in the machines
// that tests/machines boots.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "machines/nodes.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::MiB;

namespace {

std::string witness(const std::string& verb, const void* data, std::size_t bytes,
                    const std::string& more = "") {
  std::ostringstream command;
  command << NODEWISE_WITNESS << ' ' << verb << ' ' << ::getpid() << ' ' << std::hex
          << reinterpret_cast<std::uintptr_t>(data) << std::dec << ' ' << bytes << ' ' << more;
  std::FILE* pipe = ::popen(command.str().c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  char piece[4096];
  while (const auto got = std::fread(piece, 1, sizeof piece, pipe)) text.append(piece, got);
  REQUIRE(::pclose(pipe) == 0);
  return text;
}

// The node that the witness sees under each byte of the buffer's pages, as runs.
struct SeenRun {
  ByteRange bytes;
  int node = 0;
};
std::vector<SeenRun> seen_by_witness(const Buffer& buffer) {
  std::istringstream lines(witness("where", buffer.data(), buffer.plan().mapped_bytes()));
  std::vector<SeenRun> runs;
  std::uint64_t offset = 0, bytes = 0;
  for (int node = 0; lines >> offset >> bytes >> node;) runs.push_back({{offset, offset + bytes}, node});
  return runs;
}

// Bytes of the shards' pages that the witness sees elsewhere than on their nodes.
std::uint64_t misplaced_by_witness(const Buffer& buffer) {
  std::uint64_t misplaced = 0, seen = 0;
  for (const SeenRun& run : seen_by_witness(buffer))
    for (const Shard& shard : buffer.plan().shards()) {
      const auto begin = std::max(run.bytes.begin, shard.pages.begin);
      const auto end = std::min(run.bytes.end, shard.pages.end);
      if (begin >= end) continue;
      seen += end - begin;
      if (run.node != static_cast<int>(shard.os_index)) misplaced += end - begin;
    }
  CHECK(seen == buffer.plan().mapped_bytes());
  return misplaced;
}

// The policies of the buffer's mappings by where they begin, as numa_maps writes them.
std::map<std::uint64_t, std::string> policies(const Buffer& buffer) {
  std::istringstream lines(witness("policy", buffer.data(), buffer.plan().mapped_bytes()));
  std::map<std::uint64_t, std::string> by_offset;
  std::uint64_t offset = 0;
  for (std::string policy; lines >> offset >> policy;) by_offset[offset] = policy;
  return by_offset;
}

void check_contract(const BatchLoader& loader) {
  const auto placement = loader.placement();
  const auto total = placement.total();
  CHECK(total.misplaced_bytes == 0);
  CHECK(total.absent_bytes == 0);
  CHECK(total.unknown_bytes == 0);
  CHECK(total.cut_bytes == loader.plan().cut_bytes());
  CHECK(total.local_bytes + total.cut_bytes == loader.plan().dataset().total_bytes());
  CHECK(misplaced_by_witness(loader.buffer()) == 0);
}

LoaderOptions options_of(Binding binding, PageKind pages, unsigned workers = 0) {
  LoaderOptions options;
  options.binding = binding;
  options.pages = pages;
  options.team.workers = workers;
  return options;
}

void set_autonuma(bool on) {
  std::ofstream file("/proc/sys/kernel/numa_balancing");
  file << on << std::flush;
  REQUIRE(file.good());
}

// Another program that fills a node at the worst moment: after the library has looked for room, before it
// touches the first page.
class FillsNode : public os::Faulty {
 public:
  explicit FillsNode(unsigned os_index) : os::Faulty(os::real()), os_index_(os_index) {}
  ~FillsNode() override {
    for (void* piece : pieces_) os::real().unmap(piece, piece_bytes);
  }
  int populate(void* data, std::size_t bytes) override {
    // Once a node is nearly full, the kernel may still give some of its cached files' memory back.
    std::call_once(once_, [this] {
      constexpr int enough = 8;
      for (int elsewhere = 0; elsewhere < enough;) {
        elsewhere = add_piece() ? 0 : elsewhere + 1;
        if (elsewhere > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
    return os::Faulty::populate(data, bytes);
  }

 private:
  static constexpr std::size_t piece_bytes = MiB;
  bool add_piece() {  // false: it came to lie elsewhere, so the node is full for now
    auto& system = os::real();
    const auto mapped = system.map(piece_bytes, 4096, 0);
    if (!mapped.ok()) return false;
    pieces_.push_back(mapped.value);
    system.bind(mapped.value, piece_bytes, os::BindMode::preferred, os_index_);
    system.populate(mapped.value, piece_bytes);
    void* last = static_cast<std::byte*>(mapped.value) + piece_bytes - 4096;
    int node = -1;
    return system.pages_status({&last, 1}, {&node, 1}) == 0 && node == static_cast<int>(os_index_);
  }
  unsigned os_index_;
  std::once_flag once_;
  std::vector<void*> pieces_;
};

void check_blocked(PageKind pages) {
  for (const auto binding : {Binding::preferred, Binding::required})
    for (const auto dtype : {DType::f64, DType::f16, DType::u8})
      for (const std::uint64_t batch_size : {256U, 1000U, 333U}) {
        CAPTURE(to_string(binding));
        CAPTURE(to_string(pages));
        CAPTURE(dtype_name(dtype));
        CAPTURE(batch_size);
        const std::uint64_t features = 16 * 8 / dtype_bytes(dtype);
        const BatchLoader loader({{65536 + 7, features}, dtype, batch_size}, options_of(binding, pages));
        check_contract(loader);
        CHECK(loader.placement().placing_rung() == PlacingRung::mbind);
        if (pages == PageKind::hugetlb) CHECK(loader.pages().kind() == PageKind::hugetlb);
        std::map<std::uint64_t, std::string> expected;
        for (const Shard& shard : loader.plan().shards())
          if (shard.pages.bytes() > 0)
            expected[shard.pages.begin] = (binding == Binding::required ? "bind=static:" : "prefer=static:") +
                                          std::to_string(shard.os_index);
        CHECK(policies(loader.buffer()) == expected);
      }
}

// Spread as the witness sees it; pages larger than base pages are few, so only base pages are spread evenly.
void check_interleaved(const BatchLoader& loader) {
  const Buffer& buffer = loader.buffer();
  const std::uint64_t bytes = buffer.plan().mapped_bytes();
  std::map<int, std::uint64_t> seen;
  for (const SeenRun& run : seen_by_witness(buffer)) seen[run.node] += run.bytes.bytes();
  const auto found = residency(buffer.topology(), buffer.data(), bytes);
  const auto targets = buffer.topology().default_targets();
  std::uint64_t on_targets = 0;
  for (const unsigned node : targets) {
    CHECK(found.bytes_on_node[node] == seen[static_cast<int>(buffer.topology().node(node).os_index)]);
    on_targets += found.bytes_on_node[node];
    if (loader.pages().kind() == PageKind::base)
      CHECK(found.bytes_on_node[node] >= bytes / targets.size() / 2);
  }
  CHECK(on_targets == bytes);
  CHECK(policies(buffer)[0].starts_with("interleave=static:"));
  CHECK_FALSE(loader.placement().local_fraction().has_value());
}

}  // namespace

TEST_CASE("the contract, with each binding, kind of pages, element size and batch size") {
  NEEDS_TWO_NODES();
  for (const auto pages : {PageKind::automatic, PageKind::base, PageKind::transparent}) check_blocked(pages);
}

TEST_CASE("the contract on pages of a hugetlb pool, with each binding, element size and batch size" *
          doctest::test_suite("hugetlb")) {
  NEEDS_TWO_NODES();
  check_blocked(PageKind::hugetlb);
}

TEST_CASE("the shares of any two nodes differ by at most one batch") {
  NEEDS_TWO_NODES();
  const BatchLoader loader({{100003, 16}, DType::f64, 100});
  std::uint64_t least = ~std::uint64_t{0}, most = 0;
  for (const ShardPlacement& shard : loader.placement().shards()) {
    least = std::min(least, shard.planned_bytes);
    most = std::max(most, shard.planned_bytes);
  }
  CHECK(most - least <= 100 * 16 * 8);
}

TEST_CASE("if mbind is refused, first touch keeps the contract, with many workers or one") {
  NEEDS_TWO_NODES();
  os::Faulty faulty(os::real());
  faulty.refuse(os::Call::bind, EPERM);
  const os::Scoped scoped(faulty);
  for (const unsigned workers : {0U, 1U, 3U}) {
    CAPTURE(workers);
    const BatchLoader loader({{65536, 16}, DType::f64, 333},
                             options_of(Binding::preferred, PageKind::base, workers));
    CHECK(loader.placement().placing_rung() == PlacingRung::first_touch);
    const auto reachable = loader.placement();
    const bool all_reachable = std::none_of(reachable.degradations().begin(), reachable.degradations().end(),
                                            [](const Degradation& degradation) {
                                              return degradation.kind == DegradationKind::node_out_of_reach;
                                            });
    if (all_reachable) check_contract(loader);
    CHECK(reachable.total().misplaced_bytes == misplaced_by_witness(loader.buffer()));
  }
}

TEST_CASE("if move_pages is refused, whole shards are counted, and a page that was moved away is found") {
  NEEDS_TWO_NODES();
  os::Faulty faulty(os::real());
  faulty.refuse(os::Call::pages_status, EPERM);
  const os::Scoped scoped(faulty);
  for (const bool bind_refused : {false, true}) {
    CAPTURE(bind_refused);
    faulty.refuse(os::Call::bind, bind_refused ? EPERM : 0);
    const BatchLoader loader({{65536, 16}, DType::f64, 256}, options_of(Binding::preferred, PageKind::base));
    const auto placement = loader.placement();
    CHECK(placement.asking_rung() == AskingRung::numa_maps);
    CHECK(placement.granularity() == "shard");
    CHECK(placement.total().unknown_bytes == 0);
    CHECK(placement.total().misplaced_bytes == misplaced_by_witness(loader.buffer()));
    const Shard& first = loader.plan().shards().front();
    const Shard& last = loader.plan().shards().back();
    witness("move", loader.buffer().data() + first.pages.begin, 4096, std::to_string(last.os_index));
    CHECK(loader.placement().shards().front().misplaced_bytes == 4096);
  }
}

TEST_CASE("if another program moves the pages of a shard, the shard is named") {
  NEEDS_TWO_NODES();
  const BatchLoader loader({{65536, 16}, DType::f64, 256}, options_of(Binding::preferred, PageKind::base));
  const Shard& moved = loader.plan().shards()[1];
  const Shard& there = loader.plan().shards()[0];
  const auto pages = std::stoull(witness("move", loader.buffer().data() + moved.pages.begin,
                                         moved.pages.bytes(), std::to_string(there.os_index)));
  const auto placement = loader.placement();
  CHECK(pages == moved.pages.bytes() / 4096);
  CHECK(placement.total().misplaced_bytes == moved.pages.bytes());
  CHECK(placement.shards()[1].misplaced_bytes == moved.pages.bytes());
  CHECK_THROWS_WITH_AS(placement.require(0.99),
                       doctest::Contains(("shard 1 (node " + std::to_string(moved.os_index)).c_str()),
                       PlacementError);
}

TEST_CASE("if workers run on the wrong nodes, all their reads are remote, but no page counts as misplaced") {
  NEEDS_TWO_NODES();
  auto options = options_of(Binding::preferred, PageKind::base);
  for (const bool displaced : {false, true}) {
    CAPTURE(displaced);
    options.team.displaced = displaced;
    const BatchLoader loader({{65536, 16}, DType::f64, 256}, options);
    check_contract(loader);
    std::uint64_t local = 0, remote = 0, orphaned = 0;
    for (const Orphan& orphan : loader.team().orphans(loader.plan()))
      orphaned += loader.plan().shards()[orphan.shard].bytes.bytes();
    for (const WorkerReads& reads : worker_reads(loader.buffer(), loader.compute_means())) {
      local += reads.local_bytes;
      remote += reads.remote_bytes;
    }
    CHECK(local == (displaced ? 0 : loader.plan().dataset().total_bytes() - orphaned));
    CHECK(remote == (displaced ? loader.plan().dataset().total_bytes() : orphaned));
  }
}

TEST_CASE("workers ran on the nodes that the report names") {
  NEEDS_TWO_NODES();
  const auto topology = Topology::this_machine();
  const BatchLoader loader({{65536, 16}, DType::f64, 256});
  const auto means = loader.compute_means();
  for (const Worker& worker : means.team) {
    CHECK(topology.node(worker.node).cpus.contains(worker.cpu));
    CHECK(worker == loader.team().workers()[worker.worker]);
  }
}

TEST_CASE("interleaved memory is spread over the nodes and promises nothing, with any binding and pages") {
  NEEDS_TWO_NODES();
  for (const auto binding : {Binding::preferred, Binding::required})
    for (const auto pages : {PageKind::automatic, PageKind::base, PageKind::transparent})
      for (const auto dtype : {DType::f64, DType::u8}) {
        CAPTURE(to_string(binding));
        CAPTURE(to_string(pages));
        CAPTURE(dtype_name(dtype));
        auto options = options_of(binding, pages);
        options.policy = Policy::interleaved;
        check_interleaved(BatchLoader({{65536 + 7, 128 / dtype_bytes(dtype)}, dtype, 333}, options));
      }
}

TEST_CASE("if a node fills up between check and touch, the process survives, and spilled bytes are counted") {
  NEEDS_TWO_NODES();
  const unsigned filled = Topology::this_machine().default_targets().back();
  const Node node = Topology::this_machine().node(filled);
  if (node.memory_bytes > 4096 * MiB) NODEWISE_SKIP("filling a node of this machine would disturb its users");
  for (const auto binding : {Binding::preferred, Binding::required}) {
    CAPTURE(to_string(binding));
    FillsNode filler(node.os_index);
    const os::Scoped scoped(filler);
    const auto options = options_of(binding, PageKind::base);
    const Shape shape{65536, 128};
    if (binding == Binding::required) {
      CHECK_THROWS_WITH_AS(BatchLoader({shape, DType::f64, 256}, options),
                           doctest::Contains(("(node " + std::to_string(node.os_index)).c_str()),
                           PlacementError);
      continue;
    }
    const BatchLoader loader({shape, DType::f64, 256}, options);
    CHECK(loader.placement().total().misplaced_bytes > 0);
    CHECK(loader.placement().total().misplaced_bytes == misplaced_by_witness(loader.buffer()));
  }
}

TEST_CASE("AutoNUMA moves pages placed by first touch, and they count as misplaced; it moves no bound pages" *
          doctest::test_suite("autonuma")) {
  NEEDS_TWO_NODES();
  os::Faulty faulty(os::real());
  const os::Scoped scoped(faulty);
  auto options = options_of(Binding::preferred, PageKind::base);
  options.team.displaced = true;  // the readers that AutoNUMA wants to bring the pages to
  for (const bool bound : {true, false}) {
    CAPTURE(bound);
    faulty.refuse(os::Call::bind, bound ? 0 : EPERM);
    set_autonuma(true);
    const BatchLoader loader({{65536, 16}, DType::f64, 256}, options);
    const auto now = [&] { return loader.placement().total(); };
    CHECK(now().misplaced_bytes == 0);
    std::uint64_t called_absent = 0;
    const auto begin = std::chrono::steady_clock::now();
    const auto since = [&] { return std::chrono::steady_clock::now() - begin; };
    const auto waited_for = [&] { return bound || now().misplaced_bytes > 0; };
    while (since() < std::chrono::seconds(5) || (!waited_for() && since() < std::chrono::seconds(60))) {
      loader.compute_means();
      called_absent = std::max(called_absent, now().absent_bytes);
    }
    CHECK(called_absent == 0);
    // What AutoNUMA has marked by now some kernels name no node for, neither to the library nor to the
    // witness, until it is read again.
    set_autonuma(false);
    loader.compute_means();
    CHECK((now().misplaced_bytes > 0) == !bound);
    CHECK(now().misplaced_bytes == misplaced_by_witness(loader.buffer()));
  }
}

TEST_CASE("a memory-only node gets data if it is named, and workers on the nearest node read it" *
          doctest::test_suite("memory-only")) {
  NEEDS_TWO_NODES();
  const auto topology = Topology::this_machine();
  const auto nodes = topology.nodes();
  const auto found = std::find_if(nodes.begin(), nodes.end(), [](const Node& node) {
    return node.cpus.empty() && node.memory_bytes > 0;
  });
  if (found == nodes.end()) NODEWISE_SKIP("no memory-only node here; the machine 2x2+1mem has one");
  auto options = options_of(Binding::required, PageKind::base);
  options.targets = {0, found->index};
  const BatchLoader loader({{65536, 16}, DType::f64, 256}, options);
  check_contract(loader);
  const auto orphans = loader.team().orphans(loader.plan());
  REQUIRE(orphans.size() == 1);
  CHECK(orphans[0].node == found->index);
  CHECK(orphans[0].read_from == topology.nearest(found->index).front());
}
