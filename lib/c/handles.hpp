// The handles of the C interface. A handle is a number that names an object. Numbers are not used again, so
// that a handle that was freed, or one of another kind, is found out instead of followed.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <nodewise/c/base.h>

namespace nodewise::c {

/// The type of the objects that a kind of handles names, and the noun for messages. One specialisation for
/// each kind of handle.
template <class Handle>
struct ObjectOf;

/// The first part of a specialisation.
template <class Object>
struct Named {
  using type = Object;
};

/// Gives an object a handle. Thread class: any thread.
void* add_handle(std::shared_ptr<void> object, const char* noun);
/// The object. Throws InvalidArgument unless `handle` names an object with this noun; `call` is for the
/// message. Thread class: any thread. Cost: one shared lock.
std::shared_ptr<void> object_of(void* handle, const char* noun, const char* call);
/// Ends the handle, and returns its object. Throws InvalidArgument if there is no such handle.
std::shared_ptr<void> remove_handle(void* handle);
/// The number of handles that are not freed. For tests.
std::size_t live_handles();

template <class Handle, class Object>
Handle make_handle(Object&& object) {
  using Of = ObjectOf<Handle>;
  return static_cast<Handle>(
      add_handle(std::make_shared<typename Of::type>(std::forward<Object>(object)), Of::noun));
}

template <class Handle>
std::shared_ptr<typename ObjectOf<Handle>::type> object(Handle handle, const char* call) {
  using Of = ObjectOf<Handle>;
  return std::static_pointer_cast<typename Of::type>(object_of(handle, Of::noun, call));
}

}  // namespace nodewise::c
