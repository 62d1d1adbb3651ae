// JSON, written and read. Method: texts and trees side by side, from RFC 8259's grammar; then every way of
// being wrong that a strict reader must refuse, each with the place that its message names.
#include "base/json_reader.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include <nodewise/error.hpp>

#include "base/json_writer.hpp"
#include "base/utf8.hpp"

using namespace nodewise;
using namespace nodewise::base;

namespace {

template <class T>
T read(std::string_view text) {
  const JsonValue value = parse_json(text);
  const T* content = value.get_if<T>();
  REQUIRE_MESSAGE(content != nullptr, text);
  return *content;
}

std::string error_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, limits);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no error";
}

template <class T>
std::string written(const T& value) {
  JsonWriter json;
  json.value(value);
  return json.take();
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

void write_sample(JsonWriter& json) {
  json.begin_object();
  json.member("name", "x");
  json.key("list");
  json.begin_array();
  json.value(1);
  json.begin_object();
  json.member("a", true);
  json.member("b", nullptr);
  json.end_object();
  json.begin_array();
  json.end_array();
  json.end_array();
  json.key("none");
  json.begin_object();
  json.end_object();
  json.end_object();
}

}  // namespace

TEST_CASE("the writer puts commas and colons where they belong") {
  JsonWriter json;
  write_sample(json);
  CHECK(json.take() == R"({"name": "x", "list": [1, {"a": true, "b": null}, []], "none": {}})");
  json.value(7);
  CHECK_MESSAGE(json.take() == "7", "a writer that was emptied starts anew");
}

TEST_CASE("outer levels are broken into lines, inner ones are not") {
  JsonWriter json(2);
  write_sample(json);
  CHECK(json.take() ==
        "{\n"
        "  \"name\": \"x\",\n"
        "  \"list\": [\n"
        "    1,\n"
        "    {\"a\": true, \"b\": null},\n"
        "    []\n"
        "  ],\n"
        "  \"none\": {}\n"
        "}\n");
}

TEST_CASE("a document is taken into another as it is") {
  JsonWriter inner(1);
  inner.begin_array();
  inner.value("}");
  inner.end_array();
  JsonWriter json;
  json.begin_array();
  json.raw(inner.take());
  json.raw("{}");
  json.value(2);
  json.end_array();
  CHECK(json.take() == "[[\n  \"}\"\n], {}, 2]");
}

TEST_CASE("strings that look like brackets do not confuse the writer") {
  JsonWriter json;
  json.begin_array();
  for (const char* string : {"[", "{", " ", "", ","}) json.value(string);
  json.end_array();
  CHECK(json.take() == R"(["[", "{", " ", "", ","])");
}

TEST_CASE("what is written is read back equal") {
  SUBCASE("integers") {
    CHECK(written(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(read<std::uint64_t>("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
    CHECK(written(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
    CHECK(read<std::int64_t>("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
    CHECK(written(std::uint8_t{65}) == "65");
    CHECK(written(std::optional<int>()) == "null");
    CHECK(written(std::optional<int>(-3)) == "-3");
  }
  SUBCASE("doubles in their shortest form") {
    CHECK(written(0.1) == "0.1");
    CHECK(written(1e300) == "1e+300");
    CHECK(written(3.0) == "3");
    for (const double value :
         {0.0, -0.0, 0.1, 1.0 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
          9007199254740993.0, 1.8446744073709552e19, -1e22, 123456789012345680.0})
      CHECK(same_bits(*parse_json(written(value)).as_double(), value));
    std::mt19937_64 random(20);
    for (int round = 0; round < 20000; ++round) {
      const double value = std::bit_cast<double>(random());
      if (std::isfinite(value)) REQUIRE(same_bits(*parse_json(written(value)).as_double(), value));
    }
  }
  SUBCASE("doubles that are no numbers, as strings") {
    CHECK(written(std::numeric_limits<double>::quiet_NaN()) == "\"NaN\"");
    CHECK(written(std::numeric_limits<double>::infinity()) == "\"Infinity\"");
    CHECK(written(-std::numeric_limits<double>::infinity()) == "\"-Infinity\"");
    CHECK(std::isnan(*parse_json("\"NaN\"").as_double()));
    CHECK(*parse_json("\"Infinity\"").as_double() == std::numeric_limits<double>::infinity());
    CHECK(*parse_json("\"-Infinity\"").as_double() == -std::numeric_limits<double>::infinity());
    CHECK(!parse_json("\"nan\"").as_double());
    CHECK(!parse_json("true").as_double());
    CHECK(*parse_json("-4").as_double() == -4.0);
  }
  SUBCASE("strings of every byte") {
    std::string all;
    for (int byte = 0; byte < 128; ++byte) all += static_cast<char>(byte);
    all += "\u00e9\u20ac\U0001f600";
    CHECK(read<std::string>(written(all)) == all);
    CHECK(written("a\"b\\c\n\x01") == R"("a\"b\\c\n\u0001")");
  }
  SUBCASE("bytes that are no UTF-8 become the replacement character") {
    CHECK(written("a\xFF"
                  "b\xC3") ==
          "\"a\xEF\xBF\xBD"
          "b\xEF\xBF\xBD\"");
  }
}

TEST_CASE("numbers keep their type") {
  CHECK(read<std::uint64_t>("0") == 0);
  CHECK(read<std::int64_t>("-1") == -1);
  CHECK(same_bits(read<double>("-0"), -0.0));
  CHECK(read<double>("1.0") == 1.0);
  CHECK(read<double>("1e3") == 1000.0);
  CHECK(read<double>("2.5E-1") == 0.25);
  CHECK(read<double>("18446744073709551616") == 18446744073709551616.0);
  CHECK(read<double>("-9223372036854775809") == -9223372036854775808.0);
}

TEST_CASE("values of every kind are read") {
  const JsonValue value =
      parse_json(" {\"b\" : [true,false, null ] ,\n\t\"a\":{\"x\":\"\\u00e9\\uD83D\\uDE00\\/\"}}\r\n");
  REQUIRE(value.find("a") != nullptr);
  CHECK(*value.find("a")->find("x")->get_if<std::string>() == "\u00e9\U0001f600/");
  CHECK(value.find("c") == nullptr);
  CHECK(value.find("b")->find("a") == nullptr);
  const auto& list = *value.find("b")->get_if<JsonArray>();
  REQUIRE(list.size() == 3);
  CHECK(*list[0].get_if<bool>());
  CHECK(!*list[1].get_if<bool>());
  CHECK(list[2].is_null());
  CHECK(read<std::string>(R"("\"\\\/\b\f\n\r\t\u0000")") == std::string("\"\\/\b\f\n\r\t\0", 9));
  CHECK(parse_json("{}").get_if<JsonObject>()->empty());
  CHECK(parse_json("[]").get_if<JsonArray>()->empty());
}

TEST_CASE("UTF-8 is measured character by character") {
  CHECK(utf8_length("") == 0);
  CHECK(utf8_length("a") == 1);
  for (const char32_t code_point : {0x0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u,
                                    0x3FFFFu, 0x40000u, 0x10FFFFu}) {
    std::string text;
    append_utf8(text, code_point);
    CHECK(utf8_length(text) == text.size());
    CHECK(utf8_length(text + "\x80") == text.size());
    if (text.size() > 1) CHECK(utf8_length(std::string_view(text).substr(0, text.size() - 1)) == 0);
    if (text.size() > 2) CHECK(utf8_length(text.substr(0, text.size() - 1) + "a") == 0);
  }
  for (const char* malformed :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3(", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xEF\xBF(", "\xEF\xBF\xC0",
        "\xF0\x9F\x98\xC0", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    CHECK(utf8_length(malformed) == 0);
}

TEST_CASE("fields are read by name and type") {
  const JsonValue value = parse_json(R"({"n": 5, "s": "text", "l": [1]})");
  const JsonFields fields(value, "thing");
  CHECK(fields.u64("n") == 5);
  CHECK(fields.string("s") == "text");
  CHECK(fields.array("l").size() == 1);
  CHECK_THROWS_WITH_AS(fields.u64("m"), "thing.m is missing", FormatError);
  CHECK_THROWS_WITH_AS(fields.u64("s"), "thing.s is not an integer from 0 to 2^64 - 1", FormatError);
  CHECK_THROWS_WITH_AS(fields.string("n"), "thing.n is not a string", FormatError);
  CHECK_THROWS_WITH_AS(fields.array("n"), "thing.n is not an array", FormatError);
  CHECK_THROWS_WITH_AS(JsonFields(*value.find("l"), "thing.l"), "thing.l is not an object", FormatError);
}

TEST_CASE("what RFC 8259 does not allow is refused") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{\"a\" 1}",
                           "{1:1}",
                           "tru",
                           "nulll",
                           "True",
                           "NaN",
                           "Infinity",
                           "-",
                           "+1",
                           "01",
                           "-01",
                           "1.",
                           ".5",
                           "1.e3",
                           "1e",
                           "1e+",
                           "0x10",
                           "1 1",
                           "\"",
                           "\"a",
                           "\"\\",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12G4\"",
                           "\"\\u+123\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\n\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\\udc00\\udc00\"",
                           "\"\x1f\"",
                           "\"\t\"",
                           "\"\xFF\"",
                           "\"\xC3\"",
                           "\"\xED\xA0\x80\"",
                           "'a'",
                           "[1]//",
                           "\xEF\xBB\xBF[]",
                           "1e400",
                           "-1e400",
                           "[1]]",
                           "{\"a\":1]"})
    CHECK_MESSAGE(error_of(text) != "no error", text);
  CHECK(error_of(std::string_view("[]\0", 3)) != "no error");
  CHECK(error_of(std::string_view("\0", 1)) != "no error");
}

TEST_CASE("errors say where and what") {
  CHECK(error_of("[1,\n  x]") == "JSON, line 2, byte 3: expected a value");
  CHECK(error_of("{\"a\": 1, \"a\": 2}") ==
        "JSON, line 1, byte 17: the object that ends here has two members named \"a\"");
  CHECK(error_of("{\"a\": 1, \"\\u0061\": 2}").ends_with("has two members named \"a\""));
  CHECK(error_of("1e999") == "JSON, line 1, byte 6: the number before here is out of range");
}

TEST_CASE("limits hold") {
  const std::string nested = std::string(64, '[') + std::string(64, ']');
  CHECK(error_of(nested) == "no error");
  CHECK(error_of("[" + nested + "]") == "JSON, line 1, byte 65: nested deeper than 64");
  CHECK(error_of("[[], [], {\"a\": {}}]", {.max_bytes = 100, .max_depth = 3}) == "no error");
  CHECK(error_of("[[1, 2]]", {.max_bytes = 8, .max_depth = 2}) == "no error");
  CHECK(error_of("[[1, 2]] ", {.max_bytes = 8, .max_depth = 2}) ==
        "JSON: 9 bytes are more than the limit of 8");
  CHECK(error_of(std::string(1000000, '[')).ends_with("nested deeper than 64"));
}
