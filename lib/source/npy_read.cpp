#include "source/npy_read.hpp"

#include <algorithm>
#include <cstring>

#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise::source {
namespace {

constexpr std::size_t scratch_bytes = std::size_t{1} << 20;  // of one worker, without gaps
// The bytes of a row that are written at once when transposing: whole cache lines.
constexpr std::size_t run_bytes = 256;
// Otherwise columns that are a power of two apart would share cache sets.
constexpr std::size_t line_gap_bytes = 64;
constexpr std::size_t short_column_bytes = 4096;  // copying less than this costs less than a system call

std::uint16_t swapped(std::uint16_t word) {
  return __builtin_bswap16(word);
}
std::uint32_t swapped(std::uint32_t word) {
  return __builtin_bswap32(word);
}
std::uint64_t swapped(std::uint64_t word) {
  return __builtin_bswap64(word);
}

template <class Word>
void swap_words(std::byte* data, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, data + at, sizeof word);
    word = swapped(word);
    std::memcpy(data + at, &word, sizeof word);
  }
}

/// The positions of `count` lines: each begins `line_bytes` behind the one before it.
struct Lines {
  std::size_t count = 0;
  std::size_t line_bytes = 0;
};

/// Element (i, j) of `from` becomes element (j, i) of `to`.
template <class Word>
void transpose_words(const std::byte* from, Lines columns, std::byte* to, Lines rows) {
  for (std::size_t row = 0; row < rows.count; ++row)
    for (std::size_t column = 0; column < columns.count; ++column)
      std::memcpy(to + row * rows.line_bytes + column * sizeof(Word),
                  from + column * columns.line_bytes + row * sizeof(Word), sizeof(Word));
}

void transpose(const std::byte* from, Lines columns, std::byte* to, Lines rows, std::size_t element_bytes) {
  if (element_bytes == 1) transpose_words<std::uint8_t>(from, columns, to, rows);
  if (element_bytes == 2) transpose_words<std::uint16_t>(from, columns, to, rows);
  if (element_bytes == 4) transpose_words<std::uint32_t>(from, columns, to, rows);
  if (element_bytes == 8) transpose_words<std::uint64_t>(from, columns, to, rows);
}

}  // namespace

void swap_in_place(std::byte* data, std::size_t bytes, std::size_t element_bytes) {
  if (element_bytes == 2) swap_words<std::uint16_t>(data, bytes);
  if (element_bytes == 4) swap_words<std::uint32_t>(data, bytes);
  if (element_bytes == 8) swap_words<std::uint64_t>(data, bytes);
}

void NpyColumnReader::read_elements(std::byte* to, ByteRange bytes) const {
  const auto got = file_.read(to, bytes.bytes(), header_.data_offset + bytes.begin);
  const std::uint64_t reached = header_.data_offset + bytes.begin + got.value;
  if (!got.ok())
    throw SystemError(base::text("Source::read: ", path_, " cannot be read at byte ", reached), got.error);
  if (got.value < bytes.bytes())
    throw FormatError(base::text("Source::read: ", path_, " shrank while it was read: nothing is at byte ",
                                 reached, ", its array goes to byte ",
                                 header_.data_offset + header_.data_bytes));
  if (header_.swapped) swap_in_place(to, bytes.bytes(), dtype_bytes(header_.dtype));
}

/// Reads one block of columns after the other into the scratch memory, and transposes it from there.
void NpyColumnReader::read(RowRange rows, std::byte* to) {
  const std::uint64_t features = header_.shape.features;
  const std::size_t element = dtype_bytes(header_.dtype);
  const std::uint64_t row_bytes = features * element;
  const std::uint64_t rows_at_once =
      std::min(rows.count(), scratch_bytes / std::min<std::uint64_t>(row_bytes, run_bytes));
  const bool short_columns = header_.shape.samples * element <= short_column_bytes;
  const std::uint64_t column_bytes =
      std::max((short_columns ? header_.shape.samples : rows_at_once) * element, line_gap_bytes);
  const std::uint64_t features_at_once = std::max<std::uint64_t>(1, scratch_bytes / column_bytes);

  for (std::uint64_t row = rows.start; row < rows.stop; row += rows_at_once)
    for (std::uint64_t feature = 0; feature < features; feature += features_at_once) {
      stop_.check("Source::read");
      const Block block{{row, std::min(row + rows_at_once, rows.stop)},
                        {feature, std::min(feature + features_at_once, features)}};
      const std::size_t line_bytes = fill_scratch(block);
      transpose(scratch_.data(), {block.features.size(), line_bytes},
                to + (row - rows.start) * row_bytes + feature * element, {block.rows.size(), row_bytes},
                element);
    }
}

/// Reads the block's columns into the scratch memory. Returns the distance between two columns in bytes.
std::size_t NpyColumnReader::fill_scratch(const Block& block) {
  const std::size_t element = dtype_bytes(header_.dtype);
  const std::uint64_t file_line_bytes = header_.shape.samples * element;
  const std::uint64_t wanted_bytes = block.rows.size() * element;
  const std::uint64_t first = block.features.begin * file_line_bytes + block.rows.begin * element;
  const std::uint64_t columns = block.features.size();

  if (file_line_bytes <= short_column_bytes) {  // reads what lies between the columns too
    scratch_.resize((columns - 1) * file_line_bytes + wanted_bytes);
    read_elements(scratch_.data(), {first, first + scratch_.size()});
    return file_line_bytes;
  }
  const std::uint64_t line_bytes = wanted_bytes + line_gap_bytes;
  scratch_.resize(columns * line_bytes);
  for (std::uint64_t column = 0; column < columns; ++column) {
    const std::uint64_t begin = first + column * file_line_bytes;
    read_elements(scratch_.data() + column * line_bytes, {begin, begin + wanted_bytes});
  }
  return line_bytes;
}

}  // namespace nodewise::source
