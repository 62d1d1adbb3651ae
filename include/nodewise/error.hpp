// What the library throws. Every exception is both a standard one and a nodewise::Error, so that either
// catch clause works; each message names the call, the thing and the numbers, and what to do about it.
#pragma once

#include <new>
#include <stdexcept>
#include <string>

#include <nodewise/export.hpp>

namespace nodewise {

/// Common base of every exception of the library. Thread class: immutable.
class NODEWISE_PUBLIC Error {
 public:
  virtual ~Error();
  /// The whole message, as std::exception::what() gives it.
  virtual const char* what() const noexcept = 0;
};

/// An index past the end: a batch, a row, a column, a node.
class NODEWISE_PUBLIC OutOfRange : public std::out_of_range, public Error {
 public:
  using std::out_of_range::out_of_range;
  ~OutOfRange() override;
  const char* what() const noexcept override { return std::out_of_range::what(); }
};

/// An argument that no machine could satisfy: zero features, sizes that overflow, a wrong element type.
class NODEWISE_PUBLIC InvalidArgument : public std::invalid_argument, public Error {
 public:
  using std::invalid_argument::invalid_argument;
  ~InvalidArgument() override;
  const char* what() const noexcept override { return std::invalid_argument::what(); }
};

/// A file or text that is not what it says: a .npy header, a saved plan, a topology description.
class NODEWISE_PUBLIC FormatError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~FormatError() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// The system refused a call; `code()` is its errno.
class NODEWISE_PUBLIC SystemError : public std::runtime_error, public Error {
 public:
  SystemError(const std::string& message, int code);
  ~SystemError() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  /// The errno of the refused call.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// A placement that was required is impossible here, was not given, or cannot be verified.
class NODEWISE_PUBLIC PlacementError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~PlacementError() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// A process died while it held a mutex, and nobody has repaired since what the mutex guards.
class NODEWISE_PUBLIC OwnerDied : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~OwnerDied() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// Somebody who waited at a barrier gave up, and so nobody passes it until it is reset.
class NODEWISE_PUBLIC BrokenBarrier : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~BrokenBarrier() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// A resource has no more memory to give.
class NODEWISE_PUBLIC OutOfMemory : public std::bad_alloc, public Error {
 public:
  explicit OutOfMemory(const std::string& message) : message_(message) {}
  ~OutOfMemory() override;
  const char* what() const noexcept override { return message_.what(); }

 private:
  std::runtime_error message_;  // copies of it share their text, so that copying throws nothing
};

}  // namespace nodewise
