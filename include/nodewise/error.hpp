// The exceptions of the library. Each is both a standard exception and a nodewise::Error, so a program can
// catch either. Messages name the call, the object and the numbers, and say what to do.
#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// What went wrong, as a number: one kind for each class of exceptions below. Numbers and names never change,
/// and 0 means no error. The exit codes of the command are made from them.
enum class ErrorKind : std::uint8_t {
  out_of_range = 1,      ///< OutOfRange
  invalid_argument = 2,  ///< InvalidArgument
  format = 3,            ///< FormatError
  system = 4,            ///< SystemError
  placement = 5,         ///< PlacementError
  owner_died = 6,        ///< OwnerDied
  broken_barrier = 7,    ///< BrokenBarrier
  out_of_memory = 8,     ///< OutOfMemory, and std::bad_alloc
  foreign = 9,   ///< Any other exception: from the standard library, or from a function of the caller.
  stopped = 10,  ///< Stopped
  threads = 11,  ///< ThreadError
};
NODEWISE_PUBLIC std::string_view to_string(ErrorKind kind) noexcept;

/// The kind of any exception, also of one that is not the library's. Thread class: any thread.
NODEWISE_PUBLIC ErrorKind kind_of(const std::exception& error) noexcept;

/// The base class of all exceptions of the library. Thread class: immutable.
class NODEWISE_PUBLIC Error {
 public:
  virtual ~Error();
  /// The whole message, as std::exception::what() gives it.
  virtual const char* what() const noexcept = 0;
  virtual ErrorKind kind() const noexcept = 0;
};

/// An index past the end: of a batch, row, column or node.
class NODEWISE_PUBLIC OutOfRange : public std::out_of_range, public Error {
 public:
  using std::out_of_range::out_of_range;
  ~OutOfRange() override;
  const char* what() const noexcept override { return std::out_of_range::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::out_of_range; }
};

/// An argument that is wrong on every machine: no features, sizes that overflow, the wrong element type.
class NODEWISE_PUBLIC InvalidArgument : public std::invalid_argument, public Error {
 public:
  using std::invalid_argument::invalid_argument;
  ~InvalidArgument() override;
  const char* what() const noexcept override { return std::invalid_argument::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::invalid_argument; }
};

/// A file or text that is not what it should be: a .npy header, a saved plan, a topology description.
class NODEWISE_PUBLIC FormatError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~FormatError() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::format; }
};

/// The system refused a call; `code()` is its errno.
class NODEWISE_PUBLIC SystemError : public std::runtime_error, public Error {
 public:
  SystemError(const std::string& message, int code);
  ~SystemError() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::system; }
  /// The errno of the refused call.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// The system does not let OpenMP start the threads that a call needs, or their stacks would be too small.
/// OpenMP itself would end the process. `code()` is the errno.
class NODEWISE_PUBLIC ThreadError : public std::runtime_error, public Error {
 public:
  ThreadError(const std::string& message, int code);
  ~ThreadError() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::threads; }
  /// The errno of the refusal.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// A placement that is required is impossible here, was not achieved, or cannot be verified.
class NODEWISE_PUBLIC PlacementError : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~PlacementError() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::placement; }
};

/// A process died while it held a mutex, and the data that the mutex guards has not been repaired since.
class NODEWISE_PUBLIC OwnerDied : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~OwnerDied() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::owner_died; }
};

/// A party of a barrier gave up. All callers get this exception until the barrier is reset.
class NODEWISE_PUBLIC BrokenBarrier : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~BrokenBarrier() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::broken_barrier; }
};

/// A long call ended early because its stop token was requested (stop.hpp).
class NODEWISE_PUBLIC Stopped : public std::runtime_error, public Error {
 public:
  using std::runtime_error::runtime_error;
  ~Stopped() override;
  const char* what() const noexcept override { return std::runtime_error::what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::stopped; }
};

/// A memory resource has no more memory.
class NODEWISE_PUBLIC OutOfMemory : public std::bad_alloc, public Error {
 public:
  explicit OutOfMemory(const std::string& message) : message_(message) {}
  ~OutOfMemory() override;
  const char* what() const noexcept override { return message_.what(); }
  ErrorKind kind() const noexcept override { return ErrorKind::out_of_memory; }

 private:
  std::runtime_error message_;  // copies share its text, so copying throws nothing
};

}  // namespace nodewise
