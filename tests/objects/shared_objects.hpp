// What tests of shared objects have in common: many children, and moments at random.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "support/errors.hpp"
#include "support/process.hpp"

namespace nodewise::test {

// Large, and of a pattern that half a change spoils.
struct Record {
  std::array<std::uint64_t, 100> words;
  static Record of(std::uint64_t number) {
    Record record;
    record.words.fill(number);
    return record;
  }
  bool whole() const {
    return std::all_of(words.begin(), words.end(), [&](std::uint64_t word) { return word == words[0]; });
  }
};

inline void sleep_up_to(std::mt19937& random, unsigned microseconds) {
  ::usleep(static_cast<useconds_t>(random() % microseconds));
}

}  // namespace nodewise::test
