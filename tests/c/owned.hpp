// A small dataset, and handles that are freed at the end of a scope.
#pragma once

#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <numeric>
#include <vector>

namespace nodewise::test {

inline constexpr std::uint64_t rows = 10, cols = 3, batch_size = 4;
inline constexpr nw_dataset ten_by_three{rows, cols, batch_size, NW_F32, 0};

inline std::vector<float> numbers() {
  std::vector<float> data(rows * cols);
  std::iota(data.begin(), data.end(), 0.0F);
  return data;
}

// Frees a handle at the end of a scope.
template <class Handle>
struct Owned {
  Handle handle = nullptr;
  Owned() = default;
  explicit Owned(Handle given) : handle(given) {}
  ~Owned() { CHECK(nw_free(handle) == NW_OK); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  operator Handle() const { return handle; }
  Handle* out() { return &handle; }
};

inline Owned<nw_loader> copied() {
  nw_loader loader = nullptr;
  const auto data = numbers();
  REQUIRE(nw_loader_copy(data.data(), &ten_by_three, nullptr, &loader) == NW_OK);
  return Owned<nw_loader>(loader);
}

}  // namespace nodewise::test
