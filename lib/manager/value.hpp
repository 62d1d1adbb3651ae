// Values as bytes: a letter for the type, and then the value, little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nodewise/manager.hpp>

namespace nodewise::managed {

// Numbers as bytes: little-endian in values; big-endian in keys, so that keys are in the order of numbers.
void put_little(std::string& out, std::uint64_t number);
void put_big(std::string& out, std::uint64_t number);

/// Takes values from the front of a byte string. Throws FormatError if it is too short.
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

/// Throws InvalidArgument for a value that cannot be stored.
std::string encode(const ManagedValue& value);
/// Throws FormatError.
ManagedValue decode(std::string_view bytes);

}  // namespace nodewise::managed
