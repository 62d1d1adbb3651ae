// A small file system in memory, for tests of what happens when there is no more room.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace nodewise::test {

/// For a child: mounts a tmpfs of `size` (as "1M") at `folder`, where only this process and its children see
/// it. Returns false if that is not allowed here.
inline bool mount_small_tmpfs(const std::string& folder, const std::string& size) {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    std::ofstream("/proc/self/uid_map") << user << ' ' << user << " 1";
    std::ofstream("/proc/self/setgroups") << "deny";  // else the kernel takes no map of groups
    std::ofstream("/proc/self/gid_map") << group << ' ' << group << " 1";
  }
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", folder.c_str(), "tmpfs", 0, ("mode=700,size=" + size).c_str()) == 0;
}

/// A file that takes all room of the file system of `folder`, as long as this exists.
class Filler {
 public:
  explicit Filler(const std::string& folder) : path_(folder + "/filler") {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const std::string page(4096, 'x');
    while (::write(file, page.data(), page.size()) == static_cast<ssize_t>(page.size())) continue;
    full_ = errno == ENOSPC;
    ::close(file);
  }
  ~Filler() { ::unlink(path_.c_str()); }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;
  bool full() const noexcept { return full_; }

 private:
  std::string path_;
  bool full_ = false;
};

}  // namespace nodewise::test
