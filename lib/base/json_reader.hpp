// Reads JSON (RFC 8259) strictly, into a tree of values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nodewise::base {

struct JsonMember;
class JsonValue;
using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<JsonMember>;  ///< Sorted by name.

/// A value of a JSON text. Integers are exact if they fit into u64 or else i64; all others become the nearest
/// double. "-0" is a double, so that it keeps its sign. Thread class: value.
class JsonValue {
 public:
  using Storage = std::variant<std::nullptr_t, bool, std::uint64_t, std::int64_t, double, std::string,
                               JsonArray, JsonObject>;
  JsonValue() = default;
  explicit JsonValue(Storage storage) noexcept;

  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(storage_); }
  /// The content, if it is of type T (one of Storage's types); otherwise null.
  template <class T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&storage_);
  }
  /// A number as a double. Also converts the strings that JsonWriter writes for NaN and infinities.
  std::optional<double> as_double() const noexcept;
  /// The member of an object with this name. Null if there is none, or if this is not an object. Cost: O(log
  /// members).
  const JsonValue* find(std::string_view name) const noexcept;

 private:
  Storage storage_;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

inline JsonValue::JsonValue(Storage storage) noexcept : storage_(std::move(storage)) {}

struct JsonLimits {
  std::size_t max_bytes = std::size_t{16} << 20;
  unsigned max_depth = 64;  ///< Of nested containers; limits the use of the stack.
};

/// Parses `text`. Throws FormatError, with line and column, for anything that RFC 8259 does not allow,
/// malformed UTF-8, lone surrogates, a name that occurs twice in an object, numbers that no double can hold,
/// and texts beyond the limits.
JsonValue parse_json(std::string_view text, const JsonLimits& limits = {});

/// The members of an object by name and type. Errors say which member is wrong: "shards[2].node is missing".
class JsonFields {
 public:
  /// `where` stands before names in messages. Throws FormatError unless `value` is an object. Precondition:
  /// `value` outlives this.
  JsonFields(const JsonValue& value, std::string where);

  // Each of these throws FormatError if the member is missing or has another type.
  std::uint64_t u64(std::string_view name) const;
  std::string_view string(std::string_view name) const;
  const JsonArray& array(std::string_view name) const;

  /// `where` and `name` together, for messages.
  std::string name_of(std::string_view name) const;

 private:
  template <class T>
  const T& member(std::string_view name, std::string_view type) const;

  const JsonValue* object_;
  std::string where_;
};

}  // namespace nodewise::base
