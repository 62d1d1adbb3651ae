// One number as an element of another type, where nothing of it is lost.
#pragma once

#include <string>

#include <nodewise/dtype.hpp>

namespace nodewise::base {

/// Writes the number at `value`, of type `from`, to `at` as one of type `to`: the nearest that there is, of
/// two the even one. Whether that is the same number: what comes back when it is converted back. So -0 is no
/// integer; a NaN is a NaN in every floating-point type, whatever its payload, and no integer (0 is written).
/// Neither pointer need be aligned.
bool convert_element(DType from, const void* value, DType to, void* at) noexcept;

/// The number at `value`: all digits of an integer, the shortest text that a double reads back.
std::string element_text(DType dtype, const void* value);

/// What C++ calls the elements: "float", "std::int32_t", "nodewise::float16".
const char* element_type_name(DType dtype) noexcept;

}  // namespace nodewise::base
