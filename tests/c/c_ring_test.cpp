// Goal: C passes batches through rings, also after a consumer was killed, and misuse is an error.
// Method: forked children produce and consume; handles of loans and leases are freed in every order.
#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <cerrno>
#include <cmath>
#include <string>

#include "c/handles.hpp"
#include "owned.hpp"
#include "support/process.hpp"
#include "wrong.hpp"

using namespace nodewise::test;

namespace {

nw_ring made(const std::string& name, nw_ring_ends ends = NW_RING_MANY) {
  nw_ring_options options{};
  options.size = sizeof options;
  options.slots = 4;
  options.rows = 4;
  options.cols = 3;
  options.dtype = NW_I32;
  options.producers = options.consumers = ends;
  nw_ring ring = nullptr;
  REQUIRE(nw_ring_create(name.c_str(), &options, &ring) == NW_OK);
  return ring;
}

// Borrows a slot, fills its first row, and publishes `rows` rows.
bool publish(nw_ring_producer producer, std::int32_t number, std::uint64_t rows) {
  nw_ring_loan loan = nullptr;
  nw_view view{};
  if (nw_ring_borrow(producer, 60, &loan) != NW_OK || loan == nullptr) return false;
  if (nw_ring_loan_view(loan, &view) != NW_OK || view.access != NW_READ_WRITE) return false;
  static_cast<std::int32_t*>(view.data)[0] = number;
  const auto batch = static_cast<std::uint64_t>(number);
  return nw_ring_publish(loan, rows, batch, batch + 100) == NW_OK && nw_free(loan) == NW_OK;
}

nw_ring_counts counts_of(nw_ring ring) {
  nw_ring_counts counts{};
  counts.size = sizeof counts;
  REQUIRE(nw_ring_count(ring, &counts) == NW_OK);
  return counts;
}

nw_ring_info info_of(nw_ring ring) {
  nw_ring_info info{};
  info.size = sizeof info;
  REQUIRE(nw_ring_describe(ring, &info) == NW_OK);
  return info;
}

}  // namespace

TEST_CASE("batches pass from another process, in order, until the ring is closed") {
  const std::string name = unique_name("c");
  Owned<nw_ring> ring(made(name));
  Child child([&] {
    nw_ring own = nullptr;
    nw_ring_producer producer = nullptr;
    if (nw_ring_open(name.c_str(), 1, &own) != NW_OK || nw_ring_make_producer(own, -1, &producer) != NW_OK)
      return false;
    for (std::int32_t i = 0; i < 20; ++i)
      if (!publish(producer, i, static_cast<std::uint64_t>(i) % 4 + 1)) return false;
    return nw_ring_close(own) == NW_OK;
  });
  Owned<nw_ring_consumer> consumer;
  REQUIRE(nw_ring_make_consumer(ring, 0, consumer.out()) == NW_OK);
  std::uint64_t seen = 0;
  std::int32_t ended = 0;
  while (ended == 0) {
    Owned<nw_ring_lease> lease;
    REQUIRE(nw_ring_take(consumer, 0.02, lease.out()) == NW_OK);
    if (lease.handle == nullptr) {
      REQUIRE(nw_ring_consumer_ended(consumer, &ended) == NW_OK);
      continue;
    }
    nw_view view{};
    std::uint64_t batch = 0, user = 0;
    std::int32_t redelivered = 1;
    REQUIRE(nw_ring_lease_view(lease, &view) == NW_OK);
    REQUIRE(nw_ring_lease_tag(lease, &batch, &user, &redelivered) == NW_OK);
    CHECK(batch == seen);
    CHECK(user == seen + 100);
    CHECK(redelivered == 0);
    CHECK(view.rows == seen % 4 + 1);
    CHECK(view.cols == 3);
    CHECK(view.access == NW_READ_ONLY);
    CHECK(static_cast<const std::int32_t*>(view.data)[0] == static_cast<std::int32_t>(seen));
    ++seen;
  }
  CHECK(seen == 20);
  CHECK(child.wait() == 0);
  std::int32_t drained = 0;
  REQUIRE(nw_ring_drain(ring, -1, &drained) == NW_OK);
  CHECK(drained == 1);
  CHECK(counts_of(ring).published == 20);
  CHECK(counts_of(ring).returned == 20);
  Owned<nw_ring_lease> none;
  REQUIRE(nw_ring_take(consumer, -1, none.out()) == NW_OK);
  CHECK(none.handle == nullptr);
}

TEST_CASE("a batch whose consumer was killed is delivered again, and says so") {
  Owned<nw_ring> ring(made(""));
  Owned<nw_ring_producer> producer;
  Owned<nw_ring_consumer> consumer;
  REQUIRE(nw_ring_make_producer(ring, -1, producer.out()) == NW_OK);
  REQUIRE(nw_ring_make_consumer(ring, -1, consumer.out()) == NW_OK);
  REQUIRE(publish(producer, 7, 1));
  const int descriptor = info_of(ring).descriptor;
  REQUIRE(descriptor >= 0);
  {
    const Signal taken;
    Child child([&] {
      nw_ring own = nullptr;
      nw_ring_consumer mine = nullptr;
      nw_ring_lease lease = nullptr;
      return nw_ring_open_descriptor(descriptor, &own) == NW_OK &&
             nw_ring_make_consumer(own, -1, &mine) == NW_OK && nw_ring_take(mine, -1, &lease) == NW_OK &&
             lease != nullptr && taken.give_and_stay();
    });
    taken.await();
    child.kill();
  }
  std::uint32_t recovered = 0;
  REQUIRE(nw_ring_recover(ring, &recovered) == NW_OK);
  CHECK(recovered == 1);
  Owned<nw_ring_lease> lease;
  REQUIRE(nw_ring_take(consumer, 60, lease.out()) == NW_OK);
  REQUIRE(lease.handle != nullptr);
  std::uint64_t batch = 0;
  std::int32_t redelivered = 0;
  REQUIRE(nw_ring_lease_tag(lease, &batch, nullptr, &redelivered) == NW_OK);
  CHECK(batch == 7);
  CHECK(redelivered == 1);
  CHECK(counts_of(ring).redelivered == 1);
}

TEST_CASE("loans and leases may be freed after their producer, their consumer and the ring") {
  nw_ring_loan loan = nullptr;
  nw_ring_lease lease = nullptr;
  {
    Owned<nw_ring> ring(made(""));
    Owned<nw_ring_producer> producer;
    Owned<nw_ring_consumer> consumer;
    REQUIRE(nw_ring_make_producer(ring, -1, producer.out()) == NW_OK);
    REQUIRE(nw_ring_make_consumer(ring, -1, consumer.out()) == NW_OK);
    REQUIRE(publish(producer, 5, 2));
    REQUIRE(nw_ring_borrow(producer, 0, &loan) == NW_OK);
    REQUIRE(nw_ring_take(consumer, 0, &lease) == NW_OK);
  }
  nw_view view{};
  REQUIRE(nw_ring_lease_view(lease, &view) == NW_OK);
  CHECK(static_cast<const std::int32_t*>(view.data)[0] == 5);
  CHECK(nw_free(lease) == NW_OK);
  CHECK(nw_ring_publish(loan, 1, 0, 0) == NW_OK);
  CHECK(nw_free(loan) == NW_OK);
}

TEST_CASE("a loan that is freed gives its slot back, and waits end in time") {
  Owned<nw_ring> ring(made(""));
  Owned<nw_ring_producer> producer;
  Owned<nw_ring_consumer> consumer;
  REQUIRE(nw_ring_make_producer(ring, 0, producer.out()) == NW_OK);
  REQUIRE(nw_ring_make_consumer(ring, 0, consumer.out()) == NW_OK);
  nw_ring_lease lease = nullptr;
  CHECK(nw_ring_take(consumer, 0, &lease) == NW_OK);
  CHECK(lease == nullptr);
  CHECK(nw_ring_take(consumer, 0.01, &lease) == NW_OK);
  CHECK(lease == nullptr);
  nw_ring_loan loans[5] = {};
  for (int i = 0; i < 4; ++i) REQUIRE(nw_ring_borrow(producer, -1, &loans[i]) == NW_OK);
  CHECK(nw_ring_borrow(producer, 0.01, &loans[4]) == NW_OK);
  CHECK(loans[4] == nullptr);
  CHECK(nw_free(loans[0]) == NW_OK);
  CHECK(nw_ring_borrow(producer, 0, &loans[4]) == NW_OK);
  CHECK(loans[4] != nullptr);
  CHECK(nw_ring_close(ring) == NW_OK);
  CHECK(info_of(ring).closed == 1);
  std::int32_t drained = 1;
  CHECK(nw_ring_drain(ring, 0.01, &drained) == NW_OK);
  CHECK(drained == 0);
  for (int i = 1; i < 5; ++i) CHECK(nw_free(loans[i]) == NW_OK);
  CHECK(nw_ring_drain(ring, 60, &drained) == NW_OK);
  CHECK(drained == 1);
  CHECK(nw_ring_borrow(producer, -1, &loans[0]) == NW_OK);
  CHECK(loans[0] == nullptr);
}

TEST_CASE("a ring of tags needs no sizes, and its pages outlive it") {
  Owned<nw_ring> ring;
  REQUIRE(nw_ring_create("", nullptr, ring.out()) == NW_OK);
  CHECK(info_of(ring).slots == 8);
  CHECK(info_of(ring).rows == 0);
  CHECK(std::string(info_of(ring).name).empty());
  Owned<nw_pages> pages;
  REQUIRE(nw_ring_pages(ring, pages.out()) == NW_OK);
  void* data = nullptr;
  std::size_t bytes = 0;
  nw_access access = NW_READ_ONLY;
  CHECK(nw_pages_range(pages, &data, &bytes, &access) == NW_OK);
}

TEST_CASE("misuse of rings is an error") {
  Owned<nw_ring> ring(made("", NW_RING_ONE));
  Owned<nw_ring_producer> producer;
  Owned<nw_ring_consumer> consumer;
  REQUIRE(nw_ring_make_producer(ring, -1, producer.out()) == NW_OK);
  REQUIRE(nw_ring_make_consumer(ring, -1, consumer.out()) == NW_OK);
  Owned<nw_ring_loan> loan, used;
  REQUIRE(nw_ring_borrow(producer, -1, loan.out()) == NW_OK);
  REQUIRE(nw_ring_borrow(producer, -1, used.out()) == NW_OK);
  REQUIRE(nw_ring_publish(used, 4, 0, 0) == NW_OK);
  nw_ring none = nullptr;
  nw_ring_producer no_producer = nullptr;
  nw_ring_consumer no_consumer = nullptr;
  nw_ring_loan no_loan = nullptr;
  nw_view view{};
  std::int32_t flag = 0;
  const auto with = [&](auto set) {
    nw_ring_options options{};
    options.size = sizeof options;
    set(options);
    return nw_ring_create("", &options, &none);
  };
  const auto bad = NW_INVALID_ARGUMENT;
  check_all({
      {"no name", [&] { return nw_ring_create(nullptr, nullptr, &none); }, bad, "name"},
      {"bad name", [&] { return nw_ring_create("a b", nullptr, &none); }, bad, "a b"},
      {"size", [&] { return with([](auto& to) { to.size = 1; }); }, bad, "size"},
      {"slots", [&] { return with([](auto& to) { to.slots = 65537; }); }, bad, "slots"},
      {"rows alone", [&] { return with([](auto& to) { to.rows = 1; }); }, bad, ""},
      {"type", [&] { return with([](auto& to) { to.dtype = 99; }); }, bad, "99"},
      {"ends", [&] { return with([](auto& to) { to.consumers = 2; }); }, bad, "consumers"},
      {"node", [&] { return with([](auto& to) { to.node = 1; }); }, bad, "on_node"},
      {"no node", [&] { return with([](auto& to) { to.on_node = 1, to.node = 4000; }); }, NW_OUT_OF_RANGE,
       "4000"},
      {"not there", [&] { return nw_ring_open("c_test-none", 0, &none); }, NW_SYSTEM, "c_test-none"},
      {"second producer", [&] { return nw_ring_make_producer(ring, -1, &no_producer); }, NW_SYSTEM, ""},
      {"second consumer", [&] { return nw_ring_make_consumer(ring, -1, &no_consumer); }, NW_SYSTEM, ""},
      {"spin", [&] { return nw_ring_make_producer(ring, NAN, &no_producer); }, bad, "spin"},
      {"timeout", [&] { return nw_ring_borrow(producer, NAN, &no_loan); }, bad, "timeout"},
      {"nowhere", [&] { return nw_ring_borrow(producer, 0, nullptr); }, bad, "out"},
      {"5 rows", [&] { return nw_ring_publish(loan, 5, 0, 0); }, bad, "5 rows"},
      {"published", [&] { return nw_ring_publish(used, 1, 0, 0); }, bad, "published already"},
      {"view", [&] { return nw_ring_loan_view(used, &view); }, bad, "published already"},
      {"drain", [&] { return nw_ring_drain(ring, NAN, &flag); }, bad, "timeout"},
      {"null", [&] { return nw_ring_close(nullptr); }, bad, "ring is NULL"},
  });
  CHECK(nw_ring_publish(loan, 1, 0, 0) == NW_OK);  // still valid
}

TEST_CASE("no handle is left") {
  CHECK(nodewise::c::live_handles() == 0);
}
