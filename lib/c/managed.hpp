// What the handles of the C interface for a Manager name. Only builds with LMDB have it.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nodewise/c/manager.h>
#include <nodewise/manager.hpp>

#include "c/handles.hpp"

namespace nodewise::c {

/// The last exception of a call inside a change or look. Null for handles of a Manager.
using Failure = std::shared_ptr<std::exception_ptr>;

struct HeldList {
  std::variant<ManagedListReader, ManagedList> list;
  Failure failure;
};
struct HeldDict {
  std::variant<ManagedDictionaryReader, ManagedDictionary> dict;
  Failure failure;
};
/// The change or look is valid while its function runs. Its end sets both pointers to null.
struct HeldTransaction {
  const ManagerChange* change;
  const ManagerLook* look;
  Failure failure;
};
using HeldValues = std::vector<std::pair<std::string, ManagedValue>>;

template <>
struct ObjectOf<nw_manager> : Named<Manager> {
  static constexpr auto noun = "manager";
};
template <>
struct ObjectOf<nw_transaction> : Named<HeldTransaction> {
  static constexpr auto noun = "transaction";
};
template <>
struct ObjectOf<nw_managed_list> : Named<HeldList> {
  static constexpr auto noun = "managed list";
};
template <>
struct ObjectOf<nw_managed_dict> : Named<HeldDict> {
  static constexpr auto noun = "managed dictionary";
};
template <>
struct ObjectOf<nw_managed> : Named<HeldValues> {
  static constexpr auto noun = "set of managed values";
};

/// Runs `body`. If it throws, keeps the exception in `failure`, unless that is null.
template <class Body>
void keep_failure(const Failure& failure, Body&& body) {
  try {
    body();
  } catch (...) {
    if (failure) *failure = std::current_exception();
    throw;
  }
}

/// A copy. Throws InvalidArgument if the struct has no meaning.
ManagedValue managed_value_of(const nw_managed_value* value, const char* call);
nw_managed give_values(HeldValues values);
/// Gives one value, or NULL if there is none.
nw_managed give_value(std::optional<ManagedValue> value);

}  // namespace nodewise::c
