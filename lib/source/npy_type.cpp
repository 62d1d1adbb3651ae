// NumPy itself writes a byte order, a letter and a size, such as '<f8'. Other programs, and people, write all
// that numpy.dtype reads: a letter of its own for each C type, and names such as 'float64' and 'double'. The
// tables hold the names of NumPy 1.24 and 2, and what they mean to NumPy on this machine.
#include "source/npy_type.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace nodewise::source {
namespace {

struct Spelling {
  std::string_view name;
  DType dtype;
};

constexpr bool wide_long = sizeof(long) == sizeof(std::int64_t);
constexpr DType c_long = wide_long ? DType::i64 : DType::i32;
constexpr DType c_ulong = wide_long ? DType::u64 : DType::u32;
constexpr bool wide_pointer = sizeof(void*) == sizeof(std::int64_t);
constexpr DType intptr = wide_pointer ? DType::i64 : DType::i32;
constexpr DType uintptr = wide_pointer ? DType::u64 : DType::u32;

/// Codes may have a byte order before them.
constexpr Spelling codes[] = {
    {"f8", DType::f64}, {"f4", DType::f32}, {"f2", DType::f16}, {"i8", DType::i64}, {"i4", DType::i32},
    {"i2", DType::i16}, {"i1", DType::i8},  {"u8", DType::u64}, {"u4", DType::u32}, {"u2", DType::u16},
    {"u1", DType::u8},  {"b1", DType::u8},  {"d", DType::f64},  {"f", DType::f32},  {"e", DType::f16},
    {"q", DType::i64},  {"l", c_long},      {"i", DType::i32},  {"h", DType::i16},  {"b", DType::i8},
    {"Q", DType::u64},  {"L", c_ulong},     {"I", DType::u32},  {"H", DType::u16},  {"B", DType::u8},
    {"?", DType::u8},   {"p", intptr},      {"P", uintptr},     {"n", intptr},      {"N", uintptr},
};

/// Names have no byte order: they are in that of the machine.
constexpr Spelling names[] = {
    {"float64", DType::f64},  {"double", DType::f64},    {"float", DType::f64},   {"float_", DType::f64},
    {"float32", DType::f32},  {"single", DType::f32},    {"float16", DType::f16}, {"half", DType::f16},
    {"int64", DType::i64},    {"int32", DType::i32},     {"int16", DType::i16},   {"int8", DType::i8},
    {"uint64", DType::u64},   {"uint32", DType::u32},    {"uint16", DType::u16},  {"uint8", DType::u8},
    {"longlong", DType::i64}, {"long", c_long},          {"int", c_long},         {"int_", c_long},
    {"intc", DType::i32},     {"short", DType::i16},     {"byte", DType::i8},     {"intp", intptr},
    {"int0", intptr},         {"ulonglong", DType::u64}, {"ulong", c_ulong},      {"uint", c_ulong},
    {"uintc", DType::u32},    {"ushort", DType::u16},    {"ubyte", DType::u8},    {"uintp", uintptr},
    {"uint0", uintptr},       {"bool", DType::u8},       {"bool_", DType::u8},    {"bool8", DType::u8},
};

static_assert(std::all_of(all_dtypes.begin(), all_dtypes.end(),
                          [](DType dtype) {
                            const auto is_it = [=](const Spelling& s) { return s.dtype == dtype; };
                            const bool has_code = std::any_of(std::begin(codes), std::end(codes), is_it);
                            return has_code != (dtype == DType::bf16);
                          }),
              "every element type but bf16, which is read only when asked for, has its code in .npy here");

std::optional<DType> find(const auto& table, std::string_view name) noexcept {
  for (const Spelling& spelling : table)
    if (spelling.name == name) return spelling.dtype;
  return std::nullopt;
}

constexpr std::string_view objects =
    "Python objects, which only Python can read; convert them to numbers, a.astype('f8')";
constexpr std::string_view complex_numbers =
    "complex; save a.real and a.imag, or both side by side, a.view('f8') or a.view('f4')";
constexpr std::string_view characters = "text; convert it to numbers, a.astype('f8')";
constexpr std::string_view one_byte_texts =
    "text of one byte each; save their codes, a.view('u1'), or convert digits to numbers, a.astype('f8')";
constexpr std::string_view dates = "dates or durations; save their numbers, a.astype('i8')";
constexpr std::string_view raw_bytes =
    "raw bytes or structures; save one field, a['name'], view them as numbers, or, where they are bfloat16"
    " ('V2'), ask for bf16";
constexpr std::string_view structures =
    "structured or arrays, and have no one type; save one field, a['f0'], or all of them as one type with"
    " numpy.lib.recfunctions.structured_to_unstructured(a)";
constexpr std::string_view other_widths =
    "floating-point numbers of another width than 2, 4 or 8 bytes; convert them, a.astype('f8')";
constexpr std::string_view unknown = "of a type that is not known here; convert them, a.astype('f8')";

struct Refused {
  std::string_view name;
  std::string_view refusal;
};

constexpr Refused refused_codes[] = {
    {"O", objects},           {"O4", objects},          {"O8", objects},          {"c", one_byte_texts},
    {"F", complex_numbers},   {"D", complex_numbers},   {"G", complex_numbers},   {"c8", complex_numbers},
    {"c16", complex_numbers}, {"c24", complex_numbers}, {"c32", complex_numbers}, {"T", characters},
    {"g", other_widths},
};

constexpr Refused refused_names[] = {
    {"object", objects},
    {"object_", objects},
    {"object0", objects},
    {"complex", complex_numbers},
    {"complex_", complex_numbers},
    {"complex64", complex_numbers},
    {"complex128", complex_numbers},
    {"complex192", complex_numbers},
    {"complex256", complex_numbers},
    {"csingle", complex_numbers},
    {"singlecomplex", complex_numbers},
    {"cdouble", complex_numbers},
    {"cfloat", complex_numbers},
    {"clongdouble", complex_numbers},
    {"clongfloat", complex_numbers},
    {"longcomplex", complex_numbers},
    {"str", characters},
    {"str_", characters},
    {"str0", characters},
    {"unicode", characters},
    {"unicode_", characters},
    {"bytes", characters},
    {"bytes_", characters},
    {"bytes0", characters},
    {"string_", characters},
    {"void", raw_bytes},
    {"void0", raw_bytes},
    {"longdouble", other_widths},
    {"longfloat", other_widths},
    {"float96", other_widths},
    {"float128", other_widths},
};

bool are_digits(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789") == text.npos;
}

/// "M8", "M8[ns]", ...: `name` is the kind, and perhaps a unit.
bool has_unit(std::string_view name, std::string_view kind) noexcept {
  return name.starts_with(kind) && (name.size() == kind.size() || name[kind.size()] == '[');
}

/// Structures: 'f8,i4' has two fields; each element of '3f8' and of '(2,)f8' is an array.
bool is_structure(std::string_view code) noexcept {
  if (code.empty()) return false;
  if (code.starts_with('(') || are_digits(code.substr(0, 1))) return true;
  const std::size_t comma = code.find(',');
  return comma != code.npos && npy_type(code.substr(0, comma)).dtype.has_value();
}

std::string_view describe_refused_code(std::string_view code) noexcept {
  for (const Refused& refused : refused_codes)
    if (refused.name == code) return refused.refusal;
  for (const std::string_view kind : {"M", "m", "M8", "m8", "datetime64", "timedelta64"})
    if (has_unit(code, kind)) return dates;
  if (is_structure(code)) return structures;
  const char letter = code.empty() ? '\0' : code.front();
  if (letter == '\0' || !are_digits(code.substr(1))) return unknown;
  if (letter == 'S' || letter == 'U' || letter == 'a') return characters;
  if (letter == 'V') return raw_bytes;
  return letter == 'f' ? other_widths : unknown;
}

std::string_view describe_refused_name(std::string_view name) noexcept {
  for (const Refused& refused : refused_names)
    if (refused.name == name) return refused.refusal;
  return describe_refused_code(name);
}

}  // namespace

NpyType npy_type(std::string_view name) noexcept {
  constexpr char other_order = std::endian::native == std::endian::little ? '>' : '<';
  const char order = name.empty() ? '\0' : name.front();
  const bool has_order = order == '<' || order == '>' || order == '=' || order == '|';
  const std::string_view code = name.substr(has_order ? 1 : 0);

  NpyType type;
  type.dtype = find(codes, code);
  if (!type.dtype && !has_order) type.dtype = find(names, code);
  if (!type.dtype) type.refusal = has_order ? describe_refused_code(code) : describe_refused_name(code);
  type.pairs_of_bytes = code == "V2";
  type.swapped =
      order == other_order && (type.pairs_of_bytes || (type.dtype && dtype_bytes(*type.dtype) > 1));
  return type;
}

}  // namespace nodewise::source
