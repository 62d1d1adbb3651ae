#include "manager/store.hpp"

#include <algorithm>
#include <string_view>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "manager/value.hpp"

namespace nodewise::managed {
namespace {

constexpr std::string_view magic = "nodewise.manager";
constexpr std::uint64_t version = 1;
constexpr std::string_view format_key = "F";
constexpr std::string_view name_prefix = "N";
constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_item_key = 500;
static_assert(1 + 8 + longest_item_key <= lmdb::longest_key && 1 + longest_name <= lmdb::longest_key);

std::string name_key(const std::string& name) {
  return base::text(name_prefix, name);
}

}  // namespace

void check_name(const std::string& name) {
  if (name.empty() || name.size() > longest_name)
    throw InvalidArgument(base::text("Manager: the name ", base::quoted(name), " has ", name.size(),
                                     " bytes; 1 to ", longest_name, " are possible"));
}

void check_key(const std::string& key) {
  if (key.size() > longest_item_key)
    throw InvalidArgument(base::text("Manager: the key ", base::quoted(key), " has ", key.size(),
                                     " bytes; up to ", longest_item_key, " are possible"));
}

std::optional<Store::Format> Store::find_format() const {
  const auto record = transaction_.get(format_key);
  if (!record || !record->starts_with(magic)) return std::nullopt;
  Reader reader(record->substr(magic.size()));
  Format format;
  format.version = reader.take_little();
  format.next_number = reader.take_little();
  format.max_bytes = reader.take_little();
  return format;
}

Store::Format Store::format() const {
  if (auto found = find_format()) return *found;
  throw FormatError("Manager: the record of its format is damaged");
}

std::uint64_t Store::max_bytes() const {
  return format().max_bytes;
}

// Checks what was in use before this transaction. LMDB itself notices if the transaction does not fit.
void Store::require_room() {
  if (has_room_) return;
  const auto& environment = transaction_.environment();
  const std::uint64_t most = max_bytes();
  if (environment.last_byte() > most)
    if (const auto used = environment.used_bytes(); used > most)
      throw lmdb::MapFull(base::text("Manager: ", environment.folder(), " is full: ", used,
                                     " bytes are in use, its max_bytes is ", most,
                                     "; remove something, or open it with more max_bytes"));
  has_room_ = true;
}

void Store::put_format(const Format& format) {
  std::string record(magic);
  put_little(record, format.version);
  put_little(record, format.next_number);
  put_little(record, format.max_bytes);
  transaction_.put(format_key, record);
}

void Store::write_format(std::uint64_t max_bytes) {
  Format record = find_format().value_or(Format{.version = version, .next_number = 1});
  record.max_bytes = std::max(record.max_bytes, max_bytes);
  put_format(record);
}

void Store::check_format() const {
  const std::string& folder = transaction_.environment().folder();
  const auto found = find_format();
  if (!found)
    throw FormatError(base::text("Manager: ", folder, " holds a database of LMDB that is no Manager"));
  if (found->version != version)
    throw FormatError(base::text("Manager: ", folder, " is of version ", found->version,
                                 " of the format, this library knows ", version,
                                 "; use a newer nodewise, or another directory"));
}

std::optional<Store::Object> Store::find(const std::string& name) const {
  const auto record = transaction_.get(name_key(name));
  if (!record) return std::nullopt;
  Reader reader(*record);
  Object object;
  object.kind = static_cast<Kind>(reader.take_byte());
  object.number = reader.take_little();
  object.begin = reader.take_little();
  object.end = reader.take_little();
  if (object.number == 0 || object.begin > object.end ||
      (object.kind != Kind::list && object.kind != Kind::dictionary))
    throw FormatError(base::text("Manager: the record of ", base::quoted(name), " is damaged"));
  return object;
}

Store::Object Store::find(const std::string& name, Kind kind) const {
  const auto found = find(name);
  if (!found) return {.kind = kind};
  if (found->kind == kind) return *found;
  throw InvalidArgument(
      base::text("Manager: ", base::quoted(name), " is a ",
                 found->kind == Kind::list ? "list, no dictionary" : "dictionary, no list"));
}

Store::Object Store::find_or_make(const std::string& name, Kind kind) {
  Object object = find(name, kind);
  if (object.number != 0) return object;
  Format numbers = format();
  object.number = numbers.next_number++;
  put_format(numbers);
  put(name, object);
  return object;
}

void Store::put(const std::string& name, const Object& object) {
  std::string record(1, static_cast<char>(object.kind));
  put_little(record, object.number);
  put_little(record, object.begin);
  put_little(record, object.end);
  transaction_.put(name_key(name), record);
}

std::string Store::prefix(const Object& object) {
  std::string out = "E";
  put_big(out, object.number);
  return out;
}

std::string Store::key(const Object& object, std::uint64_t position) {
  std::string out = prefix(object);
  put_big(out, position);
  return out;
}

std::vector<std::string> Store::names() const {
  std::vector<std::string> names;
  transaction_.for_each(name_prefix,
                        [&](std::string_view name, std::string_view) { names.emplace_back(name); });
  return names;
}

bool Store::remove(const std::string& name) {
  check_name(name);
  const auto object = find(name);
  if (!object) return false;
  transaction_.erase_all(prefix(*object));
  return transaction_.erase(name_key(name));
}

void Store::clear(const std::string& name, Kind kind) {
  Object object = find(name, kind);
  if (object.size() == 0) return;
  transaction_.erase_all(prefix(object));
  object.begin = object.end = 0;
  put(name, object);
}

void Store::check_index(const std::string& name, const Object& object, std::uint64_t i) {
  if (i >= object.size())
    throw OutOfRange(base::text("Manager: the list ", base::quoted(name), " has ", object.size(),
                                " elements, there is no ", i));
}

ManagedValue Store::element(const Object& object, std::uint64_t position) const {
  const auto found = transaction_.get(key(object, position));
  if (!found) throw FormatError("Manager: an element of a list is missing; the directory is damaged");
  return decode(*found);
}

std::uint64_t Store::list_size(const std::string& name) const {
  return find(name, Kind::list).size();
}

ManagedValue Store::list_get(const std::string& name, std::uint64_t i) const {
  const Object list = find(name, Kind::list);
  check_index(name, list, i);
  return element(list, list.begin + i);
}

std::vector<ManagedValue> Store::list_values(const std::string& name) const {
  const Object list = find(name, Kind::list);
  std::vector<ManagedValue> values;
  transaction_.for_each(prefix(list),
                        [&](std::string_view, std::string_view value) { values.push_back(decode(value)); });
  return values;
}

std::uint64_t Store::list_extend(const std::string& name, std::span<const ManagedValue> values) {
  std::vector<std::string> encoded;
  encoded.reserve(values.size());
  for (const ManagedValue& value : values)
    encoded.push_back(encode(value));  // it throws before anything is written
  require_room();
  Object list = find_or_make(name, Kind::list);
  const std::uint64_t first = list.size();
  for (const std::string& bytes : encoded) transaction_.put(key(list, list.end++), bytes);
  put(name, list);
  return first;
}

void Store::list_set(const std::string& name, std::uint64_t i, const ManagedValue& value) {
  const Object list = find(name, Kind::list);
  check_index(name, list, i);
  const std::string bytes = encode(value);
  require_room();
  transaction_.put(key(list, list.begin + i), bytes);
}

std::optional<ManagedValue> Store::list_pop(const std::string& name, End end) {
  Object list = find(name, Kind::list);
  if (list.size() == 0) return std::nullopt;
  const std::uint64_t position = end == End::front ? list.begin++ : --list.end;
  ManagedValue value = element(list, position);
  transaction_.erase(key(list, position));
  put(name, list);
  return value;
}

void Store::list_erase(const std::string& name, std::uint64_t i) {
  Object list = find(name, Kind::list);
  check_index(name, list, i);
  for (std::uint64_t position = list.begin + i + 1; position < list.end; ++position) {
    const auto moved = transaction_.get(key(list, position));
    if (!moved) throw FormatError("Manager: an element of a list is missing; the directory is damaged");
    transaction_.put(key(list, position - 1), std::string(*moved));  // a write invalidates what was read
  }
  transaction_.erase(key(list, --list.end));
  put(name, list);
}

void Store::list_clear(const std::string& name) {
  clear(name, Kind::list);
}

std::uint64_t Store::dictionary_size(const std::string& name) const {
  return find(name, Kind::dictionary).size();
}

bool Store::dictionary_contains(const std::string& name, const std::string& item) const {
  check_key(item);
  return transaction_.get(prefix(find(name, Kind::dictionary)) + item).has_value();
}

std::optional<ManagedValue> Store::dictionary_get(const std::string& name, const std::string& item) const {
  check_key(item);
  const auto found = transaction_.get(prefix(find(name, Kind::dictionary)) + item);
  return found ? std::optional(decode(*found)) : std::nullopt;
}

std::vector<std::string> Store::dictionary_keys(const std::string& name) const {
  std::vector<std::string> keys;
  transaction_.for_each(prefix(find(name, Kind::dictionary)),
                        [&](std::string_view item, std::string_view) { keys.emplace_back(item); });
  return keys;
}

std::vector<std::pair<std::string, ManagedValue>> Store::dictionary_items(const std::string& name) const {
  std::vector<std::pair<std::string, ManagedValue>> items;
  transaction_.for_each(
      prefix(find(name, Kind::dictionary)),
      [&](std::string_view item, std::string_view value) { items.emplace_back(item, decode(value)); });
  return items;
}

void Store::dictionary_set(const std::string& name, const std::string& item, const ManagedValue& value) {
  check_key(item);
  const std::string bytes = encode(value);
  require_room();
  Object dictionary = find_or_make(name, Kind::dictionary);
  const std::string where = prefix(dictionary) + item;
  const bool is_new = !transaction_.get(where);
  transaction_.put(where, bytes);
  if (!is_new) return;
  ++dictionary.end;
  put(name, dictionary);
}

bool Store::dictionary_erase(const std::string& name, const std::string& item) {
  check_key(item);
  Object dictionary = find(name, Kind::dictionary);
  if (!transaction_.erase(prefix(dictionary) + item)) return false;
  --dictionary.end;
  put(name, dictionary);
  return true;
}

void Store::dictionary_clear(const std::string& name) {
  clear(name, Kind::dictionary);
}

}  // namespace nodewise::managed
