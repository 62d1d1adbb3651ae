// The parser of .npy headers, on bytes made by hand.
//
// Goal: every header that NumPy writes gives the right description, and every other is refused with a message
// that names the file, what was found, and what to do. Method: golden bytes as NumPy 1.24 wrote them; then
// literals wrapped in a preamble, one per rule.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <string>

#include <nodewise/error.hpp>

#include "source/npy_header.hpp"
#include "support/files.hpp"

using nodewise::DType;
using nodewise::FormatError;
using nodewise::Shape;
using nodewise::source::NpyHeader;
using nodewise::source::parse_npy_header;

namespace {

constexpr bool little = std::endian::native == std::endian::little;

std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int byte = 0; byte < bytes; ++byte) out += static_cast<char>(value >> (8 * byte) & 0xff);
  return out;
}

/// Magic, version and length before `literal`.
std::string header(const std::string& literal, int major = 1) {
  return "\x93NUMPY" + std::string{static_cast<char>(major), '\0'} +
         little_endian(literal.size(), major == 1 ? 2 : 4) + literal;
}

std::string literal(const std::string& descr, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
}

NpyHeader parse(const std::string& start, std::uint64_t data_bytes, bool as_bf16 = false) {
  return parse_npy_header(start, start.size() + data_bytes, {.as_bf16 = as_bf16}, "x.npy");
}

/// The table of that name in docs/npy.md.
std::string what_is_read() {
  const std::string page = nodewise::test::text_of(NODEWISE_DOCS "/npy.md");
  const std::size_t begin = page.find("## What is read"), end = page.find("- **Byte order**");
  REQUIRE(begin < end);
  return page.substr(begin, end - begin);
}

/// The message of a refusal must hold all of `pieces`.
void check_refused(const std::string& start, std::uint64_t data_bytes,
                   std::initializer_list<std::string> pieces, bool as_bf16 = false) {
  CAPTURE(start);
  std::string message;
  try {
    parse(start, data_bytes, as_bf16);
  } catch (const FormatError& error) {
    message = error.what();
  }
  CAPTURE(message);
  REQUIRE_FALSE(message.empty());
  CHECK(message.starts_with(".npy file x.npy: "));
  for (const std::string& piece : pieces) {
    CAPTURE(piece);
    CHECK(message.find(piece) != std::string::npos);
  }
}

void check_literal_refused(const std::string& text, std::initializer_list<std::string> pieces) {
  check_refused(header(text), 1 << 20, pieces);
}

}  // namespace

TEST_CASE("what NumPy wrote for numpy.zeros((3, 4))") {
  using namespace std::string_literals;
  const std::string start =
      "\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }"s
      "                                                          \n"s;
  REQUIRE(start.size() == 128);
  const NpyHeader got = parse(start, 96);
  CHECK(got.shape == Shape{3, 4});
  CHECK(got.dtype == DType::f64);
  CHECK_FALSE(got.fortran_order);
  CHECK(got.swapped == !little);
  CHECK(got.data_offset == 128);
  CHECK(got.data_bytes == 96);
}

TEST_CASE("versions 2.0 and 3.0 have four bytes of length") {
  for (const int major : {2, 3}) {
    const std::string start = header(literal("<i4", "(5, 2)"), major);
    const NpyHeader got = parse(start, 40);
    CHECK(got.shape == Shape{5, 2});
    CHECK(got.dtype == DType::i32);
    CHECK(got.data_offset == start.size());
  }
  const std::string padded = header(literal("<f8", "(1, 1)") + std::string(70000, ' '), 2);
  CHECK(parse(padded, 8).data_offset == padded.size());
}

TEST_CASE("every element type, in every byte order") {
  struct Case {
    std::string code;
    DType dtype;
    std::size_t bytes;
  };
  const Case cases[] = {{"f8", DType::f64, 8}, {"f4", DType::f32, 4}, {"f2", DType::f16, 2},
                        {"i8", DType::i64, 8}, {"i4", DType::i32, 4}, {"i2", DType::i16, 2},
                        {"i1", DType::i8, 1},  {"u8", DType::u64, 8}, {"u4", DType::u32, 4},
                        {"u2", DType::u16, 2}, {"u1", DType::u8, 1},  {"b1", DType::u8, 1}};
  const std::string page = what_is_read();
  for (const DType dtype : nodewise::all_dtypes) {
    CAPTURE(dtype_name(dtype));
    CHECK((dtype == DType::bf16 || std::ranges::count(cases, dtype, &Case::dtype) > 0));
    CHECK(page.find(' ' + std::string(dtype_name(dtype))) != std::string::npos);
  }
  for (const Case& c : cases) CHECK(page.find('`' + c.code + '`') != std::string::npos);
  for (const Case& c : cases)
    for (const std::string order : {"<", ">", "=", "|", ""}) {
      CAPTURE(order + c.code);
      const NpyHeader got = parse(header(literal(order + c.code, "(6, 7)")), 42 * c.bytes);
      CHECK(got.dtype == c.dtype);
      CHECK(got.data_bytes == 42 * c.bytes);
      const bool other = order == (little ? ">" : "<");
      CHECK(got.swapped == (other && c.bytes > 1));
    }
}

TEST_CASE("names and letters of C types mean what they mean to numpy.dtype") {
  struct Case {
    std::string descr;
    DType dtype;
    bool swapped = false;
  };
  const Case cases[] = {{"float32", DType::f32},    {"double", DType::f64},      {"half", DType::f16},
                        {"int64", DType::i64},      {"ubyte", DType::u8},        {"bool", DType::u8},
                        {"?", DType::u8},           {"e", DType::f16},           {"b", DType::i8},
                        {">d", DType::f64, little}, {"<H", DType::u16, !little}, {">?", DType::u8}};
  for (const Case& c : cases) {
    CAPTURE(c.descr);
    const NpyHeader got = parse(header(literal(c.descr, "(2, 3)")), 48);
    CHECK(got.dtype == c.dtype);
    CHECK(got.swapped == c.swapped);
  }
}

TEST_CASE("bfloat16 is read when asked for, from u2 and V2 alone") {
  for (const std::string descr : {"<u2", ">u2", "|V2", "<V2", ">V2", "uint16", ">H"}) {
    CAPTURE(descr);
    const NpyHeader got = parse(header(literal(descr, "(3, 4)")), 24, true);
    CHECK(got.dtype == DType::bf16);
    CHECK(got.swapped == (descr[0] == (little ? '>' : '<')));
  }
  for (const std::string descr : {"<f2", "<i2", "<f8", "|V4", "|O"})
    check_refused(header(literal(descr, "(3, 4)")), 96, {"bf16 was asked for", "\"" + descr + "\"", "'V2'"},
                  true);
  check_literal_refused(literal("|V2", "(3, 4)"), {R"("|V2")", "ask for bf16"});
}

TEST_CASE("shapes") {
  const auto shape = [](const std::string& text) { return parse(header(literal("|u1", text)), 1000).shape; };
  CHECK(shape("(5,)") == Shape{5, 1});
  CHECK(shape("(5, 3)") == Shape{5, 3});
  CHECK(shape("(5,3,)") == Shape{5, 3});
  CHECK(shape("( 5L , 3L )") == Shape{5, 3});
  CHECK(shape("(0,)") == Shape{0, 1});
  CHECK(shape("(0, 3)") == Shape{0, 3});
}

TEST_CASE("any order of keys, either quote, white space, no padding") {
  const NpyHeader got = parse(header("\t{\"shape\" :(2,3), 'fortran_order':\n True,'descr': \">u2\"}"), 12);
  CHECK(got.shape == Shape{2, 3});
  CHECK(got.dtype == DType::u16);
  CHECK(got.fortran_order);
  CHECK(got.swapped == little);
}

TEST_CASE("more bytes than the array needs are allowed, as a file may hold several arrays") {
  CHECK(parse(header(literal("<f8", "(2, 2)")), 1000).data_bytes == 32);
}

TEST_CASE("refused: not .npy") {
  check_refused("", 0, {"not an .npy file", R"("")"});
  check_refused("hello, world", 0, {"not an .npy file", R"("hello,")", R"("\x93NUMPY")"});
  check_refused("\x93NUMPX\x01", 0, {"not an .npy file"});
  check_refused("PK\x03\x04 and so on", 0, {".npz archive", "numpy.save"});
}

TEST_CASE("refused: cut off in the preamble") {
  const std::string whole = header(literal("<f8", "(2, 2)"), 2);
  for (std::size_t bytes = 1; bytes < 12; ++bytes)
    check_refused(whole.substr(0, bytes), 0, {"cut off within its first", std::to_string(bytes)});
  check_refused(whole.substr(0, 40), 0, {"header ends at byte " + std::to_string(whole.size()), "has 40"});
}

TEST_CASE("refused: unknown versions") {
  for (const int major : {0, 4, 255}) {
    const std::string version = std::to_string(major) + ".0";
    check_refused(header(literal("<f8", "(2, 2)"), major), 32, {"version " + version, "numpy.save"});
  }
  std::string minor = header(literal("<f8", "(2, 2)"));
  minor[7] = 1;
  check_refused(minor, 32, {"version 1.1"});
}

TEST_CASE("refused: headers that lie about their length") {
  std::string lies = header(literal("<f8", "(2, 2)"), 2);
  lies.replace(8, 4, "\xff\xff\xff\xff");
  check_refused(lies, 1000, {"header ends at byte 4294967307", "cut off"});
  CHECK_THROWS_WITH_AS(parse_npy_header(lies, std::uint64_t{1} << 40, {}, "x.npy"),
                       doctest::Contains("its header of 4294967295 bytes exceeds"), FormatError);
}

TEST_CASE("refused: elements that are not numbers of one type") {
  check_literal_refused(literal("|O", "(2,)"), {R"("|O")", "Python objects", "a.astype('f8')"});
  check_literal_refused(literal("<c16", "(2,)"), {R"("<c16")", "complex", "a.real"});
  check_literal_refused(literal("<U5", "(2,)"), {R"("<U5")", "text"});
  check_literal_refused(literal("|S5", "(2,)"), {R"("|S5")", "text"});
  check_literal_refused(literal("<M8[ns]", "(2,)"), {R"("<M8[ns]")", "dates", "a.astype('i8')"});
  check_literal_refused(literal("<m8[s]", "(2,)"), {R"("<m8[s]")", "durations"});
  check_literal_refused(literal("|V16", "(2,)"), {R"("|V16")", "raw bytes"});
  check_literal_refused(literal("<f16", "(2,)"), {R"("<f16")", "another width"});
  check_literal_refused(literal("longdouble", "(2,)"), {R"("longdouble")", "another width"});
  check_literal_refused(literal("c", "(2,)"), {R"("c")", "text of one byte", "a.view('u1')"});
  for (const std::string descr : {"f8,i4", "(2,)f8", "<3f8"})
    check_literal_refused(literal(descr, "(2,)"), {"\"" + descr + "\"", "structured", "a['f0']"});
  check_literal_refused(literal("nonsense, and more", "(2,)"), {"not known here"});
  for (const std::string descr : {"", "<", "<f3", "<<f8", "<float64", "Float64", "<f8 ", "c1", "b2"})
    check_literal_refused(literal(descr, "(2,)"), {"\"" + descr + "\""});
  for (const std::string descr : {"[('x', '<f8')]", "('<f8', (3,))"})
    check_literal_refused("{'descr': " + descr + ", 'fortran_order': False, 'shape': (2,), }",
                          {"structured", descr.substr(0, 5), "a['name']"});
}

TEST_CASE("refused: shapes that are not samples × features") {
  check_literal_refused(literal("<f8", "()"), {"single value", "numpy.atleast_2d(a)"});
  check_literal_refused(literal("<f8", "(2, 3, 4)"), {"3 dimensions", "a.reshape(len(a), -1)"});
  check_literal_refused(literal("<f8", "(2, 0)"), {"0 features", "2 x 0"});
  check_literal_refused(literal("<f8", "(2)"), {"','", "(3,)"});
  check_literal_refused(literal("<f8", "[2, 3]"), {"'('", "\"[2, 3]"});
  check_literal_refused(literal("<f8", "(-1, 3)"), {"negative", "\"-1, 3)"});
  for (const std::string shape :
       {"(,)", "(2,,3)", "(2, 3", "(2.0, 3)", "(True, 3)", "(+2, 3)", "(02, 3)", "(2 3)", "2, 3"})
    check_literal_refused(literal("<f8", shape), {"should stand"});
}

TEST_CASE("refused: sizes that overflow or lie") {
  const auto start = [](const std::string& shape) { return header(literal("<f8", shape)); };
  check_refused(start("(2, 3)"), 47, {"2 x 3 f64", "need 48 bytes", "only 47"});
  check_refused(start("(18446744073709551615, 2)"), 0, {"18446744073709551615 x 2", "overflow"});
  check_refused(start("(0, 4611686018427387904)"), 0, {"overflow"});
  check_refused(start("(2305843009213693951,)"), 0, {"overflow"});
  check_refused(start("(18446744073709551616,)"), 0, {"beyond 64 bits"});
  CHECK(parse(start("(2, 3)"), 48).data_bytes == 48);
}

TEST_CASE("refused: a header that is no dictionary of the three entries") {
  check_literal_refused("", {"not closed", "'{'"});
  check_literal_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), ", {"not closed"});
  check_literal_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)", {"not closed", "'}'"});
  check_literal_refused("{'descr': '<f8", {"not closed", "\"'<f8"});
  check_literal_refused("{}", {"lacks", R"("descr")"});
  check_literal_refused("{'descr': '<f8', 'shape': (2,)}", {"lacks", R"("fortran_order")"});
  check_literal_refused("{'descr': '<f8', 'fortran_order': False}", {"lacks", R"("shape")"});
  check_literal_refused("{'descr': '<f8', 'descr': '<f4'}", {R"("descr")", "twice"});
  check_literal_refused("{'order': 'C'}", {"unknown key \"order\""});
  check_literal_refused("{descr: '<f8'}", {"a key", "\"descr: "});
  check_literal_refused("{,}", {"a key"});
  check_literal_refused("{'descr' '<f8'}", {"':'"});
  check_literal_refused("{'descr': f8}", {"in quotes"});
  check_literal_refused("{'fortran_order': 0}", {"True or False"});
  check_literal_refused("{'fortran_order': Truest}", {"'}'", R"("st}")"});
  check_literal_refused(literal("<f8", "(2,)") + "x", {"more text", R"("x")"});
}

TEST_CASE("messages cut long texts short and keep control characters out") {
  check_literal_refused(literal("\x1b[31m\xff" + std::string(100, 'q'), "(2,)"),
                        {R"("\x1b[31m\xffqqq)", "qqq\"..."});
}
