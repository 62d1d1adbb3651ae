#include "manager/value.hpp"

#include <bit>
#include <limits>
#include <optional>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"

namespace nodewise {

void ManagedArray::throw_other_dtype(DType wanted) const {
  throw InvalidArgument(
      base::text("ManagedArray: its elements are ", dtype_name(dtype), ", not ", dtype_name(wanted)));
}

namespace managed {
namespace {

constexpr std::size_t word_bytes = 8;

[[noreturn]] void fail_damaged(std::string_view what) {
  throw FormatError(base::text("Manager: a stored ", what, " is damaged"));
}

std::optional<std::uint64_t> bytes_of_shape(const std::vector<std::uint64_t>& shape, DType dtype) {
  std::optional<std::uint64_t> bytes = dtype_bytes(dtype);
  for (const std::uint64_t extent : shape)
    if (bytes) bytes = base::checked_mul(*bytes, extent);
  return bytes;
}

// Types are stored by name, because their numbers may change.
std::string encode_array(const ManagedArray& array) {
  constexpr std::size_t most_dimensions = 32;
  if (array.shape.size() > most_dimensions)
    throw InvalidArgument(base::text("Manager: an array of ", array.shape.size(), " dimensions; ",
                                     most_dimensions, " are possible"));
  if (bytes_of_shape(array.shape, array.dtype) != array.bytes.size())
    throw InvalidArgument(base::text("Manager: an array of ", array.bytes.size(),
                                     " bytes, which are not those of its shape of ",
                                     dtype_name(array.dtype)));
  std::string out(1, 'a');
  const std::string_view name = dtype_name(array.dtype);
  out += static_cast<char>(name.size());
  out += name;
  out += static_cast<char>(array.shape.size());
  for (const std::uint64_t extent : array.shape) put_little(out, extent);
  out.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  return out;
}

ManagedArray decode_array(Reader reader) {
  ManagedArray array;
  const auto dtype = parse_dtype(reader.take(reader.take_byte()));
  if (!dtype) fail_damaged("array's type");
  array.dtype = *dtype;
  array.shape.resize(reader.take_byte());
  for (std::uint64_t& extent : array.shape) extent = reader.take_little();
  const auto* const bytes = reinterpret_cast<const std::byte*>(reader.rest().data());
  array.bytes.assign(bytes, bytes + reader.rest().size());
  if (bytes_of_shape(array.shape, array.dtype) != array.bytes.size()) fail_damaged("array's shape");
  return array;
}

struct Encoder {
  std::string operator()(std::monostate) const { return "n"; }
  std::string operator()(bool value) const { return value ? "t" : "f"; }
  std::string operator()(std::int64_t value) const { return word('i', static_cast<std::uint64_t>(value)); }
  std::string operator()(double value) const { return word('d', std::bit_cast<std::uint64_t>(value)); }
  std::string operator()(const std::string& value) const { return 's' + value; }
  std::string operator()(const ManagedArray& value) const { return encode_array(value); }

  static std::string word(char letter, std::uint64_t bits) {
    std::string out(1, letter);
    put_little(out, bits);
    return out;
  }
};

}  // namespace

void put_little(std::string& out, std::uint64_t number) {
  for (unsigned i = 0; i < word_bytes; ++i) out += static_cast<char>(number >> (8 * i));
}

void put_big(std::string& out, std::uint64_t number) {
  for (unsigned i = word_bytes; i-- > 0;) out += static_cast<char>(number >> (8 * i));
}

std::string_view Reader::take(std::uint64_t bytes) {
  if (bytes > rest_.size()) fail_damaged("value or record");
  const auto taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

std::uint64_t Reader::take_little() {
  std::uint64_t number = 0;
  const auto bytes = take(word_bytes);
  for (unsigned i = word_bytes; i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::string encode(const ManagedValue& value) {
  std::string bytes = std::visit(Encoder{}, value);
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max())
    throw InvalidArgument(base::text("Manager: a value of ", bytes.size(),
                                     " bytes; put it into a segment, and the segment's name here"));
  return bytes;
}

ManagedValue decode(std::string_view bytes) {
  Reader reader(bytes);
  switch (reader.take(1)[0]) {
    case 'n':
      return {};
    case 't':
      return true;
    case 'f':
      return false;
    case 'i':
      return static_cast<std::int64_t>(reader.take_little());
    case 'd':
      return std::bit_cast<double>(reader.take_little());
    case 's':
      return std::string(reader.rest());
    case 'a':
      return decode_array(reader);
    default:
      fail_damaged("value");
  }
}

}  // namespace managed
}  // namespace nodewise
