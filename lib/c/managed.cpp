// Lists and dictionaries of a Manager.
#include "c/managed.hpp"

#include "c/calls.hpp"
#include "c/options.hpp"

namespace nodewise::c {
namespace {

ManagedArray array_of(const nw_managed_value& value, const char* call) {
  if (value.ndim < 0) throw InvalidArgument(base::text(call, ": `ndim` is ", value.ndim));
  if (value.ndim > 0) check_pointer(value.shape, call, "shape");
  if (value.bytes > 0) check_pointer(value.data, call, "data");
  const auto* bytes = static_cast<const std::byte*>(value.data);
  return {dtype_of_number(value.dtype, call),
          {value.shape, value.shape + value.ndim},
          {bytes, bytes + value.bytes}};
}

}  // namespace

ManagedValue managed_value_of(const nw_managed_value* value, const char* call) {
  check_pointer(value, call, "value");
  const nw_managed_value given = read_options(value, call);
  check_reserved(given.reserved, call);
  switch (given.kind) {
    case NW_NOTHING:
      return {};
    case NW_BOOLEAN:
      return given.integer != 0;
    case NW_INTEGER:
      return given.integer;
    case NW_REAL:
      return given.real;
    case NW_BYTES:
      if (given.bytes > 0) check_pointer(given.data, call, "data");
      return std::string(static_cast<const char*>(given.data), given.bytes);
    case NW_ELEMENTS:
      return array_of(given, call);
  }
  throw InvalidArgument(base::text(call, ": the value has the kind ", given.kind, ", which has no meaning"));
}

nw_managed give_values(HeldValues values) {
  return make_handle<nw_managed>(std::move(values));
}

nw_managed give_value(std::optional<ManagedValue> value) {
  if (!value) return nullptr;
  HeldValues values;
  values.emplace_back(std::string(), std::move(*value));
  return give_values(std::move(values));
}

}  // namespace nodewise::c

using namespace nodewise;
using namespace nodewise::c;

namespace {

template <class Writer, class Either>
const Writer& writer_of(const Either& either, const char* call) {
  const auto* writer = std::get_if<Writer>(&either);
  if (writer == nullptr) throw InvalidArgument(base::text(call, ": a look only reads"));
  return *writer;
}

// Each calls `use` with the list or dictionary, and keeps what it throws for the transaction.
template <class Use>
void with_reader(nw_managed_list list, const char* call, Use&& use) {
  const auto held = object(list, call);
  keep_failure(held->failure,
               [&] { std::visit([&](const ManagedListReader& reader) { use(reader); }, held->list); });
}
template <class Use>
void with_reader(nw_managed_dict dict, const char* call, Use&& use) {
  const auto held = object(dict, call);
  keep_failure(held->failure,
               [&] { std::visit([&](const ManagedDictionaryReader& reader) { use(reader); }, held->dict); });
}
template <class Use>
void with_writer(nw_managed_list list, const char* call, Use&& use) {
  const auto held = object(list, call);
  keep_failure(held->failure, [&] { use(writer_of<ManagedList>(held->list, call)); });
}
template <class Use>
void with_writer(nw_managed_dict dict, const char* call, Use&& use) {
  const auto held = object(dict, call);
  keep_failure(held->failure, [&] { use(writer_of<ManagedDictionary>(held->dict, call)); });
}

std::string key_of(const char* key, std::size_t bytes, const char* call) {
  if (bytes > 0) check_pointer(key, call, "key");
  return {key, bytes};
}

// The structs of an array are as far apart as the caller's struct is long.
std::vector<ManagedValue> values_of(const nw_managed_value* values, std::size_t count, const char* call) {
  std::vector<ManagedValue> result;
  if (count == 0) return result;
  check_pointer(values, call, "values");
  const auto* at = reinterpret_cast<const unsigned char*>(values);
  for (std::size_t i = 0; i < count; ++i, at += values->size)
    result.push_back(managed_value_of(reinterpret_cast<const nw_managed_value*>(at), call));
  return result;
}

}  // namespace

nw_error nw_managed_list_size(nw_managed_list list, std::uint64_t* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_reader(list, call, [&](const auto& reader) { *out = reader.size(); });
  });
}
nw_error nw_managed_list_get(nw_managed_list list, std::uint64_t index, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_reader(list, call, [&](const auto& reader) { *out = give_value(reader.get(index)); });
  });
}
nw_error nw_managed_list_values(nw_managed_list list, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_reader(list, call, [&](const auto& reader) {
      HeldValues values;
      for (ManagedValue& value : reader.values()) values.emplace_back(std::string(), std::move(value));
      *out = give_values(std::move(values));
    });
  });
}

nw_error nw_managed_list_append(nw_managed_list list, const nw_managed_value* values, std::size_t count,
                                std::uint64_t* index) {
  return run(__func__, [&](const char* call) {
    with_writer(list, call, [&](const ManagedList& writer) {
      const std::uint64_t first = writer.extend(values_of(values, count, call));
      if (index != nullptr) *index = first;
    });
  });
}
nw_error nw_managed_list_set(nw_managed_list list, std::uint64_t index, const nw_managed_value* value) {
  return run(__func__, [&](const char* call) {
    with_writer(list, call,
                [&](const ManagedList& writer) { writer.set(index, managed_value_of(value, call)); });
  });
}
nw_error nw_managed_list_pop_back(nw_managed_list list, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_writer(list, call, [&](const ManagedList& writer) { *out = give_value(writer.pop_back()); });
  });
}
nw_error nw_managed_list_pop_front(nw_managed_list list, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_writer(list, call, [&](const ManagedList& writer) { *out = give_value(writer.pop_front()); });
  });
}
nw_error nw_managed_list_erase(nw_managed_list list, std::uint64_t index) {
  return run(__func__, [&](const char* call) {
    with_writer(list, call, [&](const ManagedList& writer) { writer.erase(index); });
  });
}
nw_error nw_managed_list_clear(nw_managed_list list) {
  return run(__func__, [&](const char* call) {
    with_writer(list, call, [&](const ManagedList& writer) { writer.clear(); });
  });
}

nw_error nw_managed_dict_size(nw_managed_dict dict, std::uint64_t* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_reader(dict, call, [&](const auto& reader) { *out = reader.size(); });
  });
}
nw_error nw_managed_dict_get(nw_managed_dict dict, const char* key, std::size_t key_bytes, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_reader(dict, call,
                [&](const auto& reader) { *out = give_value(reader.get(key_of(key, key_bytes, call))); });
  });
}
nw_error nw_managed_dict_keys(nw_managed_dict dict, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_reader(dict, call, [&](const auto& reader) {
      HeldValues values;
      for (std::string& key : reader.keys()) values.emplace_back(std::move(key), ManagedValue());
      *out = give_values(std::move(values));
    });
  });
}
nw_error nw_managed_dict_items(nw_managed_dict dict, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_reader(dict, call, [&](const auto& reader) { *out = give_values(reader.items()); });
  });
}

nw_error nw_managed_dict_set(nw_managed_dict dict, const char* key, std::size_t key_bytes,
                             const nw_managed_value* value) {
  return run(__func__, [&](const char* call) {
    with_writer(dict, call, [&](const ManagedDictionary& writer) {
      writer.set(key_of(key, key_bytes, call), managed_value_of(value, call));
    });
  });
}
nw_error nw_managed_dict_erase(nw_managed_dict dict, const char* key, std::size_t key_bytes,
                               std::int32_t* erased) {
  return run(__func__, [&](const char* call) {
    with_writer(dict, call, [&](const ManagedDictionary& writer) {
      const bool was_there = writer.erase(key_of(key, key_bytes, call));
      if (erased != nullptr) *erased = was_there ? 1 : 0;
    });
  });
}
nw_error nw_managed_dict_clear(nw_managed_dict dict) {
  return run(__func__, [&](const char* call) {
    with_writer(dict, call, [&](const ManagedDictionary& writer) { writer.clear(); });
  });
}
