// The limit on the size of files (`ulimit -f`, RLIMIT_FSIZE). It holds for files in memory too.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>

namespace nodewise::os {

/// While this exists, a call of this thread that exceeds the limit fails with EFBIG, and SIGXFSZ does not end
/// the process.
class SizeSignalBlocked {
 public:
  SizeSignalBlocked() noexcept;
  ~SizeSignalBlocked();
  SizeSignalBlocked(const SizeSignalBlocked&) = delete;
  SizeSignalBlocked& operator=(const SizeSignalBlocked&) = delete;

 private:
  ::sigset_t before_;
};

/// The limit in bytes; the largest number if there is none.
std::uint64_t size_limit();

/// For errors: if `error` is EFBIG, the limit with its name; else an empty text.
std::string size_limit_text(int error);

}  // namespace nodewise::os
