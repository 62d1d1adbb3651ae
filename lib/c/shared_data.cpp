#include "c/shared_data.hpp"

#include <nodewise/c/objects.h>

#include "c/calls.hpp"
#include "c/elements.hpp"
#include "c/objects.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

template <class T>
T number_at(const void* at) noexcept {
  T number{};
  std::memcpy(static_cast<void*>(&number), at, sizeof number);
  return number;
}

template <class T>
void write_number(T number, void* to) noexcept {
  if (to != nullptr) std::memcpy(to, &number, sizeof number);
}

template <class T>
T sum(T a, T b) noexcept {
  if constexpr (SharedInteger<T>)
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  else
    return static_cast<T>(a + b);
}

// Calls `use(value, T{})` with the SharedValue<T>. Throws InvalidArgument if `dtype` is not its type.
template <class Use>
void with_value(nw_value value, nw_dtype dtype, const char* call, Use&& use) {
  const auto held = object(value, call);
  if (dtype_of_number(dtype, call) != held->dtype)
    throw InvalidArgument(base::text(call, ": the value has the type ", to_string(held->dtype),
                                     ", and the call says ", nw_dtype_name(dtype)));
  with_element(held->dtype, [&]<class T>(T) { use(held->template value<T>(), T{}); });
}

}  // namespace

nw_error nw_objects_value(nw_objects objects, const char* name, nw_dtype dtype, const void* initial,
                          nw_value* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    const auto all = object(objects, call);
    const DType type = dtype_of_number(dtype, call);
    with_element(type, [&]<class T>(T zero) {
      const T first = initial == nullptr ? zero : number_at<T>(initial);
      auto handle = std::make_shared<const SharedValue<T>>(all->template value<T>(name, first));
      *out = make_handle<nw_value>(HeldValue{{type, std::move(handle), nullptr, 1}});
    });
  });
}

nw_error nw_value_dtype(nw_value value, nw_dtype* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = number_of(object(value, call)->dtype); });
}

nw_error nw_value_load(nw_value value, nw_dtype dtype, void* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_value(value, dtype, call, [&](const auto& shared, auto) { write_number(shared.load(), out); });
  });
}

nw_error nw_value_store(nw_value value, nw_dtype dtype, const void* number) {
  return run(__func__, [&](const char* call) {
    check_pointer(number, call, "number");
    with_value(value, dtype, call,
               [&]<class T>(const SharedValue<T>& shared, T) { shared.store(number_at<T>(number)); });
  });
}

nw_error nw_value_exchange(nw_value value, nw_dtype dtype, const void* number, void* before) {
  return run(__func__, [&](const char* call) {
    check_pointer(number, call, "number");
    with_value(value, dtype, call, [&]<class T>(const SharedValue<T>& shared, T) {
      write_number(shared.exchange(number_at<T>(number)), before);
    });
  });
}

nw_error nw_value_compare_exchange(nw_value value, nw_dtype dtype, void* expected, const void* desired,
                                   std::int32_t* stored) {
  return run(__func__, [&](const char* call) {
    check_pointer(expected, call, "expected");
    check_pointer(desired, call, "desired");
    check_pointer(stored, call, "stored");
    with_value(value, dtype, call, [&]<class T>(const SharedValue<T>& shared, T) {
      T present = number_at<T>(expected);
      *stored = shared.compare_exchange(present, number_at<T>(desired)) ? 1 : 0;
      write_number(present, expected);
    });
  });
}

nw_error nw_value_fetch_add(nw_value value, nw_dtype dtype, const void* number, void* before) {
  return run(__func__, [&](const char* call) {
    check_pointer(number, call, "number");
    with_value(value, dtype, call, [&]<class T>(const SharedValue<T>& shared, T) {
      const T more = number_at<T>(number);
      T was{};
      shared.update([&](const T& present) {
        was = present;
        return sum(present, more);
      });
      write_number(was, before);
    });
  });
}

nw_error nw_objects_array(nw_objects objects, const char* name, nw_dtype dtype, std::uint64_t count,
                          nw_array* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    const auto all = object(objects, call);
    const DType type = dtype_of_number(dtype, call);
    with_element(type, [&]<class T>(T) {
      auto handle = std::make_shared<const SharedArray<T>>(all->template array<T>(name, count));
      void* const data = handle->data();
      *out = make_handle<nw_array>(HeldArray{{type, std::move(handle), data, count}});
    });
  });
}

nw_error nw_array_data(nw_array array, void** data, std::uint64_t* count, nw_dtype* dtype) {
  return run(__func__, [&](const char* call) {
    const auto held = object(array, call);
    if (data != nullptr) *data = held->data;
    if (count != nullptr) *count = held->count;
    if (dtype != nullptr) *dtype = number_of(held->dtype);
  });
}

nw_error nw_array_pages(nw_array array, nw_pages* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto held = object(array, call);
    const std::size_t bytes = held->count * dtype_bytes(held->dtype);
    *out = make_handle<nw_pages>(
        Pages::adopt(held->data, bytes, [handle = held->handle](void*) mutable { handle.reset(); }));
  });
}
