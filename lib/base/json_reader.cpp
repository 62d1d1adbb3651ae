#include "base/json_reader.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace nodewise::base {
namespace {

bool is_digit(char character) noexcept {
  return character >= '0' && character <= '9';
}

/// A recursive-descent parser. The allowed depth of containers limits its recursion.
class Parser {
 public:
  Parser(std::string_view text, const JsonLimits& limits) noexcept : text_(text), limits_(limits) {}

  JsonValue document() {
    JsonValue value = parse_value();
    skip_space();
    if (!at_end()) fail("text after the end of the document");
    return value;
  }

 private:
  [[noreturn]] void fail(std::string_view problem) const;
  bool at_end() const noexcept { return position_ == text_.size(); }
  /// The next character; NUL at the end, which the grammar allows nowhere.
  char peek() const noexcept { return at_end() ? '\0' : text_[position_]; }
  void skip_space() noexcept;
  bool accept(char character) noexcept;
  void expect(char character);
  void enter();

  JsonValue parse_value();
  JsonValue parse_literal();
  JsonValue parse_array();
  JsonValue parse_object();
  JsonValue parse_number();
  void skip_digits();
  bool skip_number();
  std::string parse_string();
  void parse_escape(std::string& out);
  char32_t parse_code_point();
  char32_t parse_hex4();

  std::string_view text_;
  const JsonLimits& limits_;
  std::size_t position_ = 0;
  unsigned depth_ = 0;
};

void Parser::fail(std::string_view problem) const {
  const std::string_view before = text_.substr(0, position_);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  throw FormatError(text("JSON, line ", line, ", byte ", position_ - line_begin + 1, ": ", problem));
}

void Parser::skip_space() noexcept {
  while (!at_end()) {
    const char character = text_[position_];
    if (character != ' ' && character != '\n' && character != '\t' && character != '\r') return;
    ++position_;
  }
}

bool Parser::accept(char character) noexcept {
  if (at_end() || text_[position_] != character) return false;
  ++position_;
  return true;
}

void Parser::expect(char character) {
  if (!accept(character)) fail(text("expected '", character, "'"));
}

void Parser::enter() {
  if (++depth_ > limits_.max_depth) fail(text("nested deeper than ", limits_.max_depth));
}

JsonValue Parser::parse_value() {
  skip_space();
  switch (peek()) {
    case '{':
      return parse_object();
    case '[':
      return parse_array();
    case '"':
      return JsonValue(parse_string());
    case 't':
    case 'f':
    case 'n':
      return parse_literal();
    default:
      return parse_number();
  }
}

JsonValue Parser::parse_literal() {
  const std::pair<std::string_view, JsonValue::Storage> literals[] = {
      {"true", true}, {"false", false}, {"null", nullptr}};
  for (const auto& [name, storage] : literals) {
    if (!text_.substr(position_).starts_with(name)) continue;
    position_ += name.size();
    return JsonValue(storage);
  }
  fail("expected a value");
}

JsonValue Parser::parse_array() {
  enter();
  expect('[');
  JsonArray elements;
  skip_space();
  if (!accept(']')) {
    do {
      elements.push_back(parse_value());
      skip_space();
    } while (accept(','));
    expect(']');
  }
  --depth_;
  return JsonValue(std::move(elements));
}

JsonValue Parser::parse_object() {
  enter();
  expect('{');
  JsonObject members;
  skip_space();
  if (!accept('}')) {
    do {
      skip_space();
      std::string name = parse_string();
      skip_space();
      expect(':');
      members.push_back({std::move(name), parse_value()});
      skip_space();
    } while (accept(','));
    expect('}');
  }
  --depth_;
  const auto by_name = [](const JsonMember& a, const JsonMember& b) { return a.name < b.name; };
  const auto same_name = [](const JsonMember& a, const JsonMember& b) { return a.name == b.name; };
  std::sort(members.begin(), members.end(), by_name);
  const auto twice = std::adjacent_find(members.begin(), members.end(), same_name);
  if (twice != members.end())
    fail(text("the object that ends here has two members named ", quoted(twice->name)));
  return JsonValue(std::move(members));
}

void Parser::skip_digits() {
  if (!is_digit(peek())) fail("expected a digit");
  while (is_digit(peek())) ++position_;
}

/// Skips a number of the JSON grammar; returns whether it is an integer.
bool Parser::skip_number() {
  accept('-');
  if (!is_digit(peek())) fail("expected a value");
  if (!accept('0')) skip_digits();
  bool integer = true;
  if (accept('.')) {
    integer = false;
    skip_digits();
  }
  if (accept('e') || accept('E')) {
    integer = false;
    accept('+') || accept('-');
    skip_digits();
  }
  return integer;
}

JsonValue Parser::parse_number() {
  const char* const begin = text_.data() + position_;
  const bool integer = skip_number();
  const char* const end = text_.data() + position_;
  const bool negative_zero = std::string_view(begin, end) == "-0";
  std::uint64_t u64 = 0;
  std::int64_t i64 = 0;
  double real = 0;
  if (integer && std::from_chars(begin, end, u64).ec == std::errc()) return JsonValue(u64);
  if (integer && !negative_zero && std::from_chars(begin, end, i64).ec == std::errc()) return JsonValue(i64);
  if (std::from_chars(begin, end, real).ec != std::errc()) fail("the number before here is out of range");
  return JsonValue(real);
}

std::string Parser::parse_string() {
  expect('"');
  std::string out;
  while (!accept('"')) {
    if (at_end()) fail("the string has no end");
    if (accept('\\')) {
      parse_escape(out);
      continue;
    }
    const std::string_view rest = text_.substr(position_);
    if (static_cast<unsigned char>(rest.front()) < 0x20) fail("a control character in a string");
    const std::size_t bytes = utf8_length(rest);
    if (bytes == 0) fail("malformed UTF-8");
    out += rest.substr(0, bytes);
    position_ += bytes;
  }
  return out;
}

void Parser::parse_escape(std::string& out) {
  constexpr std::string_view names = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  if (accept('u')) return append_utf8(out, parse_code_point());
  const std::size_t index = at_end() ? names.npos : names.find(peek());
  if (index == names.npos) fail("unknown escape");
  out += meanings[index];
  ++position_;
}

/// Reads what follows "\u": four hexadecimal digits. If they are a high surrogate, it also reads the escape
/// of the low surrogate.
char32_t Parser::parse_code_point() {
  const char32_t high = parse_hex4();
  if (high < 0xD800 || high > 0xDFFF) return high;
  if (high > 0xDBFF || !accept('\\') || !accept('u')) fail("a surrogate without its other half");
  const char32_t low = parse_hex4();
  if (low < 0xDC00 || low > 0xDFFF) fail("a surrogate without its other half");
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

char32_t Parser::parse_hex4() {
  const std::size_t left = text_.size() - position_;
  const char* const begin = text_.data() + position_;
  const char* const end = begin + std::min<std::size_t>(4, left);
  std::uint32_t value = 0;
  if (std::from_chars(begin, end, value, 16).ptr - begin != 4) fail("expected four hexadecimal digits");
  position_ += 4;
  return value;
}

}  // namespace

std::optional<double> JsonValue::as_double() const noexcept {
  if (const auto* real = get_if<double>()) return *real;
  if (const auto* u64 = get_if<std::uint64_t>()) return static_cast<double>(*u64);
  if (const auto* i64 = get_if<std::int64_t>()) return static_cast<double>(*i64);
  const auto* string = get_if<std::string>();
  if (string == nullptr) return std::nullopt;
  if (*string == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (*string == "Infinity") return std::numeric_limits<double>::infinity();
  if (*string == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

const JsonValue* JsonValue::find(std::string_view name) const noexcept {
  const auto* members = get_if<JsonObject>();
  if (members == nullptr) return nullptr;
  const auto before = [](const JsonMember& member, std::string_view wanted) { return member.name < wanted; };
  const auto found = std::lower_bound(members->begin(), members->end(), name, before);
  return found != members->end() && found->name == name ? &found->value : nullptr;
}

JsonValue parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes)
    throw FormatError(
        base::text("JSON: ", text.size(), " bytes are more than the limit of ", limits.max_bytes));
  return Parser(text, limits).document();
}

JsonFields::JsonFields(const JsonValue& value, std::string where)
    : object_(&value), where_(std::move(where)) {
  if (value.get_if<JsonObject>() == nullptr) throw FormatError(text(where_, " is not an object"));
}

std::string JsonFields::name_of(std::string_view name) const {
  return text(where_, '.', name);
}

template <class T>
const T& JsonFields::member(std::string_view name, std::string_view type) const {
  const JsonValue* value = object_->find(name);
  if (value == nullptr) throw FormatError(text(name_of(name), " is missing"));
  const T* content = value->get_if<T>();
  if (content == nullptr) throw FormatError(text(name_of(name), " is not ", type));
  return *content;
}

std::uint64_t JsonFields::u64(std::string_view name) const {
  return member<std::uint64_t>(name, "an integer from 0 to 2^64 - 1");
}
std::string_view JsonFields::string(std::string_view name) const {
  return member<std::string>(name, "a string");
}
const JsonArray& JsonFields::array(std::string_view name) const {
  return member<JsonArray>(name, "an array");
}

}  // namespace nodewise::base
