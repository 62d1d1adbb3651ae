// From the bytes of a .npy file to rows of elements in memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/checked.hpp"
#include "os/file.hpp"
#include "source/npy_header.hpp"

namespace nodewise::source {

/// Reads ranges of rows, row-major and in this machine's byte order, whatever the file's. One for each
/// worker: it owns the scratch memory, bounded, that turning Fortran order around needs.
class NpyRowReader {
 public:
  /// The three must outlive it. Once `stop` is set it returns early, rows unfinished.
  NpyRowReader(const os::File& file, const NpyHeader& header, std::string_view path,
               const std::atomic<bool>& stop) noexcept
      : file_(file), header_(header), path_(path), stop_(stop) {}

  /// `dataset` is where row 0 of the whole array goes. Throws SystemError, FormatError (the file shrank).
  void read(base::Range rows, std::byte* dataset);

  /// `bytes` of the array, counted from its first element and in the file's order of elements, in this
  /// machine's byte order. Throws as read.
  void read_elements(std::byte* to, ByteRange bytes) const;

 private:
  struct Block {
    base::Range rows;
    base::Range features;
  };
  void read_rows(base::Range rows, std::byte* dataset) const;
  void read_columns(base::Range rows, std::byte* dataset);
  std::size_t fill_scratch(const Block& block);

  const os::File& file_;
  const NpyHeader& header_;
  std::string_view path_;
  const std::atomic<bool>& stop_;
  std::vector<std::byte> scratch_;
};

}  // namespace nodewise::source
