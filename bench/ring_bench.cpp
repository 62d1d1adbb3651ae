// What passes between two processes.
//
//   ring/ends:E          so many descriptors, one process publishing, the other reading; a ring made for one
//                        producer and one consumer, or for many of them; who waits sleeps after a while, or
//                        never
//   round_trip/spinning  a descriptor there and one back, both waiting without ever sleeping
//   round_trip/sleeping  the same, both going to sleep at once: but nodewise looks 64 times before
//   handover/mib:32      batches filled by one process and summed by the other
#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#ifdef NODEWISE_BENCH_BOOST
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#endif
#include <fmt/format.h>

#include <nodewise/batch_ring.hpp>

#include "support/bounds.hpp"
#include "support/partner.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::BatchRing;
using nodewise::RingEnds;
using nodewise::RingWaiting;

constexpr std::uint64_t slots = 1024;
constexpr RingWaiting spinning{.spin = std::chrono::hours(1)};
constexpr RingWaiting sleeping{.spin = std::chrono::nanoseconds(0)};

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void require(bool sound) {
  if (!sound) throw std::runtime_error("ring_bench: something else arrived than was sent");
}

/// Two processes, and what each of them does in a piece of work.
struct Pair {
  std::shared_ptr<void> kept;
  std::unique_ptr<Partner> partner;
  std::function<void()> part;
  Work work() && {
    auto pair = std::make_shared<Pair>(std::move(*this));
    return [pair] { pair->partner->with(pair->part); };
  }
};

const std::uint64_t items = 2000 * large_mib();
const std::uint64_t sum_of_items = items * (items - 1) / 2;

Work ring_of(RingEnds ends, const RingWaiting& waiting) {
  const auto ring = BatchRing::create("", {.slots = slots, .producers = ends, .consumers = ends});
  Pair pair;
  pair.partner = std::make_unique<Partner>([ring, waiting] {
    const auto consumer = std::make_shared<nodewise::RingConsumer>(ring.consumer(waiting));
    return [consumer] {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < items; ++i) sum += consumer->lease()->tag().batch;
      require(sum == sum_of_items);
    };
  });
  pair.part = [producer = std::make_shared<nodewise::RingProducer>(ring.producer(waiting))] {
    for (std::uint64_t i = 0; i < items; ++i) std::move(*producer->loan()).publish(0, {.batch = i});
  };
  return std::move(pair).work();
}

#ifdef NODEWISE_BENCH_BOOST
struct Item {
  std::uint64_t rows = 0;
  nodewise::BatchTag tag;
};

Work spsc_queue() {
  using Queue = boost::lockfree::spsc_queue<Item, boost::lockfree::capacity<slots>>;
  Queue* const queue = shared<Queue>();
  Pair pair;
  pair.kept = std::shared_ptr<void>(queue, [](void* at) { ::munmap(at, sizeof(Queue)); });
  pair.partner = std::make_unique<Partner>([queue] {
    return [queue] {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < items; ++i) {
        Item item;
        while (!queue->pop(item)) pause_briefly();
        sum += item.tag.batch;
      }
      require(sum == sum_of_items);
    };
  });
  pair.part = [queue] {
    for (std::uint64_t i = 0; i < items; ++i)
      while (!queue->push(Item{.tag = {.batch = i}})) pause_briefly();
  };
  return std::move(pair).work();
}

Work message_queue() {
  using boost::interprocess::message_queue;
  const std::string name = fmt::format("nodewise.bench.{}", ::getpid());
  message_queue::remove(name.c_str());
  const auto queue =
      std::make_shared<message_queue>(boost::interprocess::create_only, name.c_str(), slots, sizeof(Item));
  message_queue::remove(name.c_str());
  Pair pair;
  pair.partner = std::make_unique<Partner>([queue] {
    return [queue] {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < items; ++i) {
        Item item;
        std::size_t bytes = 0;
        unsigned priority = 0;
        queue->receive(&item, sizeof item, bytes, priority);
        sum += item.tag.batch;
      }
      require(sum == sum_of_items);
    };
  });
  pair.part = [queue] {
    for (std::uint64_t i = 0; i < items; ++i) {
      const Item item{.tag = {.batch = i}};
      queue->send(&item, sizeof item, 0);
    }
  };
  return std::move(pair).work();
}
#endif

/// There and back, over two rings.
Work ring_round_trips(RingEnds ends, std::uint64_t trips, const RingWaiting& waiting) {
  const auto make = [ends] {
    return BatchRing::create("", {.slots = 8, .producers = ends, .consumers = ends});
  };
  const BatchRing there = make(), back = make();
  struct Hands {
    nodewise::RingProducer producer;
    nodewise::RingConsumer consumer;
  };
  Pair pair;
  pair.partner = std::make_unique<Partner>([=] {
    const auto hands = std::make_shared<Hands>(Hands{back.producer(waiting), there.consumer(waiting)});
    return [=] {
      for (std::uint64_t i = 0; i < trips; ++i) {
        const std::uint64_t batch = hands->consumer.lease()->tag().batch;
        std::move(*hands->producer.loan()).publish(0, {.batch = batch});
      }
    };
  });
  const auto hands = std::make_shared<Hands>(Hands{there.producer(waiting), back.consumer(waiting)});
  pair.part = [=] {
    for (std::uint64_t i = 0; i < trips; ++i) {
      std::move(*hands->producer.loan()).publish(0, {.batch = i});
      require(hands->consumer.lease()->tag().batch == i);
    }
  };
  return std::move(pair).work();
}

/// Two words, each with its cache lines.
struct Words {
  alignas(128) std::atomic<std::uint32_t> there{0};
  alignas(128) std::atomic<std::uint32_t> back{0};
};

/// What cannot be done without: a word that is written on one side, and seen on the other.
template <class Tell, class Await>
Work bare_round_trips(std::uint64_t trips, Tell tell, Await await) {
  Words* const words = shared<Words>();
  Pair pair;
  pair.kept = std::shared_ptr<void>(words, [](void* at) { ::munmap(at, sizeof(Words)); });
  pair.partner = std::make_unique<Partner>([=] {
    return [=] {
      for (std::uint64_t i = 0; i < trips; ++i) {
        await(words->there, words->back.load(std::memory_order_relaxed));
        tell(words->back);
      }
    };
  });
  pair.part = [=] {
    for (std::uint64_t i = 0; i < trips; ++i) {
      const std::uint32_t before = words->back.load(std::memory_order_relaxed);
      tell(words->there);
      await(words->back, before);
    }
  };
  return std::move(pair).work();
}

Work atomic_round_trips(std::uint64_t trips) {
  const auto tell = [](std::atomic<std::uint32_t>& word) {
    word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  };
  const auto await = [](const std::atomic<std::uint32_t>& word, std::uint32_t before) {
    while (word.load(std::memory_order_acquire) == before) pause_briefly();
  };
  return bare_round_trips(trips, tell, await);
}

Work futex_round_trips(std::uint64_t trips) {
  const auto tell = [](std::atomic<std::uint32_t>& word) {
    word.fetch_add(1);
    ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  };
  const auto await = [](const std::atomic<std::uint32_t>& word, std::uint32_t before) {
    while (word.load() == before) ::syscall(SYS_futex, &word, FUTEX_WAIT, before, nullptr, nullptr, 0);
  };
  return bare_round_trips(trips, tell, await);
}

/// So much is handed over `times` times, of f64, in slots that hold a batch each.
Work handover(std::size_t mib, std::uint64_t times) {
  const std::uint64_t cols = 1024, rows = mib * 128;
  const auto ring = BatchRing::create("", {.slots = 4,
                                           .rows = rows,
                                           .cols = cols,
                                           .dtype = nodewise::DType::f64,
                                           .producers = RingEnds::one,
                                           .consumers = RingEnds::one});
  Pair pair;
  pair.partner = std::make_unique<Partner>([=] {
    const auto consumer = std::make_shared<nodewise::RingConsumer>(ring.consumer());
    return [=] {
      for (std::uint64_t i = 0; i < times; ++i) {
        const auto lease = consumer->lease();
        const auto batch = lease->view().as<const double>();
        require(sum_lanes(batch.data(), batch.size()) == static_cast<double>(i * rows * cols));
      }
    };
  });
  pair.part = [=, producer = std::make_shared<nodewise::RingProducer>(ring.producer())] {
    for (std::uint64_t i = 0; i < times; ++i) {
      auto loan = producer->loan();
      const auto batch = loan->view().as<double>();
      std::fill_n(batch.data(), batch.size(), static_cast<double>(i));
      std::move(*loan).publish(rows, {.batch = i});
    }
  };
  return std::move(pair).work();
}

void add_cases() {
  for (const RingEnds ends : {RingEnds::one, RingEnds::many}) {
    const std::string name = fmt::format("ring/ends:{}", ends == RingEnds::one ? "one" : "many");
    add(name, "nodewise", [ends] { return ring_of(ends, {}); });
#ifdef NODEWISE_BENCH_BOOST
    add(name, "message_queue", message_queue);
    if (ends == RingEnds::one) add(name, "spsc_queue", spsc_queue);
#endif
    if (usable_cpus().size() > 1) add(name, "spinning", [ends] { return ring_of(ends, spinning); });
  }
  const std::uint64_t spun = 200 * large_mib(), slept = 8 * large_mib();
  if (usable_cpus().size() > 1) {  // on one CPU, who spins keeps the other from going on
    add("round_trip/spinning", "nodewise", [=] { return ring_round_trips(RingEnds::one, spun, spinning); });
    add("round_trip/spinning", "nodewise_many",
        [=] { return ring_round_trips(RingEnds::many, spun, spinning); });
    add("round_trip/spinning", "atomic", [=] { return atomic_round_trips(spun); });
  }
  add("round_trip/sleeping", "nodewise", [=] { return ring_round_trips(RingEnds::one, slept, sleeping); });
  add("round_trip/sleeping", "futex", [=] { return futex_round_trips(slept); });
  const std::size_t mib = std::min<std::size_t>(32, large_mib());
  add(fmt::format("handover/mib:{}", mib), "nodewise", [=] { return handover(mib, 16); });
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
