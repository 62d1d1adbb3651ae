// Reads rows of elements from a .npy file.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <nodewise/stop.hpp>

#include "base/checked.hpp"
#include "os/file.hpp"
#include "source/npy_header.hpp"

namespace nodewise::source {

/// Reverses the bytes of each element.
void swap_in_place(std::byte* data, std::size_t bytes, std::size_t element_bytes);

/// Reads ranges of rows from a file in Fortran order, and writes them row-major and in this machine's byte
/// order. Make one for each call: it owns the scratch memory that transposing needs, which is limited.
class NpyColumnReader {
 public:
  /// Precondition: the four arguments outlive it.
  NpyColumnReader(const os::File& file, const NpyHeader& header, std::string_view path,
                  const Stop& stop) noexcept
      : file_(file), header_(header), path_(path), stop_(stop) {}

  /// Writes the rows `rows` to `to`. Throws Stopped, SystemError, FormatError (the file shrank).
  void read(RowRange rows, std::byte* to);

 private:
  struct Block {
    base::Range rows;
    base::Range features;
  };
  /// Reads the range `bytes` of the array, counted from its first element in the order of the file, and
  /// converts it to this machine's byte order. Throws as read().
  void read_elements(std::byte* to, ByteRange bytes) const;
  std::size_t fill_scratch(const Block& block);

  const os::File& file_;
  const NpyHeader& header_;
  std::string_view path_;
  const Stop& stop_;
  std::vector<std::byte> scratch_;
};

}  // namespace nodewise::source
