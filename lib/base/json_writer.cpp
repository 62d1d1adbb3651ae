#include "base/json_writer.hpp"

#include <cassert>
#include <cmath>
#include <utility>

#include "base/utf8.hpp"

namespace nodewise::base {
namespace {

/// Whether a container's first element, or the value of a key, is to be written next. A string cannot be
/// mistaken for this, because it ends in a quotation mark.
bool expects_no_comma(const std::string& out) noexcept {
  return out.empty() || out.back() == '{' || out.back() == '[' || out.back() == ' ';
}

void append_escaped(std::string& out, char character) {
  constexpr char digits[] = "0123456789abcdef";
  switch (character) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += digits[static_cast<unsigned char>(character) >> 4];
      out += digits[static_cast<unsigned char>(character) & 15];
  }
}

}  // namespace

void JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out_ += ": ";
}

void JsonWriter::value(std::string_view string) {
  separate();
  quote(string);
}

void JsonWriter::value(bool truth) {
  separate();
  out_ += truth ? "true" : "false";
}

void JsonWriter::value(std::nullptr_t) {
  separate();
  out_ += "null";
}

void JsonWriter::value(double number) {
  if (std::isnan(number)) return value("NaN");
  if (std::isinf(number)) return value(number < 0 ? "-Infinity" : "Infinity");
  separate();
  append(out_, number);
}

void JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json.substr(0, json.find_last_not_of(" \n\r\t") + 1);
}

std::string JsonWriter::take() {
  assert(depth_ == 0);
  if (broken_levels_ > 0) out_ += '\n';
  return std::exchange(out_, {});
}

void JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  ++depth_;
}

void JsonWriter::close(char bracket) {
  const bool empty = out_.back() == '{' || out_.back() == '[';
  --depth_;
  if (!empty && depth_ < broken_levels_) break_line();
  out_ += bracket;
}

void JsonWriter::separate() {
  const bool first = expects_no_comma(out_);
  if (!first) out_ += ',';
  const bool after_key = !out_.empty() && out_.back() == ' ';
  if (depth_ == 0 || after_key) return;
  if (depth_ <= broken_levels_)
    break_line();
  else if (!first)
    out_ += ' ';
}

void JsonWriter::break_line() {
  out_ += '\n';
  out_.append(2 * depth_, ' ');
}

void JsonWriter::quote(std::string_view string) {
  out_ += '"';
  while (!string.empty()) {
    const std::size_t bytes = utf8_length(string);
    const char first = string.front();
    if (bytes == 0)
      out_ += "\xEF\xBF\xBD";
    else if (first == '"' || first == '\\' || static_cast<unsigned char>(first) < 0x20)
      append_escaped(out_, first);
    else
      out_ += string.substr(0, bytes);
    string.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  out_ += '"';
}

}  // namespace nodewise::base
