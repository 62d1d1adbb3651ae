// Processes that make, load, open and give up segments, killed.
#include <algorithm>
#include <filesystem>
#include <string>

#include <nodewise/load.hpp>
#include <nodewise/segment.hpp>

#include "crash.hpp"
#include "killing.hpp"
#include "support/own_names.hpp"

namespace nodewise::crash {
namespace {

struct Progress {
  std::atomic<std::uint64_t> opened{0};
  std::atomic<bool> enough{false};
};

// Everybody wants the same file in the same segment, has it for a moment, and gives it up.
class Round {
 public:
  Round(Outcome& outcome, std::mt19937& random, const std::string& file)
      : outcome_(outcome),
        random_(random),
        file_(file),
        name_(test::unique_name("crash")),
        crew_(std::vector<Crew::Work>(4, [this] { use(); })) {
    options_.loader.topology = Topology::this_machine();
    options_.loader.team.workers = 1;
  }

  void run(unsigned mark, unsigned kills) {
    crew_.start_all();
    const std::uint64_t before = trap()->killed_at(mark);
    std::uint64_t killed = 0;
    for (auto began = Clock::now(); (mark == marks ? killed : trap()->killed_at(mark) - before) < kills;) {
      if (Clock::now() - began > std::chrono::seconds(60))
        return outcome_.fault("a mark that nobody passes, or a hang");
      // Only what a dead maker left is replaced: so one dies over it before.
      if (mark == static_cast<unsigned>(Mark::replacing))
        trap()->arm(static_cast<unsigned>(Mark::file_filled), random_() % 4, mark);
      else
        trap()->arm(mark, mark == marks ? 0 : random_() % 4);
      if (mark == marks) {
        sleep_us(random_() % 3000);
        crew_.kill_one(random_() % crew_.size());
      }
      killed += crew_.await_death();
      died_ = Clock::now();
      time_progress();
    }
    outcome_.kills += killed;
    finish();
  }

 private:
  void use() {
    while (!progress_->enough) {
      const auto loader = open_or_create(open_source(file_), name_, 100, options_);
      const auto first = loader.get_batch(0).as<std::uint8_t>();
      const auto last = loader.get_batch(loader.num_batches() - 1).as<std::uint8_t>();
      if (first(0, 2) != 5 || last.rows() != 97) throw std::runtime_error("not the file's data");
      ++progress_->opened;
    }
  }

  // Survivors get on: one of them opens the segment, or makes it anew.
  void time_progress() {
    const std::uint64_t before = progress_->opened;
    crew_.restart();
    while (progress_->opened == before) {
      if (Clock::now() - died_ > patience) return outcome_.fault("nobody gets the segment any more");
      sleep_us(50);
      crew_.reap();
      if (crew_.all_ended()) crew_.restart();
    }
  }

  void finish() {
    trap()->arm(marks, 0);
    progress_->enough = true;
    crew_.await_end(outcome_, [] {});
    check_names(outcome_, name_);
    outcome_.batches += progress_->opened;
  }

  Outcome& outcome_;
  std::mt19937& random_;
  std::string file_;
  std::string name_;
  SharedLoadOptions options_;
  Shared<Progress> progress_;
  Crew crew_;
  Clock::time_point died_;
};

}  // namespace

void check_names(Outcome& outcome, const std::string& name) {
  const auto is_left = [&] {
    collect_segments({.prefix = name});
    return !list_segments(name).empty();
  };
  const auto until = Clock::now() + patience;  // a child that was just forked may not have run yet
  while (is_left())
    if (Clock::now() > until) return outcome.fault("a name was left that is not collected");
}

void crash_segments(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                    std::mt19937& random) {
  const std::string file = NODEWISE_TEST_DATA "/digits.npy";
  for (unsigned mark = static_cast<unsigned>(Mark::file_made); mark <= static_cast<unsigned>(Mark::removing);
       ++mark)
    Round(outcome, random, file).run(mark, kills_at_each_mark);
  Round(outcome, random, file).run(marks, kills_anywhere);
}

}  // namespace nodewise::crash
