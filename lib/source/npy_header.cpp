// The header is a Python literal: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }. It is read
// strictly: if any byte of it is not understood, the file is refused.
#include "source/npy_header.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/expects.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "source/npy_type.hpp"

namespace nodewise::source {
namespace {

using base::quoted;
using base::text;

/// Throws every refusal, with the name of the file.
class Refuse {
 public:
  explicit Refuse(std::string_view path) : path_(path) {}
  template <class... Pieces>
  [[noreturn]] void operator()(const Pieces&... pieces) const {
    throw FormatError(text(".npy file ", path_, ": ", pieces...));
  }

 private:
  std::string_view path_;
};

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    value = value << 8 | static_cast<unsigned char>(*byte);
  return value;
}

struct HeaderText {
  std::string_view literal;
  std::uint64_t data_offset = 0;
};

/// Reads magic, version and length, which stand before the literal.
HeaderText find_literal(std::string_view start, std::uint64_t file_bytes, const Refuse& refuse) {
  constexpr std::string_view magic = "\x93NUMPY";
  if (start.starts_with("PK\x03\x04"))
    refuse(
        "this is an .npz archive (or another zip file), not an .npy file; save one of its arrays with "
        "numpy.save");
  if (!start.starts_with(magic.substr(0, start.size())) || start.empty())
    refuse("not an .npy file: it begins with ", quoted(start.substr(0, magic.size())), ", not with ",
           quoted(magic));
  if (start.size() < magic.size() + 2) refuse("cut off within its first 8 bytes: it has ", file_bytes);

  const unsigned major = static_cast<unsigned char>(start[6]);
  const unsigned minor = static_cast<unsigned char>(start[7]);
  if (major < 1 || major > 3 || minor != 0)
    refuse("unknown format version ", major, '.', minor,
           "; 1.0, 2.0 and 3.0 are read: save it again with numpy.save");
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  const std::size_t begin = magic.size() + 2 + length_bytes;
  if (start.size() < begin) refuse("cut off within its first ", begin, " bytes: it has ", file_bytes);

  const std::uint64_t length = little_endian(start.substr(begin - length_bytes, length_bytes));
  if (length > file_bytes - begin)
    refuse("it says that its header ends at byte ", begin + length, ", but the file has ", file_bytes,
           ": it was cut off, or is damaged");
  if (length > start.size() - begin)
    refuse("its header of ", length, " bytes exceeds the ", npy_header_limit_bytes - begin,
           " that are read; no array of one element type needs so many");
  return {start.substr(begin, length), begin + length};
}

/// The three entries of the literal, as the file states them.
struct Entries {
  std::string_view descr;
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

class LiteralReader {
 public:
  LiteralReader(std::string_view literal, const Refuse& refuse) : rest_(literal), refuse_(refuse) {}

  Entries read() {
    expect('{');
    while (!take('}')) {
      read_entry();
      if (take(',')) continue;
      expect('}');
      break;
    }
    skip_space();
    if (!rest_.empty()) refuse_("its header has more text behind the closing '}': ", quoted(rest_));
    if (!descr_) refuse_missing("descr");
    if (!fortran_order_) refuse_missing("fortran_order");
    if (!shape_) refuse_missing("shape");
    return {*descr_, *fortran_order_, *shape_};
  }

 private:
  void read_entry() {
    const std::string_view key = read_string("a key");
    expect(':');
    if (key == "descr")
      once(key, descr_, read_descr());
    else if (key == "fortran_order")
      once(key, fortran_order_, read_bool());
    else if (key == "shape")
      once(key, shape_, read_shape());
    else
      refuse_("its header has the unknown key ", quoted(key), "; save it again with numpy.save");
  }

  template <class Value>
  void once(std::string_view key, std::optional<Value>& entry, Value value) {
    if (entry) refuse_("its header has the key ", quoted(key), " twice");
    entry = std::move(value);
  }

  [[noreturn]] void refuse_missing(std::string_view key) const {
    refuse_("its header lacks the key ", quoted(key), "; save it again with numpy.save");
  }

  [[noreturn]] void refuse_syntax(std::string_view wanted) const {
    if (rest_.empty())
      refuse_("its header ends where ", wanted, " should stand: it is not closed, or is damaged");
    refuse_("its header has ", quoted(rest_), " where ", wanted, " should stand");
  }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n\f"), rest_.size())); }

  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!take(c)) refuse_syntax(text('\'', c, '\''));
  }

  std::string_view read_string(std::string_view wanted) {
    skip_space();
    const char quote = rest_.empty() ? '\0' : rest_.front();
    if (quote != '\'' && quote != '"') refuse_syntax(wanted);
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) refuse_("its header has a text that is not closed: ", quoted(rest_));
    const std::string_view content = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return content;
  }

  std::string_view read_descr() {
    skip_space();
    if (rest_.starts_with('[') || rest_.starts_with('('))
      refuse_("structured elements, ", quoted(rest_),
              ", have no one type; save one field, a['name'], or all of them as one type with"
              " numpy.lib.recfunctions.structured_to_unstructured(a)");
    return read_string("the element type in quotes");
  }

  bool read_bool() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return word == "True";
    }
    refuse_syntax("True or False");
  }

  /// A tuple: (), (3,) or (3, 4). Python reads (3) as a number, so that is not one.
  std::vector<std::uint64_t> read_shape() {
    std::vector<std::uint64_t> shape;
    expect('(');
    while (!take(')')) {
      shape.push_back(read_dimension());
      if (take(',')) continue;
      if (shape.size() == 1) refuse_syntax("',' (a shape of one dimension is written (3,))");
      expect(')');
      break;
    }
    return shape;
  }

  std::uint64_t read_dimension() {
    skip_space();
    if (rest_.starts_with('-')) refuse_("its header has a negative dimension, ", quoted(rest_));
    const bool leading_zero = rest_.starts_with('0');
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error == std::errc::invalid_argument) refuse_syntax("a dimension or ')'");
    if (error == std::errc::result_out_of_range)
      refuse_("its header has a dimension beyond 64 bits, ", quoted(rest_), ": it is damaged");
    if (leading_zero && end - rest_.data() > 1) refuse_syntax("a dimension without leading zeros");
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    if (rest_.starts_with('L')) rest_.remove_prefix(1);  // Python 2 wrote long integers with an L
    return value;
  }

  std::string_view rest_;
  const Refuse& refuse_;
  std::optional<std::string_view> descr_;
  std::optional<bool> fortran_order_;
  std::optional<std::vector<std::uint64_t>> shape_;
};

struct ElementType {
  DType dtype = DType::f64;
  bool swapped = false;
};

ElementType read_element_type(std::string_view descr, const NpyOptions& options, const Refuse& refuse) {
  const NpyType type = npy_type(descr);
  if (options.as_bf16) {
    if (type.dtype != DType::u16 && !type.pairs_of_bytes)
      refuse("bf16 was asked for, which is read from two-byte elements 'u2' or 'V2', but its elements are ",
             quoted(descr), "; read it as it is");
    return {DType::bf16, type.swapped};
  }
  if (!type.dtype) refuse("its elements, ", quoted(descr), ", are ", type.refusal);
  return {*type.dtype, type.swapped};
}

Shape read_shape(const std::vector<std::uint64_t>& dimensions, const Refuse& refuse) {
  if (dimensions.empty())
    refuse("it holds a single value (0 dimensions); save at least a row, numpy.atleast_2d(a)");
  if (dimensions.size() > 2)
    refuse("it has ", dimensions.size(),
           " dimensions, where 1 or 2 (samples, features) are read; reshape it, ", "a.reshape(len(a), -1)");
  const Shape shape{dimensions[0], dimensions.size() == 2 ? dimensions[1] : 1};
  if (shape.features == 0)
    refuse("it has 0 features (shape ", shape.samples, " x 0); each sample needs at least one");
  return shape;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view start, std::uint64_t file_bytes, const NpyOptions& options,
                           std::string_view path) {
  NODEWISE_EXPECTS(start.size() <= file_bytes);
  const Refuse refuse(path);
  const HeaderText header = find_literal(start, file_bytes, refuse);
  const Entries entries = LiteralReader(header.literal, refuse).read();
  const ElementType element = read_element_type(entries.descr, options, refuse);
  const Shape shape = read_shape(entries.shape, refuse);

  const auto row_bytes = base::checked_mul(shape.features, dtype_bytes(element.dtype));
  const auto data_bytes = row_bytes ? base::checked_mul(shape.samples, *row_bytes) : std::nullopt;
  const auto end = data_bytes ? base::checked_add(header.data_offset, *data_bytes) : std::nullopt;
  if (!end)
    refuse("its ", shape.samples, " x ", shape.features, " elements of ", dtype_bytes(element.dtype),
           " bytes overflow 64 bits: the header is damaged");
  if (*end > file_bytes)
    refuse("its ", shape.samples, " x ", shape.features, ' ', dtype_name(element.dtype), " elements need ",
           *data_bytes, " bytes from byte ", header.data_offset, ", but only ",
           file_bytes - header.data_offset, " are there: it was cut off; copy or save it again");
  return {shape, element.dtype, entries.fortran_order, element.swapped, header.data_offset, *data_bytes};
}

}  // namespace nodewise::source
