// Writing JSON (RFC 8259), always well-formed UTF-8.
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
/// Keeping brackets balanced and keys in objects is the caller's part. Thread class: value.
class JsonWriter {
 public:
  /// Containers nested less than `broken_levels` deep are broken into lines, the others stay on one line.
  explicit JsonWriter(unsigned broken_levels = 0) noexcept : broken_levels_(broken_levels) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  /// Bytes that are no UTF-8 are written as U+FFFD.
  void value(std::string_view string);
  void value(const char* string) { value(std::string_view(string)); }
  void value(bool truth);
  void value(std::nullptr_t);
  /// The shortest form that reads back equal; "NaN", "Infinity" and "-Infinity" are strings.
  void value(double number);
  template <std::integral Integer>
  requires(!std::same_as<Integer, char>) void value(Integer number) {
    separate();
    append(out_, number);
  }
  /// A value that is JSON already, taken as it is but for white space at its end.
  void raw(std::string_view json);
  /// null where there is none.
  template <class T>
  void value(const std::optional<T>& maybe) {
    maybe ? value(*maybe) : value(nullptr);
  }

  template <class T>
  void member(std::string_view name, const T& content) {
    key(name);
    value(content);
  }

  /// The document, ended by a newline if it is broken into lines. The writer is then empty.
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
