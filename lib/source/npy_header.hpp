// Parses the header of a .npy file into a description. It reads only the bytes that it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nodewise/npy.hpp>

namespace nodewise::source {

/// What is in a .npy file, and where.
struct NpyHeader {
  Shape shape;  ///< An array of one dimension, n, is n × 1.
  DType dtype = DType::f64;
  bool fortran_order = false;     ///< As the file states; it matters only if both dimensions exceed 1.
  bool swapped = false;           ///< Its byte order is not that of this machine.
  std::uint64_t data_offset = 0;  ///< The position of the first element in the file, in bytes.
  /// shape × element size. data_offset + data_bytes is within the file.
  std::uint64_t data_bytes = 0;

  /// Whether the elements of a row are apart in the file.
  bool transposed() const noexcept { return fortran_order && shape.samples > 1 && shape.features > 1; }
};

/// The number of bytes that the parser needs. A longer header is refused, because no array of one element
/// type has one.
inline constexpr std::size_t npy_header_limit_bytes = 128 * 1024;

/// Parses the header in `start`, which are the first bytes of a file of `file_bytes` bytes. `path` is used in
/// messages only. There may be bytes behind the array, because several arrays may follow one another in one
/// file. Precondition: start.size() ≤ file_bytes. Throws FormatError. Thread class: any thread. Cost:
/// O(header).
NpyHeader parse_npy_header(std::string_view start, std::uint64_t file_bytes, const NpyOptions& options,
                           std::string_view path);

}  // namespace nodewise::source
