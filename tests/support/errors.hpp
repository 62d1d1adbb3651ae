// What calls throw, in tests.
#pragma once

#include <exception>
#include <string>

#include <nodewise/error.hpp>

namespace nodewise::test {

/// What `fn` throws says, or "" where it throws no such thing.
template <class Exception = std::exception, class Fn>
std::string message_of(Fn fn) {
  try {
    fn();
  } catch (const Exception& error) {
    return error.what();
  }
  return "";
}

/// The errno of the SystemError that `fn` throws, or 0.
template <class Fn>
int code_of(Fn fn) {
  try {
    fn();
  } catch (const SystemError& error) {
    return error.code();
  }
  return 0;
}

inline bool contains(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

}  // namespace nodewise::test
