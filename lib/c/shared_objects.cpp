// Segments with shared objects, mutexes, events and barriers. Values and arrays are in shared_data.cpp.
#include <nodewise/shared_objects.hpp>

#include <nodewise/c/objects.h>

#include "c/calls.hpp"
#include "c/elements.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"
#include "c/times.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

static_assert(is_number<SharedObjectKind::value, NW_VALUE> && is_number<SharedObjectKind::array, NW_ARRAY> &&
              is_number<SharedObjectKind::mutex, NW_MUTEX> && is_number<SharedObjectKind::event, NW_EVENT> &&
              is_number<SharedObjectKind::barrier, NW_BARRIER>);

SharedObjectsOptions options_of(const nw_objects_options* options, const char* call) {
  const nw_objects_options given = read_options(options, call);
  check_reserved(given.reserved, call);
  SharedObjectsOptions result;
  if (given.bytes != 0) result.bytes = given.bytes;
  result.keep = flag_of(given.keep, call, "keep");
  return result;
}

nw_dtype dtype_of_type(std::string_view type) {
  for (const DType dtype : all_dtypes)
    if (with_element(dtype, []<class T>(T) { return detail::type_name<T>(); }) == type)
      return number_of(dtype);
  return NW_DTYPE_NONE;
}

}  // namespace

const char* nw_object_kind_name(nw_object_kind kind) {
  return name_of<SharedObjectKind>(kind);
}

nw_error nw_objects_create(const char* name, const nw_objects_options* options, nw_objects* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_objects>(SharedObjects::create(name, options_of(options, call)));
  });
}

nw_error nw_objects_open(const char* name, double patience, nw_objects* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_objects>(SharedObjects::open(name, limit_of(patience, call, "patience")));
  });
}

nw_error nw_objects_open_descriptor(std::int32_t descriptor, nw_objects* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_objects>(SharedObjects::open_descriptor(descriptor));
  });
}

nw_error nw_objects_open_or_create(const char* name, const nw_objects_options* options, nw_objects* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_objects>(SharedObjects::open_or_create(name, options_of(options, call)));
  });
}

nw_error nw_objects_name(nw_objects objects, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(objects, call)->name());
  });
}

nw_error nw_objects_descriptor(nw_objects objects, std::int32_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(objects, call)->descriptor(); });
}

nw_error nw_objects_bytes_left(nw_objects objects, std::uint64_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(objects, call)->bytes_left(); });
}

nw_error nw_objects_remove(nw_objects objects) {
  return run(__func__, [&](const char* call) { object(objects, call)->remove(); });
}

nw_error nw_objects_count(nw_objects objects, std::size_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(objects, call)->list().size(); });
}

nw_error nw_objects_describe(nw_objects objects, std::size_t index, nw_object_info* out) {
  return run(__func__, [&](const char* call) {
    const auto all = object(objects, call)->list();
    if (index >= all.size())
      throw OutOfRange(base::text(call, ": there is no object ", index, "; there are ", all.size()));
    const SharedObjectInfo& info = all[index];
    nw_object_info result{};
    result.count = info.count;
    result.bytes = info.bytes;
    result.kind = static_cast<nw_object_kind>(info.kind);
    result.dtype = dtype_of_type(info.type);
    std::memcpy(result.name, info.name.data(), std::min(info.name.size(), sizeof result.name - 1));
    write_result(out, result, call);
  });
}

nw_error nw_objects_mutex(nw_objects objects, const char* name, nw_mutex* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_mutex>(object(objects, call)->mutex(name));
  });
}

nw_error nw_mutex_lock(nw_mutex mutex, double timeout, std::int32_t* locked) {
  return run(__func__, [&](const char* call) {
    check_pointer(locked, call, "locked");
    const auto it = object(mutex, call);
    const auto limit = limit_of(timeout, call, "timeout");
    bool held = true;
    if (!limit)
      it->lock();
    else
      held = limit->count() == 0 ? it->try_lock() : it->try_lock_for(*limit);
    *locked = held ? 1 : 0;
  });
}

nw_error nw_mutex_unlock(nw_mutex mutex) {
  return run(__func__, [&](const char* call) { object(mutex, call)->unlock(); });
}

nw_error nw_mutex_repair(nw_mutex mutex, std::int32_t (*repair)(void* user), void* user,
                         std::int32_t* repaired) {
  return run(__func__, [&](const char* call) {
    const bool marked = object(mutex, call)->repair([&] {
      const std::int32_t answer = repair == nullptr ? 0 : repair(user);
      if (answer != 0)
        throw std::runtime_error(base::text(call, ": the function of the caller returned ", answer,
                                            ", so the data is not marked as repaired"));
    });
    if (repaired != nullptr) *repaired = marked ? 1 : 0;
  });
}

nw_error nw_objects_event(nw_objects objects, const char* name, nw_event* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_event>(object(objects, call)->event(name));
  });
}

nw_error nw_event_set(nw_event event) {
  return run(__func__, [&](const char* call) { object(event, call)->set(); });
}
nw_error nw_event_clear(nw_event event) {
  return run(__func__, [&](const char* call) { object(event, call)->clear(); });
}
nw_error nw_event_is_set(nw_event event, std::int32_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(event, call)->is_set() ? 1 : 0; });
}

nw_error nw_event_wait(nw_event event, double timeout, std::int32_t* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto it = object(event, call);
    const auto limit = limit_of(timeout, call, "timeout");
    if (!limit) it->wait();
    *out = !limit || it->wait_for(*limit) ? 1 : 0;
  });
}

nw_error nw_objects_barrier(nw_objects objects, const char* name, std::uint32_t parties, nw_barrier* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_barrier>(object(objects, call)->barrier(name, parties));
  });
}

nw_error nw_barrier_wait(nw_barrier barrier, double timeout, nw_stop stop, std::uint32_t* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto it = object(barrier, call);
    const auto limit = limit_of(timeout, call, "timeout");
    const Stop token = stop == nullptr ? Stop() : *object(stop, call);
    *out = limit ? it->wait_for(*limit, token) : it->arrive_and_wait(token);
  });
}

nw_error nw_barrier_give_up(nw_barrier barrier) {
  return run(__func__, [&](const char* call) { object(barrier, call)->give_up(); });
}
nw_error nw_barrier_reset(nw_barrier barrier) {
  return run(__func__, [&](const char* call) { object(barrier, call)->reset(); });
}

nw_error nw_barrier_describe(nw_barrier barrier, nw_barrier_info* out) {
  return run(__func__, [&](const char* call) {
    const auto it = object(barrier, call);
    nw_barrier_info result{};
    result.parties = it->parties();
    result.waiting = it->waiting();
    result.broken = it->broken() ? 1 : 0;
    write_result(out, result, call);
  });
}
