// Converts a number to another element type, and says whether its value changed.
#pragma once

#include <string>

#include <nodewise/dtype.hpp>

namespace nodewise::base {

/// Writes the number at `value`, of type `from`, to `at` as the nearest number of type `to`; of two equally
/// near, the even one. Returns whether it is the same number, that is, whether converting it back gives the
/// original. So -0 is not an integer. A NaN is the same NaN in every floating-point type, whatever its
/// payload; it is no integer, and 0 is written. Neither pointer needs to be aligned.
bool convert_element(DType from, const void* value, DType to, void* at) noexcept;

/// The number at `value` as text: an integer with all its digits, or the shortest text that reads back as the
/// same double.
std::string element_text(DType dtype, const void* value);

/// The name of the type in C++: "float", "std::int32_t", "nodewise::float16".
const char* element_type_name(DType dtype) noexcept;

}  // namespace nodewise::base
