#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise {

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::out_of_range:
      return "out_of_range";
    case ErrorKind::invalid_argument:
      return "invalid_argument";
    case ErrorKind::format:
      return "format";
    case ErrorKind::system:
      return "system";
    case ErrorKind::placement:
      return "placement";
    case ErrorKind::owner_died:
      return "owner_died";
    case ErrorKind::broken_barrier:
      return "broken_barrier";
    case ErrorKind::out_of_memory:
      return "out_of_memory";
    case ErrorKind::foreign:
      return "foreign";
    case ErrorKind::stopped:
      return "stopped";
    case ErrorKind::threads:
      return "threads";
  }
  return {};
}

ErrorKind kind_of(const std::exception& error) noexcept {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) return ours->kind();
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ? ErrorKind::out_of_memory
                                                                : ErrorKind::foreign;
}

// These are not inline, so that the identity of each type is in one library, and exceptions can be caught
// across libraries.
Error::~Error() = default;
OutOfRange::~OutOfRange() = default;
InvalidArgument::~InvalidArgument() = default;
FormatError::~FormatError() = default;
SystemError::~SystemError() = default;
ThreadError::~ThreadError() = default;
PlacementError::~PlacementError() = default;
OwnerDied::~OwnerDied() = default;
BrokenBarrier::~BrokenBarrier() = default;
Stopped::~Stopped() = default;
OutOfMemory::~OutOfMemory() = default;

SystemError::SystemError(const std::string& message, int code)
    : std::runtime_error(base::text(message, ": ", base::errno_text(code))), code_(code) {}

ThreadError::ThreadError(const std::string& message, int code)
    : std::runtime_error(base::text(message, ": ", base::errno_text(code))), code_(code) {}

}  // namespace nodewise
