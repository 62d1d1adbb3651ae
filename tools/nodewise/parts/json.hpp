// JSON as the command prints it: a value is put together, then written whole.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nodewise::tools {

/// A value that holds other values: `Json({{"name", 7}, ...})` is an object whose members keep their order,
/// `Json::array()` and push_back make an array.
class Json {
 public:
  using Member = std::pair<std::string, Json>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  Json(bool truth) : value_(truth) {}
  template <std::signed_integral Number>
  Json(Number number) : value_(std::int64_t{number}) {}
  template <std::unsigned_integral Number>
  Json(Number number) : value_(std::uint64_t{number}) {}
  Json(double number) : value_(number) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(const char* text) : value_(std::string(text)) {}
  /// null where there is none.
  template <class T>
  Json(const std::optional<T>& maybe) {
    if (maybe) *this = Json(*maybe);
  }
  /// An array.
  template <class T>
  Json(const std::vector<T>& items) : value_(Array(items.begin(), items.end())) {}
  /// An object.
  Json(std::initializer_list<Member> members) : value_(Object(members)) {}

  static Json array() { return Json(Array()); }
  /// What a function of the library wrote. Precondition: `text` is JSON.
  static Json parse(std::string_view text);

  /// Precondition of these: it is an array, an object.
  void push_back(Json item) { std::get<Array>(value_).push_back(std::move(item)); }
  void add(std::string name, Json value) {
    std::get<Object>(value_).emplace_back(std::move(name), std::move(value));
  }
  void add_members_of(const Json& object);
  void remove(std::string_view name);

  /// The document: doubles in the shortest form that reads back equal, NaN and infinities as strings, text
  /// that is no UTF-8 mended; the outer levels one member a line, lists of numbers on one.
  std::string text() const;

 private:
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;
  class Writer;
  friend struct JsonReader;
  explicit Json(Array items) : value_(std::move(items)) {}
  explicit Json(Object members) : value_(std::move(members)) {}

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> value_;
};

}  // namespace nodewise::tools
