// Processes that share values, mutexes, events and barriers, and make objects, killed.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>

#include <nodewise/error.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/shared_objects.hpp>

#include "crash.hpp"
#include "killing.hpp"
#include "support/own_names.hpp"

namespace nodewise::crash {
namespace {

struct Counts {
  std::atomic<std::uint64_t> changed{0};     // turns of those who change things
  std::atomic<std::uint64_t> generation{0};  // of segments that are filled with objects
  std::atomic<std::uint64_t> made{0};
  std::atomic<bool> enough{false};
};

struct Record {
  std::array<std::uint64_t, 64> words;
  bool is_whole() const { return std::count(words.begin(), words.end(), words[0]) == 64; }
};

// Two change what two, and one who waits, see; two fill segments with objects.
class Round {
 public:
  Round(Outcome& outcome, std::mt19937& random)
      : outcome_(outcome),
        random_(random),
        name_(test::unique_name("crash") + '.'),
        record_(objects_.value<Record>("record")),
        crew_({[this] { change(); }, [this] { change(); }, [this] { wait(); }, [this] { make(); },
               [this] { make(); }}) {}

  void run(unsigned mark, unsigned kills) {
    crew_.start_all();
    const std::uint64_t before = trap()->killed_at(mark);
    std::uint64_t killed = 0;
    for (auto began = Clock::now(); (mark == marks ? killed : trap()->killed_at(mark) - before) < kills;) {
      if (Clock::now() - began > patience) return outcome_.fault("a mark that nobody passes, or a hang");
      const std::uint64_t seen = trap()->killed_at(mark);
      arm(mark);
      killed += crew_.await_death();
      await_progress();
      if (mark == marks || trap()->killed_at(mark) > seen) began = Clock::now();
    }
    finish();
    outcome_.kills += crew_.killed;
  }

 private:
  void arm(unsigned mark) {
    if (mark == marks) {
      sleep_us(random_() % 3000);
      return crew_.kill_one(random_() % crew_.size());
    }
    // Only what a dead owner left is suspect: so one dies over it before.
    const bool is_second = mark == static_cast<unsigned>(Mark::mutex_suspect) ||
                           mark == static_cast<unsigned>(Mark::mutex_repaired);
    if (is_second) return trap()->arm(static_cast<unsigned>(Mark::mutex_held), random_() % 8, mark);
    trap()->arm(mark, random_() % 8);
  }

  void change() {
    const auto pair = objects_.array<std::uint64_t>("pair", 2);
    const auto event = objects_.event("event");
    const auto barrier = objects_.barrier("barrier", 2);
    auto mutex = objects_.mutex("mutex");
    mutex.when_owner_died([&] { pair[1] = pair[0]; });
    while (!counts_->enough) {
      {
        const std::scoped_lock lock(mutex);
        if (pair[0] != pair[1]) throw std::runtime_error("what the mutex guards is half changed");
        ++pair[0];
        base::pass(Mark::mutex_held);
        ++pair[1];
      }
      record_.update([](Record record) {
        if (!record.is_whole()) throw std::runtime_error("half a record");
        for (auto& word : record.words) ++word;
        return record;
      });
      event.set();
      event.clear();
      ++counts_->changed;
      meet(barrier);
    }
  }

  // At the end one may wait for another who has gone.
  void meet(const SharedBarrier& barrier) const {
    try {
      barrier.wait_for(patience);
    } catch (const BrokenBarrier&) {
      if (!counts_->enough) throw;
    }
  }

  void wait() {
    const auto event = objects_.event("event");
    while (!counts_->enough)
      if (!event.wait_for(patience)) throw std::runtime_error("who waits is never called");
  }

  // Both ask for the same objects: whoever is first makes one.
  void make() {
    constexpr std::uint64_t count = 100;
    while (!counts_->enough) {
      std::uint64_t generation = counts_->generation;
      const auto objects = SharedObjects::open_or_create(name_ + std::to_string(generation));
      for (std::uint64_t i = 0; i < count && !counts_->enough; ++i, ++counts_->made) {
        const auto text = std::to_string(i);
        if (objects.value<std::uint64_t>("value " + text, i).load() != i)
          throw std::runtime_error("another value than it was made with");
        auto mutex = objects.mutex("mutex " + text);
        mutex.when_owner_died([] {});
        const std::scoped_lock lock(mutex);
      }
      counts_->generation.compare_exchange_strong(generation, generation + 1);
    }
  }

  void await_progress() {
    const std::uint64_t changed = counts_->changed, made = counts_->made;
    const auto until = Clock::now() + patience;
    while (counts_->changed == changed || counts_->made == made) {
      if (Clock::now() > until) return outcome_.fault("nobody gets on");
      sleep_us(50);
      crew_.reap();
      crew_.restart();
    }
  }

  void finish() {
    trap()->arm(marks, 0);
    counts_->enough = true;
    objects_.barrier("barrier", 2).give_up();
    // Set again and again, as somebody may clear it before the waiter looks.
    crew_.await_end(outcome_, [event = objects_.event("event")] { event.set(); });
    const Record record = record_.load();
    const std::uint64_t changed = counts_->changed;
    if (!record.is_whole()) outcome_.fault("half a record");
    if (record.words[0] < changed || record.words[0] > changed + crew_.killed)
      outcome_.fault("changes of a value were lost, or made twice");
    check_names(outcome_, name_);
    outcome_.batches += changed;
  }

  Outcome& outcome_;
  std::mt19937& random_;
  std::string name_;
  SharedObjects objects_ = SharedObjects::create("");
  SharedValue<Record> record_;
  Shared<Counts> counts_;
  Crew crew_;
};

}  // namespace

void crash_objects(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                   std::mt19937& random) {
  for (unsigned mark = static_cast<unsigned>(Mark::object_made); mark < marks; ++mark)
    Round(outcome, random).run(mark, kills_at_each_mark);
  Round(outcome, random).run(marks, kills_anywhere);
}

}  // namespace nodewise::crash
