// Goal: values of every type that can be shared keep what was stored, and change as their type says; and
// waits of every duration end neither at once nor never. Method: a table of types and a table of durations,
// each with its extremes. Bytes without a meaning are dirtied, as a program's stack is.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <ratio>
#include <thread>
#include <tuple>

#include <nodewise/batch_ring.hpp>
#include <nodewise/shared_objects.hpp>

#include "ring/rings.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::tags;

namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;
enum class Colour : std::uint16_t { red = 7, blue = 60000 };
struct Pair {
  std::int32_t a, b;
  friend bool operator==(const Pair&, const Pair&) = default;
};
struct Triple {
  std::int64_t a, b, c;
  friend bool operator==(const Triple&, const Triple&) = default;
};

// A number whose bytes without a meaning, if it has any, are what `dirt` says.
template <class T>
T dirtied(const T& value, int dirt) {
  alignas(T) unsigned char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  if constexpr (std::is_same_v<T, long double> && std::numeric_limits<long double>::digits == 64)
    std::memset(bytes + 10, dirt, sizeof(T) - 10);
  T copy;
  std::memcpy(&copy, bytes, sizeof(T));
  return copy;
}

// Three values that differ, the last two at the ends of what T holds.
template <class T>
std::array<T, 3> examples() {
  if constexpr (std::is_same_v<T, Colour>)
    return {Colour{}, Colour::red, Colour::blue};
  else if constexpr (std::is_same_v<T, Pair>)
    return {Pair{0, 1}, Pair{-1, 0}, Pair{0x7fffffff, -1}};
  else if constexpr (std::is_same_v<T, Triple>)
    return {Triple{0, 0, 1}, Triple{1, 0, 0}, Triple{-1, -1, -1}};
  else if constexpr (std::is_same_v<T, Int128>)
    return {T{5}, static_cast<T>(~Uint128{0} >> 1), static_cast<T>(~(~Uint128{0} >> 1))};
  else if constexpr (std::is_same_v<T, Uint128>)
    return {T{5}, T{1} << 100, ~T{0}};
  else if constexpr (std::is_same_v<T, std::byte>)
    return {T{5}, T{0}, T{255}};
  else
    return {static_cast<T>(5), std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max()};
}

}  // namespace

TEST_CASE_TEMPLATE("a value of any type: stored, exchanged, compared and exchanged", T, char, signed char,
                   unsigned char, char8_t, char16_t, char32_t, wchar_t, short, unsigned short, int, unsigned,
                   long, unsigned long, long long, unsigned long long, Int128, Uint128, float, double,
                   long double, std::byte, Colour, Pair, Triple) {
  static_assert(SharedComparable<T>);
  const auto objects = SharedObjects::create("");
  const auto all = examples<T>();
  const auto value = objects.value<T>("value", dirtied(all[0], 0x11));
  CHECK((value.load() == all[0]));
  for (const T& next : all) {
    value.store(dirtied(all[1], 0x22));
    T expected = dirtied(all[2], 0x33);
    CHECK_FALSE(value.compare_exchange(expected, all[0]));
    CHECK((expected == all[1]));
    expected = dirtied(all[1], 0x44);
    CHECK(value.compare_exchange(expected, dirtied(next, 0x55)));
    CHECK((value.exchange(dirtied(all[0], 0x66)) == next));
    CHECK((value.update([&](const T& was) { return was == all[0] ? next : all[0]; }) == next));
    CHECK((value.load() == next));
  }
}

TEST_CASE_TEMPLATE("integers of any width wrap around, and no bit of them is lost", T, char, signed char,
                   unsigned char, char8_t, char16_t, char32_t, wchar_t, short, unsigned short, int, unsigned,
                   long, unsigned long, long long, unsigned long long, Int128, Uint128) {
  static_assert(SharedInteger<T>);
  const auto objects = SharedObjects::create("");
  const auto value = objects.value<T>("value");
  const auto all = examples<T>();
  const auto plus = [](T a, T b) {
    return static_cast<T>(static_cast<Uint128>(a) + static_cast<Uint128>(b));
  };
  for (const T& was : all)
    for (const T& other : all) {
      const auto changes = [&](const auto& call, T expected) {
        value.store(was);
        CHECK((call() == was));
        CHECK((value.load() == expected));
      };
      changes([&] { return value.fetch_add(other); }, plus(was, other));
      changes([&] { return value.fetch_sub(other); },
              static_cast<T>(static_cast<Uint128>(was) - static_cast<Uint128>(other)));
      changes([&] { return value.fetch_and(other); }, static_cast<T>(was & other));
      changes([&] { return value.fetch_or(other); }, static_cast<T>(was | other));
      changes([&] { return value.fetch_xor(other); }, static_cast<T>(was ^ other));
    }
}

TEST_CASE("types that differ have names that differ, and each name is that of the type alone") {
  static_assert(!SharedInteger<bool> && !SharedInteger<double> && !SharedInteger<Pair>);
  const auto objects = SharedObjects::create("");
  objects.value<long double>("long double");
  objects.value<Int128>("i128");
  objects.value<Uint128>("u128");
  objects.value<bool>("bool");
  for (const auto& info : objects.list()) CHECK(info.name == info.type);
#ifdef __SIZEOF_FLOAT128__
  CHECK_THROWS_AS(objects.value<__float128>("long double"), InvalidArgument);
#endif
}

namespace {

// For ever, as users say it.
const auto longest = std::make_tuple(
    std::chrono::nanoseconds::max(), std::chrono::microseconds::max(), std::chrono::milliseconds::max(),
    std::chrono::seconds::max(), std::chrono::minutes::max(), std::chrono::hours::max(),
    std::chrono::days::max(), std::chrono::weeks::max(), std::chrono::months::max(),
    std::chrono::years::max(), std::chrono::duration<int, std::ratio<86400>>::max(),
    std::chrono::duration<unsigned long, std::ratio<1, 3>>::max(),
    std::chrono::duration<std::int64_t, std::exa>::max(), std::chrono::duration<double>::max(),
    std::chrono::duration<double>(std::numeric_limits<double>::infinity()),
    std::chrono::duration<float, std::ratio<3600>>::max(),
    std::chrono::duration<std::int64_t, std::ratio<1, 60>>(std::int64_t{190'000'000'000}));

const auto shortest = std::make_tuple(
    std::chrono::nanoseconds::min(), std::chrono::hours::min(), std::chrono::days::min(),
    std::chrono::years::min(), std::chrono::duration<double>::min(),
    std::chrono::duration<double>(-std::numeric_limits<double>::infinity()),
    std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()), std::chrono::seconds::zero());

template <class Tuple, class Call>
void each(const Tuple& tuple, Call call) {
  std::apply([&](const auto&... one) { (call(one), ...); }, tuple);
}

}  // namespace

TEST_CASE("the longest of any duration is no wait that ends at once") {
  const auto objects = SharedObjects::create("");
  const auto mutex = objects.mutex("mutex");
  const auto event = objects.event("event");
  const auto barrier = objects.barrier("barrier", 2);
  const auto ring = BatchRing::create("", tags(1));
  auto consumer = ring.consumer();
  each(longest, [&](const auto& time) {
    mutex.lock();
    event.clear();
    std::thread lets([&, until = std::chrono::steady_clock::now() + 5ms] {
      while (barrier.waiting() == 0) std::this_thread::yield();
      std::this_thread::sleep_until(until);
      barrier.wait_for(time);
      std::this_thread::sleep_for(3ms);
      event.set();
      std::this_thread::sleep_for(3ms);
      auto producer = ring.producer();
      auto loan = producer.loan_for(time);
      std::move(*loan).publish(0);
    });
    bool got = true;
    std::thread waits([&] {
      got = mutex.try_lock_for(time);
      if (got) mutex.unlock();
    });
    CHECK_NOTHROW(barrier.wait_for(time));
    CHECK(event.wait_for(time));
    CHECK(consumer.lease_for(time).has_value());
    mutex.unlock();
    waits.join();
    lets.join();
    CHECK(got);
  });
  ring.close();
  each(longest, [&](const auto& time) { CHECK(ring.drain(time)); });
}

TEST_CASE("the shortest of any duration, and what is no number, is no wait that never ends") {
  const auto objects = SharedObjects::create("");
  const auto mutex = objects.mutex("mutex");
  const auto event = objects.event("event");
  const auto ring = BatchRing::create("", tags(1));
  auto consumer = ring.consumer();
  mutex.lock();
  std::thread other([&] {
    each(shortest, [&](const auto& time) {
      CHECK_FALSE(mutex.try_lock_for(time));
      CHECK_FALSE(event.wait_for(time));
      CHECK_THROWS_AS(objects.barrier("barrier", 2).wait_for(time), BrokenBarrier);
      CHECK_FALSE(consumer.lease_for(time).has_value());
      CHECK_FALSE(ring.drain(time));
    });
    using Steady = std::chrono::steady_clock;
    using System = std::chrono::system_clock;
    CHECK_FALSE(mutex.try_lock_until(Steady::time_point::min()));
    CHECK_FALSE(mutex.try_lock_until(System::time_point::min()));
    CHECK_FALSE(mutex.try_lock_until(std::chrono::sys_days::min()));
    CHECK_FALSE(mutex.try_lock_until(System::now() + 2ms));
  });
  other.join();
  mutex.unlock();
  CHECK(mutex.try_lock_until(std::chrono::sys_days::max()));
  mutex.unlock();
}

TEST_CASE("the last moment of any clock is no wait that ends at once") {
  const auto objects = SharedObjects::create("");
  const auto mutex = objects.mutex("mutex");
  const auto ends = std::make_tuple(std::chrono::steady_clock::time_point::max(),
                                    std::chrono::system_clock::time_point::max(),
                                    std::chrono::sys_days::max(), std::chrono::sys_seconds::max());
  each(ends, [&](const auto& until) {
    mutex.lock();
    bool got = false;
    std::thread waits([&] {
      got = mutex.try_lock_until(until);
      if (got) mutex.unlock();
    });
    std::this_thread::sleep_for(5ms);
    mutex.unlock();
    waits.join();
    CHECK(got);
  });
}

TEST_CASE("a kept segment stays where its age is to be the longest of any duration") {
  const auto name = test::unique_name("age");
  { SharedObjects::create(name, {.keep = true}); }
  each(longest, [&](const auto& time) {
    const auto found = test::collect_own_segments({.dry_run = true, .older_than = time});
    CHECK(std::none_of(found.begin(), found.end(), [&](const auto& info) { return info.name == name; }));
  });
  SharedObjects::open(name).remove();
}
