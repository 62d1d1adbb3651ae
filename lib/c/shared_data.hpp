// Shared values and arrays of any element type.
#pragma once

#include <cstdint>
#include <memory>

#include <nodewise/dtype.hpp>
#include <nodewise/shared_objects.hpp>

namespace nodewise::c {

/// A SharedValue or SharedArray of the element type `dtype`, with its type erased.
struct HeldData {
  DType dtype;
  std::shared_ptr<const void> handle;
  void* data;           ///< The elements of an array; null for a value.
  std::uint64_t count;  ///< The number of elements; 1 for a value.

  template <class T>
  const SharedValue<T>& value() const noexcept {
    return *static_cast<const SharedValue<T>*>(handle.get());
  }
};
struct HeldValue : HeldData {};
struct HeldArray : HeldData {};

}  // namespace nodewise::c
