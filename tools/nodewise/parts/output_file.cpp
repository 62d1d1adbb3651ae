#include "parts/output_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "parts/system.hpp"

namespace nodewise::tools {
namespace {

constexpr ::mode_t permissions = 07777;

// Random, so that two processes with one number, in two containers, do not write one draft.
std::string draft_of(const std::string& path) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    random = static_cast<std::uint64_t>(::getpid());
  return fmt::format("{}.{:016x}", path, random);
}

bool is_replaceable(const struct stat& status) {
  return S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_uid == ::geteuid();
}

// Takes the name only where no file has it by now.
int rename_to_new(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;  // a file system that cannot
  if (::link(from, to) != 0) return errno;
  ::unlink(from);
  return 0;
}

int rename_over(const char* from, const char* to) {
  return ::rename(from, to) == 0 ? 0 : errno;
}

}  // namespace

OutputFile::OutputFile(std::string path, Existing existing) : path_(std::move(path)), existing_(existing) {
  if (path_ == "-") {
    descriptor_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    if (descriptor_ < 0) fail(errno, "cannot be written");
    return;
  }
  open();
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!draft_.empty()) ::unlink(draft_.c_str());
}

void OutputFile::open() {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) {
    if (errno != ENOENT) fail(errno, "cannot be created");
    constexpr ::mode_t usual = 0666;
    const ::mode_t mask = ::umask(0);
    ::umask(mask);
    return open_draft(usual & ~mask, -1);
  }
  if (S_ISDIR(status.st_mode)) throw Failure(Exit::bad_input, path_ + " is a directory; name a file");
  if (existing_ == Existing::refused) throw Failure(Exit::bad_input, path_ + " exists; --force replaces it");
  if (is_replaceable(status))
    return open_draft(status.st_mode & permissions, static_cast<int>(status.st_gid));
  open_in_place();
}

// Where the group of the file that is replaced cannot be kept, the file itself is.
void OutputFile::open_draft(unsigned mode, int group) {
  const std::string draft = draft_of(path_);
  descriptor_ = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor_ < 0) fail(errno, "cannot be created");
  draft_ = draft;
  const bool has_group =
      group < 0 || ::fchown(descriptor_, static_cast<::uid_t>(-1), static_cast<::gid_t>(group)) == 0;
  if (has_group && ::fchmod(descriptor_, mode) == 0) return;
  ::unlink(std::exchange(draft_, {}).c_str());
  ::close(std::exchange(descriptor_, -1));
  open_in_place();
}

// A pipe without a reader is an error, not a wait.
void OutputFile::open_in_place() {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(errno, "cannot be written");
  ::fcntl(descriptor_, F_SETFL, O_WRONLY);
}

void OutputFile::write(const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0 && is_read_) {
    const ssize_t put = ::write(descriptor_, at, bytes);
    if (put < 0 && errno == EINTR) continue;
    is_read_ = put >= 0 || errno != EPIPE || path_ != "-";
    if (!is_read_) return;
    if (put < 0) fail(errno, "cannot be written");
    at += put;
    bytes -= static_cast<std::size_t>(put);
  }
}

void OutputFile::keep() {
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(errno, "cannot be written");
  if (draft_.empty()) return;
  const auto take_name = existing_ == Existing::refused ? rename_to_new : rename_over;
  if (const int error = take_name(draft_.c_str(), path_.c_str())) fail(error, "cannot be given its name");
  draft_.clear();
}

void OutputFile::fail(int error, const char* what) const {
  throw Failure(exit_of_errno(error),
                fmt::format("{} {}: {}", path_ == "-" ? "standard output" : path_, what, errno_text(error)));
}

}  // namespace nodewise::tools
