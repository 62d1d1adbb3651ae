// The calls of a Manager in a build without LMDB. They exist, so that the binary interface does not depend on
// the build.
#include <nodewise/c/manager.h>

#include "c/calls.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

nw_error refuse(const char* name) noexcept {
  return run(name, [](const char* call) {
    throw InvalidArgument(base::text(call, ": this library was built without LMDB, which a manager needs"));
  });
}

}  // namespace

nw_error nw_manager_create(const char*, std::uint64_t, nw_manager*) {
  return refuse(__func__);
}
nw_error nw_manager_open(const char*, std::uint64_t, nw_manager*) {
  return refuse(__func__);
}
nw_error nw_manager_open_or_create(const char*, std::uint64_t, nw_manager*) {
  return refuse(__func__);
}
nw_error nw_manager_directory(nw_manager, char**) {
  return refuse(__func__);
}
nw_error nw_manager_max_bytes(nw_manager, std::uint64_t*) {
  return refuse(__func__);
}
nw_error nw_manager_list(nw_manager, const char*, nw_managed_list*) {
  return refuse(__func__);
}
nw_error nw_manager_dict(nw_manager, const char*, nw_managed_dict*) {
  return refuse(__func__);
}
nw_error nw_manager_names(nw_manager, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_manager_remove(nw_manager, const char*, std::int32_t*) {
  return refuse(__func__);
}
nw_error nw_manager_change(nw_manager, std::int32_t (*)(void*, nw_transaction), void*) {
  return refuse(__func__);
}
nw_error nw_manager_look(nw_manager, std::int32_t (*)(void*, nw_transaction), void*) {
  return refuse(__func__);
}
nw_error nw_transaction_list(nw_transaction, const char*, nw_managed_list*) {
  return refuse(__func__);
}
nw_error nw_transaction_dict(nw_transaction, const char*, nw_managed_dict*) {
  return refuse(__func__);
}
nw_error nw_transaction_names(nw_transaction, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_transaction_remove(nw_transaction, const char*, std::int32_t*) {
  return refuse(__func__);
}
nw_error nw_managed_count(nw_managed, std::size_t*) {
  return refuse(__func__);
}
nw_error nw_managed_get(nw_managed, std::size_t, nw_managed_value*) {
  return refuse(__func__);
}
nw_error nw_managed_key(nw_managed, std::size_t, const char**, std::size_t*) {
  return refuse(__func__);
}
nw_error nw_managed_list_size(nw_managed_list, std::uint64_t*) {
  return refuse(__func__);
}
nw_error nw_managed_list_get(nw_managed_list, std::uint64_t, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_managed_list_values(nw_managed_list, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_managed_list_append(nw_managed_list, const nw_managed_value*, std::size_t, std::uint64_t*) {
  return refuse(__func__);
}
nw_error nw_managed_list_set(nw_managed_list, std::uint64_t, const nw_managed_value*) {
  return refuse(__func__);
}
nw_error nw_managed_list_pop_back(nw_managed_list, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_managed_list_pop_front(nw_managed_list, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_managed_list_erase(nw_managed_list, std::uint64_t) {
  return refuse(__func__);
}
nw_error nw_managed_list_clear(nw_managed_list) {
  return refuse(__func__);
}
nw_error nw_managed_dict_size(nw_managed_dict, std::uint64_t*) {
  return refuse(__func__);
}
nw_error nw_managed_dict_get(nw_managed_dict, const char*, std::size_t, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_managed_dict_keys(nw_managed_dict, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_managed_dict_items(nw_managed_dict, nw_managed*) {
  return refuse(__func__);
}
nw_error nw_managed_dict_set(nw_managed_dict, const char*, std::size_t, const nw_managed_value*) {
  return refuse(__func__);
}
nw_error nw_managed_dict_erase(nw_managed_dict, const char*, std::size_t, std::int32_t*) {
  return refuse(__func__);
}
nw_error nw_managed_dict_clear(nw_managed_dict) {
  return refuse(__func__);
}
