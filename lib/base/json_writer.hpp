// Writes JSON (RFC 8259) that is always well-formed UTF-8.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace nodewise::base {

/// Writes one document, from its first bracket to its last:
///     JsonWriter json;
///     json.begin_object();
///     json.member("batches", 7);
///     json.end_object();
///     return json.take();
/// The caller must balance brackets, and write keys in objects only. Thread class: value.
class JsonWriter {
 public:
  /// Containers that are nested less than `broken_levels` deep have a line for each element; all others are
  /// on one line.
  explicit JsonWriter(unsigned broken_levels = 0) noexcept : broken_levels_(broken_levels) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  /// Bytes that are not UTF-8 are written as U+FFFD.
  void value(std::string_view string);
  void value(const char* string) { value(std::string_view(string)); }
  void value(bool truth);
  void value(std::nullptr_t);
  /// Writes the shortest text that reads back as the same double. "NaN", "Infinity" and "-Infinity" are
  /// strings.
  void value(double number);
  template <std::integral Integer>
  requires(!std::same_as<Integer, char>) void value(Integer number) {
    separate();
    append(out_, number);
  }
  /// Writes a value that is JSON already. Only white space at its end is removed.
  void raw(std::string_view json);
  /// Writes null if there is no value.
  template <class T>
  void value(const std::optional<T>& maybe) {
    maybe ? value(*maybe) : value(nullptr);
  }

  template <class T>
  void member(std::string_view name, const T& content) {
    key(name);
    value(content);
  }

  /// Returns the document, which ends in a newline if it has several lines. The writer is then empty.
  std::string take();

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void break_line();
  void quote(std::string_view string);

  std::string out_;
  unsigned broken_levels_;
  unsigned depth_ = 0;
};

}  // namespace nodewise::base
