// Loans and leases, and the producers and consumers that hand them out.
#include <algorithm>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "ring/member.hpp"

namespace nodewise {

struct RingHands {
  static std::optional<RingLoan> hold(RingMember& member, const std::optional<ring::Ticket>& ticket) {
    if (!ticket) return std::nullopt;
    return RingLoan(&member, *ticket, member.epoch());
  }
  static std::optional<RingLease> hold(RingMember& member, const std::optional<ring::Taken>& taken) {
    if (!taken) return std::nullopt;
    if (taken->redelivered) member.count_redelivery();
    return RingLease(&member, taken->ticket, member.epoch(), taken->redelivered);
  }
};

void RingLoan::give_up() noexcept {
  if (member_->epoch() == epoch_) member_->abandon(ticket_);
}

AnyBatchView RingLoan::view() noexcept {
  const BatchRing::State& ring = member_->ring();
  base::pass(base::Mark::filling);
  return ring.view(member_->slot_of(ticket_), ring.rows);
}

void RingLoan::publish(std::uint64_t rows, BatchTag tag) && {
  if (rows > member_->ring().rows)
    throw InvalidArgument(base::text("RingLoan::publish: ", rows, " rows; a slot holds ",
                                     member_->ring().rows,
                                     member_->ring().rows == 0 ? ", as the ring is for tags alone" : ""));
  RingMember* const member = std::exchange(member_, nullptr);
  if (member->epoch() == epoch_) member->publish(ticket_, rows, tag);
}

void RingLease::give_back() noexcept {
  if (member_->epoch() == epoch_) member_->give_back(ticket_);
}

// The number of rows comes from another process, so it is limited to the size of the slot.
AnyConstBatchView RingLease::view() const noexcept {
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
  return RingHands::hold(*member_, member_->claim());
}

std::optional<RingLoan> RingProducer::loan() {
  if (const auto ticket = member_->claim()) return RingHands::hold(*member_, ticket);
  return RingHands::hold(*member_, member_->wait_to_claim(std::nullopt));
}

std::optional<RingLoan> RingProducer::loan_until(std::chrono::steady_clock::time_point until) {
  if (const auto ticket = member_->claim()) return RingHands::hold(*member_, ticket);
  return RingHands::hold(*member_, member_->wait_to_claim(until));
}

RingConsumer::RingConsumer(std::unique_ptr<RingMember> member) noexcept : member_(std::move(member)) {}
RingConsumer::RingConsumer(RingConsumer&&) noexcept = default;
RingConsumer& RingConsumer::operator=(RingConsumer&&) noexcept = default;
RingConsumer::~RingConsumer() = default;

std::optional<RingLease> RingConsumer::try_lease() {
  return RingHands::hold(*member_, member_->take());
}

std::optional<RingLease> RingConsumer::lease() {
  if (const auto taken = member_->take()) return RingHands::hold(*member_, taken);
  return RingHands::hold(*member_, member_->wait_to_take(std::nullopt));
}

bool RingConsumer::ended() {
  return member_->is_drained();
}

std::optional<RingLease> RingConsumer::lease_until(std::chrono::steady_clock::time_point until) {
  if (const auto taken = member_->take()) return RingHands::hold(*member_, taken);
  return RingHands::hold(*member_, member_->wait_to_take(until));
}

}  // namespace nodewise
