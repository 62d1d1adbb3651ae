// Goal: whatever another process writes into the words of shared memory, and whenever, this process neither
// reads nor writes outside of the segment, and no call goes on past its time. Method: a child changes words
// of a directory, of values, of a ring and of a segment's header while this process uses them. Each mapping
// of a segment stands between gigabytes that may not be touched, and every address that a call gives is
// checked. The child is a process of its own, so that sanitizers take none of its writes for a race. The
// words of mutexes are left alone: they belong to the C library, which follows the addresses in them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <vector>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>
#include <nodewise/shared_objects.hpp>

#include "base/crc32.hpp"
#include "objects/layout.hpp"
#include "objects/shared_objects.hpp"
#include "os/fakes/faulty.hpp"
#include "ring/layout.hpp"
#include "ring/rings.hpp"
#include "segment/header.hpp"
#include "support/own_segments.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::Child;
using test::Record;

namespace {

// Maps files into the middle of a large range of addresses that may not be touched.
class Guarded : public os::Faulty {
 public:
  using Faulty::Faulty;
  os::Result<void*> map_shared(int descriptor, std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                               bool writable) override {
    const std::size_t room = 2 * guard + bytes + alignment;
    void* const reserved =
        ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(reserved != MAP_FAILED);
    const auto at = (reinterpret_cast<std::uintptr_t>(reserved) + guard) / alignment * alignment;
    void* const mapped =
        ::mmap(reinterpret_cast<void*>(at), bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
               MAP_SHARED | MAP_FIXED, descriptor, static_cast<off_t>(offset));
    REQUIRE(mapped != MAP_FAILED);
    rooms_[mapped] = {reserved, room};
    return {mapped, 0};
  }
  int unmap(void* data, std::size_t bytes) noexcept override {
    const auto found = rooms_.find(data);
    if (found == rooms_.end()) return Faulty::unmap(data, bytes);
    ::munmap(found->second.first, found->second.second);
    rooms_.erase(found);
    return 0;
  }

 private:
  static constexpr std::size_t guard = std::size_t{4} << 30;
  std::map<void*, std::pair<void*, std::size_t>> rooms_;
};

std::uint64_t mutations() {
  const char* const asked = std::getenv("NODEWISE_MUTATIONS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : 20'000;
}

using Word = std::atomic<std::uint64_t>;

// Changes words at random while `read` is called again and again, and puts all of them right now and then.
// `mend` is called after each change.
void mutate(
    std::vector<Word*> words, const std::function<void()>& read, const std::function<void()>& mend = [] {}) {
  constexpr std::uint64_t per_turn = 16;  // changes, between two of which `read` may have been called
  const test::SharedCount turns, changes;
  std::vector<std::uint64_t> sound;
  for (const Word* word : words) sound.push_back(word->load());
  const auto all = static_cast<long>(mutations());
  Child mutator([&] {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // does not go on alone, should a read have ended this process
    std::mt19937_64 random(14);
    const auto unsound = [&](std::uint64_t value) -> std::uint64_t {
      switch (random() % 6) {
        case 0:
          return random();
        case 1:
          return value ^ std::uint64_t{1} << random() % 64;
        case 2:
          return value + random() % 5 - 2;
        case 3:
          return random() % 1024;
        case 4:
          return ~std::uint64_t{0} - random() % 256;
        default:
          return (random() % 64) << random() % 58;
      }
    };
    while (*changes < all) {
      const long seen = *turns;
      for (std::uint64_t i = 0; i < per_turn; ++i, ++*changes) {
        const auto which = random() % words.size();
        words[which]->store(random() % 4 == 0 ? sound[which] : unsound(words[which]->load()));
        mend();
      }
      if (random() % 4 == 0)
        for (std::size_t i = 0; i < words.size(); ++i) words[i]->store(sound[i]);
      mend();
      for (int i = 0; i < 1000 && *turns == seen; ++i) ::usleep(1);
    }
    return true;
  });
  std::uint64_t refused = 0, sounds = 0;
  while (*changes < all) {
    try {
      read();
      ++sounds;
    } catch (const Error&) {
      ++refused;
    }
    ++*turns;
  }
  CHECK(mutator.wait() == 0);
  MESSAGE((*changes).load(), " words changed; ", sounds, " reads, ", refused, " refusals");
  CHECK(sounds > 0);
}

struct Bounds {
  const std::byte* begin = nullptr;
  const std::byte* end = nullptr;
  explicit Bounds(const Pages& pages) : begin(pages.data()), end(begin + pages.size_bytes()) {}
  bool hold(const void* data, std::size_t bytes) const {
    const auto* const at = static_cast<const std::byte*>(data);
    return at >= begin && at <= end && bytes <= static_cast<std::size_t>(end - at);
  }
};

// Every word of [begin, end) but those of mutexes.
std::vector<Word*> words_of(void* begin, void* end,
                            const std::vector<std::pair<void*, std::size_t>>& without = {}) {
  std::vector<Word*> words;
  for (auto* at = static_cast<std::byte*>(begin); at < static_cast<std::byte*>(end); at += sizeof(Word)) {
    bool left_out = false;
    for (const auto& [first, bytes] : without)
      left_out = left_out || (at >= first && at < static_cast<std::byte*>(first) + bytes);
    if (!left_out) words.push_back(reinterpret_cast<Word*>(at));
  }
  return words;
}

// What the tests do with shared memory, on a system whose mappings are guarded.
struct World {
  Guarded guarded{os::real()};
  os::Scoped scoped{guarded};
};

}  // namespace

TEST_CASE("a directory whose words change: no object outside, whether it is found, listed or made") {
  const World world;
  const auto objects = SharedObjects::create("", {.bytes = 1 << 16});
  objects.array<char>("array", 5000);
  objects.value("value", Record::of(1));
  objects.value<int>("number");
  objects.barrier("barrier", 2);
  const Segment segment = Segment::open_descriptor(objects.descriptor(), Access::read_write);
  Pages pages = segment.pages();
  auto& directory = *reinterpret_cast<objects::Directory*>(pages.data());
  const auto mutable_words = words_of(&directory, directory.entries + 6,
                                      {{&directory.control.mutex, sizeof directory.control.mutex}});
  // The object's own memory is that of `objects`: addresses are held against it through a sound one.
  auto* const base = objects.array<char>("array", 5000).data() - directory.entries[0].offset;
  const auto inside = [&](const void* at, std::size_t bytes) {
    const auto offset = static_cast<const char*>(at) - base;
    return offset >= 0 && static_cast<std::size_t>(offset) + bytes <= pages.size_bytes();
  };
  std::uint64_t turn = 0, outside = 0;
  mutate(mutable_words, [&] {
    switch (++turn % 5) {
      case 0: {
        const auto array = objects.array<char>("array", 5000);
        if (!inside(array.data(), array.size())) ++outside;
        static_cast<void>(*const_cast<volatile char*>(array.data() + 4999));
        break;
      }
      case 1:
        static_cast<void>(objects.value<int>("number").load());
        break;
      case 2:
        for (const auto& info : objects.list())
          if (info.bytes > pages.size_bytes()) ++outside;
        break;
      case 3:
        static_cast<void>(objects.bytes_left());
        break;
      default: {
        const auto made = objects.array<char>("made", 1000);
        if (!inside(made.data(), made.size())) ++outside;
        std::memset(made.data(), 1, made.size());
      }
    }
  });
  CHECK(outside == 0);
}

TEST_CASE("values, events and barriers whose words change: nothing outside, and waits end in time") {
  const World world;
  const auto objects = SharedObjects::create("");
  const auto large = objects.value("large", Record::of(1));
  const auto small = objects.value<int>("small");
  const auto event = objects.event("event");
  const auto barrier = objects.barrier("barrier", 3);
  const Segment segment = Segment::open_descriptor(objects.descriptor(), Access::read_write);
  Pages pages = segment.pages();
  const auto& directory = *reinterpret_cast<objects::Directory*>(pages.data());
  auto* const cell = reinterpret_cast<objects::LargeCell*>(pages.data() + directory.entries[0].offset);
  const objects::Entry& last = directory.entries[3];
  const auto mutable_words =
      words_of(cell, pages.data() + last.offset + last.bytes, {{&cell->mutex, sizeof cell->mutex}});
  std::uint64_t turn = 0;
  mutate(mutable_words, [&] {
    Record was = large.load();
    large.store(Record::of(++turn));
    large.compare_exchange(was, Record::of(turn));
    large.update([](const Record& it) { return Record::of(it.words[1] + 1); });
    small.fetch_add(1);
    event.wait_for(1us);
    turn % 2 == 0 ? event.set() : event.clear();
    try {
      barrier.wait_for(1us);
    } catch (const BrokenBarrier&) {
      barrier.reset();
    }
    static_cast<void>(barrier.waiting());
  });
}

TEST_CASE("a ring whose words change: no slot outside, and waits end in time") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const World world;
    auto options = test::batches(4);
    options.producers = options.consumers = ends;
    const auto ring = BatchRing::create("", options);
    const Segment segment = Segment::open_descriptor(ring.descriptor(), Access::read_write);
    Pages pages = segment.pages();
    auto& control = *reinterpret_cast<ring::Control*>(pages.data());
    auto* const cells = reinterpret_cast<ring::Cell*>(pages.data() + (sizeof control + 4095) / 4096 * 4096);
    auto words = words_of(&control, &control.members[2]);
    const auto of_cells = words_of(cells, cells + ring.slots());
    for (int i = 0; i < 20; ++i) words.insert(words.end(), of_cells.begin(), of_cells.end());
    for (int i = 0; i < 40; ++i)
      for (Word* word : {&control.head, &control.tail}) words.push_back(word);
    const Bounds bounds(ring.pages());
    auto producer = ring.producer({.spin = 0s});
    auto consumer = ring.consumer({.spin = 0s});
    std::uint64_t turn = 0, outside = 0, late = 0;
    mutate(words, [&] {
      const auto began = std::chrono::steady_clock::now();
      ++turn;
      if (auto loan = turn % 64 == 0 ? producer.loan_for(1us) : producer.try_loan()) {
        const auto view = loan->view();
        const auto rows = view.as<double>();
        if (!bounds.hold(rows.data(), view.rows() * view.cols() * sizeof(double))) ++outside;
        rows(99, 7) = 1;
        std::move(*loan).publish(100);
      }
      if (const auto lease = turn % 64 == 1 ? consumer.lease_for(1us) : consumer.try_lease()) {
        const auto rows = lease->view().as<const double>();
        if (!bounds.hold(rows.data(), rows.rows() * rows.cols() * sizeof(double))) ++outside;
        if (rows.rows() > 0) static_cast<void>(rows(rows.rows() - 1, 7));
        static_cast<void>(lease->tag());
      }
      if (turn % 16 == 0) ring.recover();
      if (turn % 64 == 2) ring.drain(0s);
      static_cast<void>(ring.counts());
      if (std::chrono::steady_clock::now() - began > 10s) ++late;
    });
    CHECK(outside == 0);
    CHECK(late == 0);
  }
}

TEST_CASE("a segment whose header changes: opened or refused, and no data outside") {
  const World world;
  const auto name = test::unique_name("header");
  const auto made = SharedObjects::create(name, {.bytes = 4096});
  const Segment opened = Segment::open(name, Access::read_write);
  const int file = ::open(opened.path().c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(file >= 0);
  auto* const header = static_cast<RawSegmentHeader*>(
      ::mmap(nullptr, sizeof(RawSegmentHeader), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  REQUIRE(header != MAP_FAILED);
  std::uint64_t turn = 0, outside = 0;
  mutate(
      words_of(header, header + 1),
      [&] {
        if (++turn % 8 == 0) {
          static_cast<void>(test::list_own_segments());
          return;
        }
        const Segment segment = Segment::open(name, turn % 2 == 0 ? Access::read_only : Access::read_write);
        const Pages& pages = segment.pages();
        if (pages.size_bytes() > made.bytes_left() + (1 << 20)) ++outside;
        if (pages.size_bytes() > 0) static_cast<void>(*const_cast<const volatile std::byte*>(pages.data()));
        if (segment.num_batches() > 0) static_cast<void>(segment.get_batch(0));
      },
      [&] {  // most headers have a sum that holds
        RawSegmentHeader raw;
        std::memcpy(&raw, header, sizeof raw);
        if (raw.magic[7] % 4 == 0) return;
        raw.checksum = 0;
        header->checksum = base::crc32({reinterpret_cast<const char*>(&raw), sizeof raw});
      });
  CHECK(outside == 0);
  ::munmap(header, sizeof *header);
  ::close(file);
}
