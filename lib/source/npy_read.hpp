// From the bytes of a .npy file to rows of elements in memory.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <nodewise/stop.hpp>

#include "base/checked.hpp"
#include "os/file.hpp"
#include "source/npy_header.hpp"

namespace nodewise::source {

/// Turns the bytes of each element around.
void swap_in_place(std::byte* data, std::size_t bytes, std::size_t element_bytes);

/// Reads ranges of rows from a file in Fortran order, row-major and in this machine's byte order. One for
/// each call: it owns the scratch memory, bounded, that turning the elements around needs.
class NpyColumnReader {
 public:
  /// The four must outlive it.
  NpyColumnReader(const os::File& file, const NpyHeader& header, std::string_view path,
                  const Stop& stop) noexcept
      : file_(file), header_(header), path_(path), stop_(stop) {}

  /// `to` is where the first of `rows` goes. Throws Stopped, SystemError, FormatError (the file shrank).
  void read(RowRange rows, std::byte* to);

 private:
  struct Block {
    base::Range rows;
    base::Range features;
  };
  /// `bytes` of the array, counted from its first element and in the file's order of elements, in this
  /// machine's byte order. Throws as read.
  void read_elements(std::byte* to, ByteRange bytes) const;
  std::size_t fill_scratch(const Block& block);

  const os::File& file_;
  const NpyHeader& header_;
  std::string_view path_;
  const Stop& stop_;
  std::vector<std::byte> scratch_;
};

}  // namespace nodewise::source
