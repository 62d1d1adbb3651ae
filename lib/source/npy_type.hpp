// The names of element types in .npy headers: what numpy.dtype reads, by table.
#pragma once

#include <optional>
#include <string_view>

#include <nodewise/dtype.hpp>

namespace nodewise::source {

/// What a type name (the descr of a header) means.
struct NpyType {
  std::optional<DType> dtype;   ///< Empty if elements of this type are not read.
  bool swapped = false;         ///< The byte order is not that of this machine.
  bool pairs_of_bytes = false;  ///< 'V2': two raw bytes, which may be a bf16.
  std::string_view refusal;     ///< If there is no dtype: what the elements are, and what to do about it.
};

/// Looks up the name. Thread class: any thread. Cost: O(1).
NpyType npy_type(std::string_view name) noexcept;

}  // namespace nodewise::source
