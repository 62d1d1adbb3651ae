// What tests of shared objects have in common: many children, and moments at random.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace nodewise::test {

using Children = std::vector<std::unique_ptr<Child>>;

inline Children start(int count, const std::function<bool(int)>& work) {
  Children children;
  for (int i = 0; i < count; ++i) children.push_back(std::make_unique<Child>([&work, i] { return work(i); }));
  return children;
}

inline bool all_well(Children& children) {
  bool well = true;
  for (auto& child : children) well = child->wait() == 0 && well;
  return well;
}

template <class Error = std::exception>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

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
