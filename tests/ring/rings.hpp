// What tests of rings share.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <utility>

#include <nodewise/batch_ring.hpp>

#include "support/errors.hpp"

namespace nodewise::test {

inline RingOptions tags(std::uint64_t slots, RingEnds ends = RingEnds::many) {
  return {.slots = slots, .producers = ends, .consumers = ends};
}

inline RingOptions batches(std::uint64_t slots) {
  return {.slots = slots, .rows = 100, .cols = 8, .dtype = DType::f64};
}

inline void publish(RingProducer& producer, std::uint64_t batch, std::uint64_t rows = 0) {
  auto loan = producer.loan();
  REQUIRE(loan.has_value());
  const auto view = loan->view();
  for (std::size_t row = 0; row < rows; ++row)
    for (double& element : view.as<double>().row(row)) element = static_cast<double>(batch);
  std::move(*loan).publish(rows, {batch, ~batch});
}

// The batch that comes next, or nothing.
inline std::optional<std::uint64_t> next(RingConsumer& consumer) {
  const auto lease = consumer.try_lease();
  if (!lease) return std::nullopt;
  CHECK(lease->tag().user == ~lease->tag().batch);
  return lease->tag().batch;
}

}  // namespace nodewise::test
