// Arrays whose elements follow from their position, as bytes and as .npy files.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <nodewise/dataset.hpp>

namespace nodewise::test {

/// A file in the temporary folder, gone with its owner.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_((std::filesystem::temp_directory_path() / "nodewise_source_XXXXXX").string()) {
    const int descriptor = ::mkstemp(path_.data());
    REQUIRE(descriptor >= 0);
    ::close(descriptor);
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Array {
  Shape shape;
  std::string code = "u1";
  bool fortran = false;
  bool other_byte_order = false;

  std::size_t element_bytes() const { return static_cast<std::size_t>(code.back() - '0'); }
  std::size_t total_bytes() const { return shape.samples * shape.features * element_bytes(); }
};

/// Byte `byte` of the element at (row, column), in this machine's order; neighbours differ in all directions.
inline char byte_of(std::uint64_t row, std::uint64_t column, std::size_t byte) {
  return static_cast<char>((row * 1000003 + column * 10007 + byte * 101 + 7) * 0x9e3779b97f4a7c15 >> 56);
}

inline std::string row_major(const Array& array) {
  std::string bytes;
  bytes.reserve(array.total_bytes());
  for (std::uint64_t row = 0; row < array.shape.samples; ++row)
    for (std::uint64_t column = 0; column < array.shape.features; ++column)
      for (std::size_t byte = 0; byte < array.element_bytes(); ++byte) bytes += byte_of(row, column, byte);
  return bytes;
}

inline std::string npy_header(const Array& array) {
  const bool big = (std::endian::native == std::endian::big) != array.other_byte_order;
  std::string literal = "{'descr': '" + std::string(big ? ">" : "<") + array.code +
                        "', 'fortran_order': " + (array.fortran ? "True" : "False") + ", 'shape': (" +
                        std::to_string(array.shape.samples) + ", " + std::to_string(array.shape.features) +
                        "), }\n";
  std::string start = "\x93NUMPY\x01";
  start += '\0';
  start += static_cast<char>(literal.size());
  start += '\0';
  return start + literal;
}

inline std::string npy_file(const Array& array) {
  std::string out = npy_header(array);
  out.reserve(out.size() + array.total_bytes());
  const std::size_t bytes = array.element_bytes();
  const std::uint64_t outer = array.fortran ? array.shape.features : array.shape.samples;
  const std::uint64_t inner = array.fortran ? array.shape.samples : array.shape.features;
  for (std::uint64_t i = 0; i < outer; ++i)
    for (std::uint64_t j = 0; j < inner; ++j)
      for (std::size_t byte = 0; byte < bytes; ++byte)
        out += byte_of(array.fortran ? j : i, array.fortran ? i : j,
                       array.other_byte_order ? bytes - 1 - byte : byte);
  return out;
}

}  // namespace nodewise::test
