// The limit on the size of files, for tests.
#pragma once

#include <pthread.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <string>

#include <nodewise/error.hpp>

namespace nodewise::test {

/// For a child: lowers the limit on the size of files for good, and says whether `make` then throws EFBIG
/// with the name of the limit, and leaves SIGXFSZ neither blocked nor pending.
inline bool exceeds_size_limit(const std::function<void()>& make) {
  constexpr ::rlim_t limit_bytes = 100 << 10;
  const ::rlimit limit{limit_bytes, limit_bytes};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
  try {
    make();
  } catch (const SystemError& error) {
    ::sigset_t blocked;
    ::sigset_t pending;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    ::sigpending(&pending);
    const bool clean = ::sigismember(&blocked, SIGXFSZ) == 0 && ::sigismember(&pending, SIGXFSZ) == 0;
    const std::string text = error.what();
    return clean && error.code() == EFBIG && text.find("`ulimit -f`, is 102400 bytes") != std::string::npos;
  }
  return false;
}

}  // namespace nodewise::test
