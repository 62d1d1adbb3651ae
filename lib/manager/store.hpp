// Lists and dictionaries within one transaction, and how they lie in LMDB's sorted table of bytes:
//
//   key                                    value
//   F                                      "nodewise.manager", version, the next object's number, max_bytes
//   N name                                 l or d, its number, begin, end
//   E number position                      an element of a list; begin <= position < end
//   E number key                           an item of a dictionary; end - begin of them
//
// Numbers are eight bytes, in keys big-endian. An object's number is never used again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nodewise/manager.hpp>

#include "manager/lmdb.hpp"

namespace nodewise::managed {

/// Throw InvalidArgument.
void check_name(const std::string& name);
void check_key(const std::string& key);

class Store {
 public:
  explicit Store(lmdb::Transaction& transaction) noexcept : transaction_(transaction) {}

  /// Writes the record of the format, or raises its max_bytes if the given ones are more.
  void write_format(std::uint64_t max_bytes);
  /// Throws FormatError.
  void check_format() const;
  std::uint64_t max_bytes() const;

  std::vector<std::string> names() const;
  bool remove(const std::string& name);

  std::uint64_t list_size(const std::string& name) const;
  ManagedValue list_get(const std::string& name, std::uint64_t i) const;
  std::vector<ManagedValue> list_values(const std::string& name) const;
  std::uint64_t list_extend(const std::string& name, std::span<const ManagedValue> values);
  void list_set(const std::string& name, std::uint64_t i, const ManagedValue& value);
  enum class End { front, back };
  std::optional<ManagedValue> list_pop(const std::string& name, End end);
  void list_erase(const std::string& name, std::uint64_t i);
  void list_clear(const std::string& name);

  std::uint64_t dictionary_size(const std::string& name) const;
  bool dictionary_contains(const std::string& name, const std::string& item) const;
  std::optional<ManagedValue> dictionary_get(const std::string& name, const std::string& item) const;
  std::vector<std::pair<std::string, ManagedValue>> dictionary_items(const std::string& name) const;
  std::vector<std::string> dictionary_keys(const std::string& name) const;
  void dictionary_set(const std::string& name, const std::string& item, const ManagedValue& value);
  bool dictionary_erase(const std::string& name, const std::string& item);
  void dictionary_clear(const std::string& name);

 private:
  enum class Kind : char { list = 'l', dictionary = 'd' };
  struct Object {
    Kind kind = Kind::list;
    std::uint64_t number = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t size() const noexcept { return end - begin; }
  };
  struct Format {
    std::uint64_t version = 0;
    std::uint64_t next_number = 0;
    std::uint64_t max_bytes = 0;
  };
  std::optional<Format> find_format() const;
  Format format() const;
  /// Throws lmdb::MapFull. Removing something does not need this check, because it may use room beyond
  /// max_bytes.
  void require_room();
  void put_format(const Format& format);
  std::optional<Object> find(const std::string& name) const;
  /// Throws InvalidArgument if the object is of the other kind. If there is no object, returns an empty one
  /// with number 0.
  Object find(const std::string& name, Kind kind) const;
  Object find_or_make(const std::string& name, Kind kind);
  void put(const std::string& name, const Object& object);
  void clear(const std::string& name, Kind kind);
  ManagedValue element(const Object& object, std::uint64_t position) const;
  static std::string prefix(const Object& object);
  static std::string key(const Object& object, std::uint64_t position);
  static void check_index(const std::string& name, const Object& object, std::uint64_t i);

  lmdb::Transaction& transaction_;
  bool has_room_ = false;
};

}  // namespace nodewise::managed
