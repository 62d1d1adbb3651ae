// The header of a .npy file: from bytes to a description. No input, no output, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nodewise/npy.hpp>

namespace nodewise::source {

/// What a .npy file holds, and where.
struct NpyHeader {
  Shape shape;  ///< A 1-D array of n is n × 1.
  DType dtype = DType::f64;
  bool fortran_order = false;     ///< As the file says; it changes nothing where one dimension is 1.
  bool swapped = false;           ///< Its byte order is not this machine's.
  std::uint64_t data_offset = 0;  ///< Of the first element, in bytes from the start of the file.
  std::uint64_t data_bytes = 0;   ///< shape × element size; data_offset + data_bytes are within the file.

  /// Whether the elements of a row lie apart in the file.
  bool transposed() const noexcept { return fortran_order && shape.samples > 1 && shape.features > 1; }
};

/// As much of a file as the parser needs to see: a longer header is refused, as no array of one element type
/// has one.
inline constexpr std::size_t npy_header_limit_bytes = 128 * 1024;

/// Reads the header in `start`, the first bytes of a file of `file_bytes`; `path` is for messages only.
/// Bytes behind the array are allowed: several arrays may follow one another in one file.
/// Precondition: start.size() ≤ file_bytes. Throws FormatError. Thread class: any thread. Cost: O(header).
NpyHeader parse_npy_header(std::string_view start, std::uint64_t file_bytes, const NpyOptions& options,
                           std::string_view path);

}  // namespace nodewise::source
