#include "os/size_limit.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <cerrno>
#include <ctime>
#include <limits>

#include "base/text.hpp"

namespace nodewise::os {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

::sigset_t size_signal() noexcept {
  ::sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGXFSZ);
  return set;
}

}  // namespace

SizeSignalBlocked::SizeSignalBlocked() noexcept {
  const ::sigset_t set = size_signal();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

// The kernel sends the signal to the thread that exceeded the limit, so a signal that is pending is ours,
// unless the program blocks it too.
SizeSignalBlocked::~SizeSignalBlocked() {
  const ::sigset_t set = size_signal();
  const ::timespec at_once{};
  if (::sigismember(&before_, SIGXFSZ) == 0)
    while (::sigtimedwait(&set, nullptr, &at_once) < 0 && errno == EINTR) continue;
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::uint64_t size_limit() {
  ::rlimit limit{};
  const bool limited = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return limited ? limit.rlim_cur : unlimited;
}

std::string size_limit_text(int error) {
  const std::uint64_t limit = size_limit();
  if (error != EFBIG || limit == unlimited) return {};
  return base::text(" (the limit on the size of files, `ulimit -f`, is ", limit, " bytes)");
}

}  // namespace nodewise::os
