#include <nodewise/c/ring.h>

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"
#include "c/times.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

// Longer than any process runs.
constexpr std::chrono::duration<double> for_ever(3e9);

RingEnds ends_of(nw_ring_ends ends, const char* call, const char* what) {
  return flag_of(ends, call, what) ? RingEnds::one : RingEnds::many;
}

RingOptions ring_options_of(const nw_ring_options* options, const char* call) {
  const nw_ring_options given = read_options(options, call);
  RingOptions result;
  if (given.slots != 0) result.slots = given.slots;
  result.rows = given.rows;
  result.cols = given.cols;
  if (given.dtype != NW_DTYPE_NONE) result.dtype = dtype_of_number(given.dtype, call);
  result.producers = ends_of(given.producers, call, "producers");
  result.consumers = ends_of(given.consumers, call, "consumers");
  result.pages = pages_of(given.pages, call).value_or(PageKind::automatic);
  if (flag_of(given.on_node, call, "on_node"))
    result.node = given.node;
  else if (given.node != 0)
    throw InvalidArgument(base::text(call, ": `node` needs `on_node` to be 1"));
  if (given.topology != nullptr) result.topology = *object(given.topology, call);
  return result;
}

RingWaiting waiting_of(double spin, const char* call) {
  RingWaiting waiting;
  if (const auto time = limit_of(spin, call, "spin")) waiting.spin = *time;
  return waiting;
}

// The loan of a HeldLoan. Throws InvalidArgument if it was published.
RingLoan& unpublished(HeldLoan& held, const char* call) {
  if (!held.loan) throw InvalidArgument(base::text(call, ": the loan was published already"));
  return *held.loan;
}

}  // namespace

nw_error nw_ring_create(const char* name, const nw_ring_options* options, nw_ring* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_ring>(BatchRing::create(name, ring_options_of(options, call)));
  });
}

nw_error nw_ring_open(const char* name, double patience, nw_ring* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_ring>(BatchRing::open(name, limit_of(patience, call, "patience")));
  });
}

nw_error nw_ring_open_descriptor(std::int32_t descriptor, nw_ring* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_ring>(BatchRing::open_descriptor(descriptor));
  });
}

nw_error nw_ring_describe(nw_ring ring, nw_ring_info* out) {
  return run(__func__, [&](const char* call) {
    const auto it = object(ring, call);
    nw_ring_info result{};
    result.name = it->name().c_str();
    result.slots = it->slots();
    result.rows = it->rows();
    result.cols = it->cols();
    result.dtype = number_of(it->dtype());
    result.descriptor = it->descriptor();
    result.closed = it->closed() ? 1 : 0;
    write_result(out, result, call);
  });
}

nw_error nw_ring_count(nw_ring ring, nw_ring_counts* out) {
  return run(__func__, [&](const char* call) {
    const RingCounts counts = object(ring, call)->counts();
    nw_ring_counts result{};
    result.published = counts.published;
    result.returned = counts.returned;
    result.redelivered = counts.redelivered;
    result.recovered = counts.recovered;
    result.producer_waits = counts.producer_waits;
    result.consumer_waits = counts.consumer_waits;
    result.producer_waited_ns = counts.producer_waited_ns;
    result.consumer_waited_ns = counts.consumer_waited_ns;
    write_result(out, result, call);
  });
}

nw_error nw_ring_make_producer(nw_ring ring, double spin, nw_ring_producer* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_ring_producer>(object(ring, call)->producer(waiting_of(spin, call)));
  });
}

nw_error nw_ring_make_consumer(nw_ring ring, double spin, nw_ring_consumer* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_ring_consumer>(object(ring, call)->consumer(waiting_of(spin, call)));
  });
}

nw_error nw_ring_borrow(nw_ring_producer producer, double timeout, nw_ring_loan* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto it = object(producer, call);
    const auto limit = limit_of(timeout, call, "timeout");
    auto loan = !limit ? it->loan() : limit->count() == 0 ? it->try_loan() : it->loan_for(*limit);
    *out = loan ? make_handle<nw_ring_loan>(HeldLoan{it, std::move(loan)}) : nullptr;
  });
}

nw_error nw_ring_loan_view(nw_ring_loan loan, nw_view* out) {
  return run(__func__, [&](const char* call) {
    const auto held = object(loan, call);
    needed(out, call, "out") = view_of(unpublished(*held, call).view(), Access::read_write);
  });
}

nw_error nw_ring_publish(nw_ring_loan loan, std::uint64_t rows, std::uint64_t batch, std::uint64_t user) {
  return run(__func__, [&](const char* call) {
    const auto held = object(loan, call);
    std::move(unpublished(*held, call)).publish(rows, {batch, user});
    held->loan.reset();
  });
}

nw_error nw_ring_take(nw_ring_consumer consumer, double timeout, nw_ring_lease* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto it = object(consumer, call);
    const auto limit = limit_of(timeout, call, "timeout");
    auto lease = !limit ? it->lease() : limit->count() == 0 ? it->try_lease() : it->lease_for(*limit);
    *out = lease ? make_handle<nw_ring_lease>(HeldLease{it, std::move(*lease)}) : nullptr;
  });
}

nw_error nw_ring_consumer_ended(nw_ring_consumer consumer, std::int32_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(consumer, call)->ended() ? 1 : 0; });
}

nw_error nw_ring_lease_view(nw_ring_lease lease, nw_view* out) {
  return run(__func__, [&](const char* call) {
    const auto held = object(lease, call);
    needed(out, call, "out") = view_of(held->lease.view(), Access::read_only);
  });
}

nw_error nw_ring_lease_tag(nw_ring_lease lease, std::uint64_t* batch, std::uint64_t* user,
                           std::int32_t* redelivered) {
  return run(__func__, [&](const char* call) {
    const auto held = object(lease, call);
    const BatchTag tag = held->lease.tag();
    if (batch != nullptr) *batch = tag.batch;
    if (user != nullptr) *user = tag.user;
    if (redelivered != nullptr) *redelivered = held->lease.redelivered() ? 1 : 0;
  });
}

nw_error nw_ring_close(nw_ring ring) {
  return run(__func__, [&](const char* call) { object(ring, call)->close(); });
}

nw_error nw_ring_drain(nw_ring ring, double timeout, std::int32_t* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto limit = limit_of(timeout, call, "timeout").value_or(for_ever);
    *out = object(ring, call)->drain(limit) ? 1 : 0;
  });
}

nw_error nw_ring_recover(nw_ring ring, std::uint32_t* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = object(ring, call)->recover();
  });
}

nw_error nw_ring_pages(nw_ring ring, nw_pages* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto it = object(ring, call);
    *out = make_handle<nw_pages>(Pages(it->pages()));
  });
}
