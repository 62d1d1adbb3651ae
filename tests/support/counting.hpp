// Elements that say where they belong.
#pragma once

#include <cstddef>
#include <vector>

namespace nodewise::test {

/// The numbers 0, 1, 2, ... as elements of any type. Precondition: T and float hold each of them exactly.
template <class T>
std::vector<T> counting(std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>(static_cast<float>(i));
  return values;
}

}  // namespace nodewise::test
