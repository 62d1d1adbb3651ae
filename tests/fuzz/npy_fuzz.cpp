// Fuzzes the parser of .npy headers.
//
// Input: byte 0, whose lowest bit asks for bf16; bytes 1 to 8, little-endian, how many bytes the file has
// behind those that follow; then the first bytes of the file. Whatever they are, the parser either refuses
// with a message fit for a terminal, or gives a description that is within the file and means the same when
// written anew.
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "source/npy_header.hpp"

namespace {

using nodewise::source::NpyHeader;
using nodewise::source::parse_npy_header;

void require(bool condition) {
  if (!condition) std::abort();
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    value = value << 8 | static_cast<unsigned char>(*byte);
  return value;
}

/// The same array as NumPy would describe it.
std::string write_header(const NpyHeader& header) {
  using nodewise::DType;
  const DType dtype = header.dtype == DType::bf16 ? DType::u16 : header.dtype;
  const std::string_view name = nodewise::dtype_name(dtype);
  const std::string literal = nodewise::base::text(
      "{'descr': '", header.swapped ? '>' : '<', name.front(), nodewise::dtype_bytes(dtype),
      "', 'fortran_order': ", header.fortran_order ? "True" : "False", ", 'shape': (", header.shape.samples,
      ", ", header.shape.features, "), }\n");
  std::string out = "\x93NUMPY\x01";
  out += '\0';
  out += static_cast<char>(literal.size());
  out += '\0';
  return out + literal;
}

void check_accepted(const NpyHeader& got, std::string_view start, std::uint64_t file_bytes,
                    const nodewise::NpyOptions& options) {
  using nodewise::base::Uint128;
  const std::size_t element = nodewise::dtype_bytes(got.dtype);
  require(got.shape.features > 0);
  require(!got.swapped || element > 1);
  require(Uint128{got.shape.features} * element <= std::numeric_limits<std::uint64_t>::max());
  require(Uint128{got.shape.samples} * (got.shape.features * element) == got.data_bytes);
  require(got.data_offset <= start.size());
  require(Uint128{got.data_offset} + got.data_bytes <= file_bytes);

  const std::string again = write_header(got);
  if (got.data_bytes > std::numeric_limits<std::uint64_t>::max() - again.size()) return;
  const NpyHeader second = parse_npy_header(again, again.size() + got.data_bytes, options, "again.npy");
  require(second.shape == got.shape && second.dtype == got.dtype && second.swapped == got.swapped &&
          second.fortran_order == got.fortran_order && second.data_bytes == got.data_bytes);
}

void check_refused(std::string_view message) {
  require(message.starts_with(".npy file x.npy: ") && message.size() < 500);
  for (const char c : message) require(c >= ' ' && c <= '~');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size < 9) return 0;
  const nodewise::NpyOptions options{.as_bf16 = (data[0] & 1) != 0};
  const std::string_view start = input.substr(9);
  const std::uint64_t file_bytes =
      nodewise::base::checked_add(start.size(), little_endian(input.substr(1, 8)))
          .value_or(std::numeric_limits<std::uint64_t>::max());
  try {
    check_accepted(parse_npy_header(start, file_bytes, options, "x.npy"), start, file_bytes, options);
  } catch (const nodewise::FormatError& error) {
    check_refused(error.what());
  }
  return 0;
}
