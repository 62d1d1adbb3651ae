#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise {

// Out of line, so that each type's identity lives in one library and catching works across them.
Error::~Error() = default;
OutOfRange::~OutOfRange() = default;
InvalidArgument::~InvalidArgument() = default;
FormatError::~FormatError() = default;
SystemError::~SystemError() = default;
PlacementError::~PlacementError() = default;
OwnerDied::~OwnerDied() = default;
BrokenBarrier::~BrokenBarrier() = default;
OutOfMemory::~OutOfMemory() = default;

SystemError::SystemError(const std::string& message, int code)
    : std::runtime_error(base::text(message, ": ", base::errno_text(code))), code_(code) {}

}  // namespace nodewise
