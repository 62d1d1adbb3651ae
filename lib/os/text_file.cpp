#include "os/text_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "base/text.hpp"
#include "os/descriptor.hpp"
#include "os/size_limit.hpp"

namespace nodewise::os {
namespace {

constexpr std::size_t most_bytes = std::size_t{256} << 20;
constexpr int patience_ms = 10000;  // with a pipe

// Waits until the descriptor can be read or written. 0, or an errno.
int wait_for(int descriptor, short events) {
  pollfd waiting{descriptor, events, 0};
  const int ready = ::poll(&waiting, 1, patience_ms);
  return ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno;
}

Result<std::string> read_all(int descriptor) {
  std::string text;
  char piece[4096];
  while (true) {
    if (const int error = wait_for(descriptor, POLLIN); error != 0 && error != EINTR) return {{}, error};
    const ssize_t got = ::read(descriptor, piece, sizeof piece);
    if (got == 0) return {std::move(text), 0};
    if (got < 0 && errno != EINTR && errno != EAGAIN) return {{}, errno};
    if (got > 0) text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > most_bytes) return {{}, EOVERFLOW};
  }
}

int write_all(int descriptor, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(descriptor, text.data() + done, text.size() - done);
    if (put >= 0) {
      done += static_cast<std::size_t>(put);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return errno;
    if (const int error = wait_for(descriptor, POLLOUT); error != 0 && error != EINTR) return error;
  }
  return 0;
}

int write_and_close(int descriptor, const std::string& text) {
  const int written = write_all(descriptor, text);
  const int closed = ::close(descriptor) == 0 ? 0 : errno;
  return written != 0 ? written : closed;
}

int write_in_place(const std::string& path, const std::string& text) {
  const auto file =
      opened(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0666));
  return file.ok() ? write_and_close(file.value, text) : file.error;
}

// Random, so that two processes with one number, in two containers, do not write one draft.
std::string draft_of(const std::string& path) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    random = static_cast<std::uint64_t>(::getpid());
  return base::text(path, '.', random);
}

// Gives a draft the group and the mode of the file that it replaces.
bool take_over(int descriptor, const struct stat& replaced) {
  constexpr ::mode_t permissions = 07777;
  return ::fchown(descriptor, static_cast<::uid_t>(-1), replaced.st_gid) == 0 &&
         ::fchmod(descriptor, replaced.st_mode & permissions) == 0;
}

// `replaced`: the file that has the name, if there is one.
int write_whole(const std::string& path, const std::string& text, const struct stat* replaced) {
  const std::string draft = draft_of(path);
  const auto file = opened(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file.ok()) return file.error;
  if (replaced != nullptr && !take_over(file.value, *replaced)) {
    ::close(file.value);
    ::unlink(draft.c_str());
    return write_in_place(path, text);
  }
  int error = write_and_close(file.value, text);
  if (error == 0 && ::rename(draft.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) ::unlink(draft.c_str());
  return error;
}

bool is_open_as(const std::string& path, int descriptor) {
  struct stat named {};
  struct stat opened {};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(descriptor, &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  const auto file = opened(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.ok()) return {{}, file.error};
  auto text = read_all(file.value);
  ::close(file.value);
  return text;
}

int write_text_file(const std::string& path, const std::string& text) {
  const SizeSignalBlocked blocked;
  if (path == "-") return write_all(STDOUT_FILENO, text);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO})  // /dev/stdout, where it is a file too
    if (is_open_as(path, stream)) return write_all(stream, text);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT ? write_whole(path, text, nullptr) : errno;
  const bool replaceable = S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_uid == ::geteuid();
  return replaceable ? write_whole(path, text, &status) : write_in_place(path, text);
}

}  // namespace nodewise::os
