// Loans and leases, and who gives them out.
#include <algorithm>
#include <utility>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "shared/ring_member.hpp"

namespace nodewise {
RingLoan::RingLoan(RingMember* member, std::uint64_t ticket) noexcept
    : member_(member), ticket_(ticket), epoch_(member->epoch()) {}

RingLoan::RingLoan(RingLoan&& other) noexcept
    : member_(std::exchange(other.member_, nullptr)), ticket_(other.ticket_), epoch_(other.epoch_) {}

RingLoan& RingLoan::operator=(RingLoan&& other) noexcept {
  RingLoan moved(std::move(other));
  std::swap(member_, moved.member_);
  std::swap(ticket_, moved.ticket_);
  std::swap(epoch_, moved.epoch_);
  return *this;
}

RingLoan::~RingLoan() {
  if (member_ != nullptr && member_->epoch() == epoch_) member_->abandon(ticket_);
}

AnyBatchView RingLoan::view() const noexcept {
  const BatchRing::State& ring = member_->ring();
  base::pass(base::Mark::filling);
  return ring.view(member_->slot_of(ticket_), ring.rows);
}

void RingLoan::publish(std::uint64_t rows, BatchTag tag) && {
  if (rows > member_->ring().rows)
    throw InvalidArgument(
        base::text("RingLoan::publish: ", rows, " rows; a slot holds ", member_->ring().rows));
  RingMember* const member = std::exchange(member_, nullptr);
  if (member->epoch() == epoch_) member->publish(ticket_, rows, tag);
}

RingLease::RingLease(RingMember* member, std::uint64_t ticket, bool redelivered) noexcept
    : member_(member), ticket_(ticket), epoch_(member->epoch()), redelivered_(redelivered) {}

RingLease::RingLease(RingLease&& other) noexcept
    : member_(std::exchange(other.member_, nullptr)),
      ticket_(other.ticket_),
      epoch_(other.epoch_),
      redelivered_(other.redelivered_) {}

RingLease& RingLease::operator=(RingLease&& other) noexcept {
  RingLease moved(std::move(other));
  std::swap(member_, moved.member_);
  std::swap(ticket_, moved.ticket_);
  std::swap(epoch_, moved.epoch_);
  std::swap(redelivered_, moved.redelivered_);
  return *this;
}

RingLease::~RingLease() {
  if (member_ != nullptr && member_->epoch() == epoch_) member_->give_back(ticket_);
}

// What another process wrote is not believed further than the slot goes.
AnyBatchView RingLease::view() const noexcept {
  const BatchRing::State& ring = member_->ring();
  base::pass(base::Mark::reading);
  const std::uint64_t rows = member_->cell(ticket_).rows.load(std::memory_order_relaxed);
  return ring.view(member_->slot_of(ticket_), std::min(rows, ring.rows));
}

BatchTag RingLease::tag() const noexcept {
  return member_->cell(ticket_).tag;
}

RingProducer::RingProducer(std::unique_ptr<RingMember> member) noexcept : member_(std::move(member)) {}
RingProducer::RingProducer(RingProducer&&) noexcept = default;
RingProducer& RingProducer::operator=(RingProducer&&) noexcept = default;
RingProducer::~RingProducer() = default;

std::optional<RingLoan> RingProducer::try_loan() {
  const auto ticket = member_->claim_now();
  return ticket ? std::optional(RingLoan(member_.get(), *ticket)) : std::nullopt;
}

std::optional<RingLoan> RingProducer::loan() {
  const auto ticket = member_->claim({});
  return ticket ? std::optional(RingLoan(member_.get(), *ticket)) : std::nullopt;
}

std::optional<RingLoan> RingProducer::loan_for(std::chrono::nanoseconds timeout) {
  const auto ticket = member_->claim(RingMember::after(timeout));
  return ticket ? std::optional(RingLoan(member_.get(), *ticket)) : std::nullopt;
}

RingConsumer::RingConsumer(std::unique_ptr<RingMember> member) noexcept : member_(std::move(member)) {}
RingConsumer::RingConsumer(RingConsumer&&) noexcept = default;
RingConsumer& RingConsumer::operator=(RingConsumer&&) noexcept = default;
RingConsumer::~RingConsumer() = default;

struct RingLeases {
  static std::optional<RingLease> of(RingMember& member, const std::optional<ring::Taken>& taken) {
    if (!taken) return std::nullopt;
    if (taken->redelivered) member.count_redelivery();
    return RingLease(&member, taken->ticket, taken->redelivered);
  }
};

std::optional<RingLease> RingConsumer::try_lease() {
  return RingLeases::of(*member_, member_->take_now());
}

std::optional<RingLease> RingConsumer::lease() {
  return RingLeases::of(*member_, member_->take({}));
}

std::optional<RingLease> RingConsumer::lease_for(std::chrono::nanoseconds timeout) {
  return RingLeases::of(*member_, member_->take(RingMember::after(timeout)));
}

}  // namespace nodewise
