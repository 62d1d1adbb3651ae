// Values as bytes: a letter that says what it is, then the value, little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nodewise/manager.hpp>

namespace nodewise::managed {

// Numbers in bytes: in values little-endian; in keys big-endian, so that they sort as numbers.
void put_little(std::string& out, std::uint64_t number);
void put_big(std::string& out, std::uint64_t number);

/// Takes values from the front of some bytes. Throws FormatError where there are too few bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept : rest_(bytes) {}
  std::string_view take(std::uint64_t bytes);
  std::uint64_t take_little();
  unsigned take_byte() { return static_cast<unsigned char>(take(1)[0]); }
  std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

/// Throws InvalidArgument for what cannot be stored.
std::string encode(const ManagedValue& value);
/// Throws FormatError.
ManagedValue decode(std::string_view bytes);

}  // namespace nodewise::managed
