// What every call of the C interface does: no exception leaves it, arguments are checked, structs that begin
// with their size are read and written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>

#include <nodewise/c/base.h>
#include <nodewise/dataset.hpp>
#include <nodewise/error.hpp>
#include <nodewise/view.hpp>

#include "base/text.hpp"
#include "c/handles.hpp"

namespace nodewise::c {

/// Keeps the message of an exception for nw_last_message(), and returns its kind.
nw_error fail(const std::exception& error) noexcept;
nw_error fail_unknown() noexcept;

/// Runs the body of a call: `run(__func__, [&](const char* call) { ... })`. Returns NW_OK, or the kind of the
/// exception that the body threw.
template <class Body>
nw_error run(const char* call, Body&& body) noexcept {
  try {
    body(call);
    return NW_OK;
  } catch (const std::exception& error) {
    return fail(error);
  } catch (...) {
    return fail_unknown();
  }
}

/// Throws InvalidArgument if `pointer` is null. `what` names the argument.
inline void check_pointer(const void* pointer, const char* call, const char* what) {
  if (pointer == nullptr) throw InvalidArgument(base::text(call, ": `", what, "` is NULL"));
}
/// The same for a pointer to a handle or text that the call gives. Writes null to it, so that a call that
/// fails leaves no old value there.
template <class T>
void check_pointer(T** out, const char* call, const char* what) {
  check_pointer(static_cast<const void*>(out), call, what);
  *out = nullptr;
}
template <class T>
T& needed(T* pointer, const char* call, const char* what) {
  check_pointer(reinterpret_cast<const void*>(pointer), call, what);
  return *pointer;
}

/// A copy of the caller's options, or the defaults if there are none. Throws InvalidArgument if the size is
/// not set, or if members that this version does not know are not zero.
template <class Options>
Options read_options(const Options* options, const char* call) {
  Options known{};
  if (options == nullptr) return known;
  std::size_t size = 0;
  std::memcpy(&size, options, sizeof size);
  constexpr std::size_t most = 4096;
  if (size < sizeof size || size > most)
    throw InvalidArgument(base::text(call, ": the options say that they have ", size,
                                     " bytes; begin them with their size: {sizeof options}"));
  const auto* bytes = reinterpret_cast<const unsigned char*>(options);
  if (size > sizeof known &&
      std::any_of(bytes + sizeof known, bytes + size, [](auto byte) { return byte != 0; }))
    throw InvalidArgument(base::text(call, ": the options use members that version ", nw_version(),
                                     " of the library does not have"));
  std::memcpy(&known, bytes, std::min(size, sizeof known));
  return known;
}

/// Writes as much of `result` as the caller's struct has room for, by the size that it begins with. Members
/// that this version does not know become zero.
template <class Result>
void write_result(Result* out, const Result& result, const char* call) {
  std::size_t size = 0;
  std::memcpy(&size, &needed(out, call, "out"), sizeof size);
  constexpr std::size_t most = 4096;
  if (size < sizeof size || size > most)
    throw InvalidArgument(
        base::text(call, ": `out` says that it has ", size, " bytes; begin it with its size: {sizeof out}"));
  auto* bytes = reinterpret_cast<unsigned char*>(out);
  std::memset(bytes + sizeof size, 0, size - sizeof size);
  if (size > sizeof size)
    std::memcpy(bytes + sizeof size, reinterpret_cast<const unsigned char*>(&result) + sizeof size,
                std::min(size, sizeof result) - sizeof size);
}

/// For static assertions: the numbers of the C interface never change, whatever happens to the enumerations
/// of C++.
template <auto value, int expected>
constexpr bool is_number = static_cast<int>(value) == expected;

/// An enumeration whose C numbers are its C++ numbers. Throws InvalidArgument if there is no such value.
template <NamedEnum E>
E enum_of(std::int32_t number, const char* call, const char* what) {
  if (number >= 0 && number < 256 && !to_string(static_cast<E>(number)).empty())
    return static_cast<E>(number);
  throw InvalidArgument(base::text(call, ": `", what, "` is ", number, ", which has no meaning"));
}

/// The name of an enumerator, "" for a number that is none. Names in the library are texts that end with a
/// zero byte.
template <NamedEnum E>
const char* name_of(std::int32_t number) noexcept {
  if (number < 0 || number > 255) return "";
  const std::string_view name = to_string(static_cast<E>(number));
  return name.empty() ? "" : name.data();
}

/// Throws InvalidArgument if there is no such element type.
DType dtype_of_number(nw_dtype dtype, const char* call);
inline nw_dtype number_of(DType dtype) noexcept {
  return static_cast<nw_dtype>(dtype) + 1;
}

/// Throws InvalidArgument as Dataset does, and if the struct is null or its reserved member is not zero.
Dataset dataset_of(const nw_dataset* dataset, const char* call);
nw_dataset number_of(const Dataset& dataset) noexcept;
nw_view view_of(const AnyConstBatchView& view, Access access) noexcept;

/// A copy of a text, which nw_text_free() frees.
char* text_of(std::string_view text);

/// Writes as many of `numbers` as there is room for, and how many there are.
template <class Numbers>
void write_numbers(const Numbers& numbers, std::uint32_t* out, std::size_t capacity, std::size_t* count,
                   const char* call) {
  needed(count, call, "count");
  if (capacity > 0) needed(out, call, "out");
  std::size_t written = 0;
  for (const auto number : numbers) {
    if (written < capacity) out[written] = static_cast<std::uint32_t>(number);
    ++written;
  }
  *count = written;
}

}  // namespace nodewise::c
