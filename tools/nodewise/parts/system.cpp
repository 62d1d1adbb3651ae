#include "parts/system.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace nodewise::tools {
namespace {

constexpr std::size_t most_text_bytes = std::size_t{64} << 20;
constexpr int patience_ms = 10000;  // with a pipe

// 0, or an errno.
int wait_readable(int descriptor) {
  pollfd waiting{descriptor, POLLIN, 0};
  const int ready = ::poll(&waiting, 1, patience_ms);
  return ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno;
}

Text read_all(int descriptor) {
  std::string text;
  char piece[16384];
  while (true) {
    if (const int error = wait_readable(descriptor); error != 0 && error != EINTR) return {{}, error};
    const ssize_t count = ::read(descriptor, piece, sizeof piece);
    if (count == 0) return {std::move(text), 0};
    if (count < 0 && errno != EINTR && errno != EAGAIN) return {{}, errno};
    if (count > 0) text.append(piece, static_cast<std::size_t>(count));
    if (text.size() > most_text_bytes) return {{}, EOVERFLOW};
  }
}

std::string limit_text(int error) {
  if (error == EMFILE) return "; the limit is `ulimit -n`";
  rlimit limit{};
  if (error != EFBIG || ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  return fmt::format("; `ulimit -f` allows files of {} bytes", limit.rlim_cur);
}

}  // namespace

std::string errno_text(int error) {
#if __GLIBC_PREREQ(2, 32)
  if (const char* name = strerrorname_np(error))
    return fmt::format("{} ({}){}", strerrordesc_np(error), name, limit_text(error));
#endif
  return fmt::format("{} (errno {}){}", std::strerror(error), error, limit_text(error));
}

Exit exit_of_errno(int error) {
  constexpr int of_the_name[] = {EACCES, EEXIST, EOVERFLOW,    ETIMEDOUT, EINVAL,  EISDIR,
                                 ELOOP,  ENOENT, ENAMETOOLONG, EPERM,     ENOTDIR, EROFS};
  const bool named_wrongly =
      std::find(std::begin(of_the_name), std::end(of_the_name), error) != std::end(of_the_name);
  return named_wrongly ? Exit::bad_input : Exit::machine_cannot;
}

Text read_text(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return {{}, errno};
  Text text = read_all(descriptor);
  ::close(descriptor);
  return text;
}

std::string read_error_text(int error) {
  if (error == EOVERFLOW) return fmt::format("it has more than {} MiB", most_text_bytes >> 20);
  if (error == ETIMEDOUT) return fmt::format("the pipe gave nothing for {} s", patience_ms / 1000);
  return errno_text(error);
}

void open_missing_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF)  // the lowest free number, which is `stream`
      static_cast<void>(::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

void require_proc(const std::string& what) {
  const Text stat = read_text("/proc/self/stat");
  if (!stat.ok())
    throw Failure(Exit::machine_cannot,
                  fmt::format("/proc, which says {}, cannot be read: {}; mount -t proc proc /proc", what,
                              errno_text(stat.error)));
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

unsigned user_id() {
  return ::geteuid();
}

}  // namespace nodewise::tools
