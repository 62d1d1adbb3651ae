// Producers and consumers of a ring, killed.
#include <algorithm>
#include <memory>

#include <nodewise/batch_ring.hpp>

#include "crash.hpp"
#include "killing.hpp"
#include "os/os.hpp"
#include "ring/layout.hpp"

namespace nodewise::crash {
namespace {

constexpr std::uint64_t most_batches = std::uint64_t{1} << 20;

// What became of each batch, written by whoever did it.
struct Ledger {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> enough{false};
  std::array<std::atomic<std::uint8_t>, most_batches> published{};
  std::array<std::atomic<std::uint8_t>, most_batches> delivered{};
  std::array<std::atomic<std::uint8_t>, most_batches> redelivered{};
};

class Round {
 public:
  Round(Outcome& outcome, std::mt19937& random, RingEnds ends)
      : outcome_(outcome),
        random_(random),
        ends_(ends),
        ring_(BatchRing::create(
            "",
            {.slots = 4, .rows = 16, .cols = 16, .dtype = DType::f64, .producers = ends, .consumers = ends})),
        crew_(works(ends)) {}

  /// `mark`: where to kill; `marks`: anywhere.
  void run(unsigned mark, unsigned kills) {
    crew_.start_all();
    sleep_us(2000);
    const bool of_recovery = is_of_recovery(mark);
    const std::uint64_t before = trap()->killed_at(mark);
    std::uint64_t killed = 0;
    for (auto began = Clock::now(); (mark == marks ? killed : trap()->killed_at(mark) - before) < kills;) {
      if (Clock::now() - began > patience) return outcome_.fault("a mark that nobody passes, or a hang");
      arm(mark);
      killed += await_deaths(of_recovery ? 2 : 1);
      time_recovery();
    }
    outcome_.kills += killed;
    finish();
  }

 private:
  std::vector<Crew::Work> works(RingEnds ends) {
    const Crew::Work produces = [this] { produce(); };
    const Crew::Work consumes = [this] { consume(); };
    if (ends == RingEnds::one) return {produces, consumes};
    return {produces, produces, consumes, consumes};
  }
  // The dead must have had something in their hands, for others to take back. What an only producer or
  // consumer has is not its number's: nobody but who gets that number passes the rest.
  bool is_of_recovery(unsigned mark) const {
    if (ends_ == RingEnds::one) return mark == static_cast<unsigned>(Mark::recovered_slot);
    return mark >= static_cast<unsigned>(Mark::recovering) && mark <= static_cast<unsigned>(Mark::recovered);
  }
  static bool is_of_newcomers(unsigned mark) {
    return mark >= static_cast<unsigned>(Mark::recovering) && mark <= static_cast<unsigned>(Mark::joined);
  }
  void arm(unsigned mark) {
    const Mark holding = random_() % 2 == 0 ? Mark::filling : Mark::reading;
    if (is_of_recovery(mark)) return trap()->arm(static_cast<unsigned>(holding), random_() % 8, mark);
    const bool seldom = mark == marks || is_of_newcomers(mark);
    trap()->arm(mark, seldom ? 0 : random_() % 8);
    if (mark == marks) sleep_us(random_() % 2000);
    if (seldom) crew_.kill_one(random_() % crew_.size());
  }

  void produce() {
    auto producer = ring_.producer();
    while (!ledger_->enough) {
      auto loan = producer.loan_for(std::chrono::milliseconds(100));
      if (!loan) continue;
      const std::uint64_t batch = ledger_->next.fetch_add(1);
      if (batch >= most_batches) return;
      if (batch % 17 == 3) continue;  // changes its mind
      const auto view = loan->view();
      for (double& element : view.as<double>().row(batch % 16)) element = static_cast<double>(batch);
      std::move(*loan).publish(16, {batch, 0});
      ledger_->published[batch] = 1;
    }
  }

  void consume() {
    auto consumer = ring_.consumer();
    while (auto lease = consumer.lease()) {
      const std::uint64_t batch = lease->tag().batch;
      if (batch >= most_batches) throw std::runtime_error("a batch that there never was");
      const auto rows = lease->view().as<double>();
      if (rows(batch % 16, 7) != static_cast<double>(batch)) throw std::runtime_error("another batch's rows");
      ++ledger_->delivered[batch];
      if (lease->redelivered()) ++ledger_->redelivered[batch];
    }
  }

  unsigned await_deaths(unsigned wanted) {
    const auto until = Clock::now() + std::chrono::milliseconds(wanted > 1 ? 30 : 200);
    unsigned killed = 0;
    while (killed < wanted && Clock::now() < until) {
      const unsigned now = crew_.reap();
      if (now > 0) died_ = Clock::now();
      killed += now;
      std::this_thread::yield();
    }
    return killed;
  }

  // Whether a slot is in a dead member's hands. The supervisor only looks: others are to mend it.
  bool dead_hold_a_slot() const {
    const auto* data = ring_.pages().data();
    const auto& control = *reinterpret_cast<const ring::Control*>(data);
    const auto* cells =
        reinterpret_cast<const ring::Cell*>(data + (sizeof(ring::Control) + 4095) / 4096 * 4096);
    for (std::uint64_t i = 0; i < ring_.slots(); ++i) {
      const auto slot = ring::Slot::of(cells[i].word.load());
      const auto ticket = slot.lap * ring_.slots() + i;
      const bool owned = slot.state == ring::State::writing || slot.state == ring::State::leased;
      if (owned && !is_locked(ring::member_byte(slot.owner))) return true;
      if (ends_ == RingEnds::many) continue;
      const bool on_loan = slot.state == ring::State::free && ticket < control.tail;
      const bool on_lease = slot.state == ring::State::ready && ticket < control.head;
      if (on_loan && !is_locked(ring::only_producer_byte)) return true;
      if (on_lease && !is_locked(ring::only_consumer_byte)) return true;
    }
    return false;
  }
  bool is_locked(std::uint64_t byte) const {
    return os::current().is_byte_locked(ring_.descriptor(), byte).value;
  }

  // Survivors alone have to do it: the dead are replaced later.
  void time_recovery() {
    if (dead_hold_a_slot()) {
      while (dead_hold_a_slot()) {
        if (Clock::now() - died_ > patience) return outcome_.fault("what the dead held was never taken back");
        sleep_us(20);
        crew_.reap();
        if (crew_.all_ended()) break;
      }
      outcome_.recovery_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - died_).count());
    }
    crew_.restart();
  }

  // Nobody dies any more: everything that was published is delivered, and everybody comes to an end.
  void finish() {
    trap()->arm(marks, 0);
    ledger_->enough = true;
    ring_.close();
    crew_.await_end(outcome_, [&] { crew_.restart(); });  // the trap may have sprung just before
    if (!ring_.drain(std::chrono::seconds(1))) outcome_.fault("a slot was lost");
    check_locks();
    std::uint64_t lost = 0, twice = 0, again = 0;
    for (std::uint64_t batch = 0; batch < std::min<std::uint64_t>(ledger_->next, most_batches); ++batch) {
      lost += ledger_->published[batch] != 0 && ledger_->delivered[batch] == 0 ? 1 : 0;
      twice += ledger_->delivered[batch] > 1 + ledger_->redelivered[batch] ? 1 : 0;
      again += ledger_->redelivered[batch];
    }
    if (lost > 0) outcome_.fault("a published batch was lost");
    if (twice > 0) outcome_.fault("a batch was delivered twice, and not marked");
    if (again > crew_.killed) outcome_.fault("more batches were redelivered than consumers died");
    outcome_.batches += ledger_->next;
    outcome_.redelivered += again;
  }

  // All members have gone; children that they forked live.
  void check_locks() const {
    constexpr auto end = ring::member_byte(ring::most_members);
    const auto until = Clock::now() + patience;  // a child that was just forked may not have run yet
    for (std::uint64_t byte = 0; byte < end; ++byte)
      while (is_locked(byte))
        if (Clock::now() > until) return outcome_.fault("a lock outlived its owner");
  }

  Outcome& outcome_;
  std::mt19937& random_;
  RingEnds ends_;
  Shared<Ledger> ledger_;
  BatchRing ring_;
  Crew crew_;
  Clock::time_point died_;
};

// Whoever closes a ring dies over it: those who wait are told all the same.
void kill_closers(Outcome& outcome, unsigned kills) {
  for (unsigned i = 0; i < kills; ++i) {
    const auto ring = BatchRing::create("", {.slots = 2});
    Crew crew({[&] {
                 auto consumer = ring.consumer();
                 while (consumer.lease()) continue;
               },
               [&] {
                 sleep_us(500);
                 ring.close();
               }});
    trap()->arm(static_cast<unsigned>(Mark::closing), 0);
    crew.start_all();
    const auto until = Clock::now() + patience;
    while (!crew.all_ended() && Clock::now() < until) {
      outcome.kills += crew.reap();
      sleep_us(100);
    }
    if (!crew.all_ended()) outcome.fault("a consumer never heard that its ring was closed");
  }
}

}  // namespace

void crash_rings(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                 std::mt19937& random) {
  constexpr unsigned in_a_round = 50;
  for (const RingEnds ends : {RingEnds::many, RingEnds::one}) {
    const auto kill = [&](unsigned mark, unsigned kills) {
      for (unsigned done = 0; done < kills; done += in_a_round)
        std::make_unique<Round>(outcome, random, ends)->run(mark, std::min(in_a_round, kills - done));
    };
    for (unsigned mark = 0; mark < static_cast<unsigned>(Mark::closing); ++mark)
      kill(mark, kills_at_each_mark);
    kill(marks, kills_anywhere / 2);
  }
  kill_closers(outcome, kills_at_each_mark);
}

}  // namespace nodewise::crash
