// Memory between processes, on the real system.
#include "os/real_shared.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <iterator>
#include <memory>

#include "base/checked.hpp"
#include "os/descriptor.hpp"
#include "os/size_limit.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older headers lack it
#endif

namespace nodewise::os {
namespace {

constexpr auto tmpfs_magic = 0x01021994;
constexpr auto hugetlbfs_magic = 0x958458f6;
constexpr std::uint32_t network_magics[] = {
    0x6969,      // NFS
    0xff534d42,  // CIFS
    0xfe534d42,  // SMB 2
    0x0bd00bd0,  // Lustre
    0x47504653,  // GPFS
    0x19830326,  // BeeGFS
    0x00c36400,  // Ceph
    0x5346414f,  // AFS
};

int outcome(int returned) noexcept {
  return returned == 0 ? 0 : errno;
}

FileStatus status_of(const struct stat& status) noexcept {
  constexpr std::uint64_t second = 1'000'000'000;
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .bytes = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * second +
                         static_cast<std::uint64_t>(status.st_mtim.tv_nsec),
          .uid = status.st_uid,
          .mode = status.st_mode & 07777,
          .links = static_cast<unsigned>(status.st_nlink),
          .regular = S_ISREG(status.st_mode),
          .folder = S_ISDIR(status.st_mode)};
}

struct flock byte_lock(std::uint64_t offset, short type) noexcept {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = 1;
  return lock;
}

// The kernel aligns mappings to its own pages only. For more, this reserves address space and maps the file
// into it.
Result<void*> map_aligned(int descriptor, std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                          int protection) {
  const auto room_bytes = base::checked_add(bytes, alignment);
  if (!room_bytes) return {nullptr, ENOMEM};
  void* room = ::mmap(nullptr, *room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return {nullptr, errno};
  auto* const begin = static_cast<std::byte*>(room);
  const auto address = reinterpret_cast<std::uintptr_t>(room);
  std::byte* const at = begin + (base::round_up(address, alignment) - address);
  std::byte* const behind = at + bytes;
  std::byte* const end = begin + *room_bytes;
  if (::mmap(at, bytes, protection, MAP_SHARED | MAP_FIXED, descriptor, static_cast<off_t>(offset)) ==
      MAP_FAILED) {
    const int error = errno;
    ::munmap(room, *room_bytes);
    return {nullptr, error};
  }
  if (at != begin) ::munmap(begin, static_cast<std::size_t>(at - begin));
  if (behind != end) ::munmap(behind, static_cast<std::size_t>(end - behind));
  return {at, 0};
}

// Writes to each page what it contains.
void touch(std::byte* data, std::size_t bytes, std::size_t page_bytes) noexcept {
  for (std::size_t offset = 0; offset < bytes; offset += page_bytes)
    __atomic_fetch_or(reinterpret_cast<unsigned char*>(data + offset), 0, __ATOMIC_RELAXED);
}

}  // namespace

Result<int> RealShared::create_shared(const std::string& path) {
  return opened(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
}

Result<int> RealShared::open_shared(const std::string& path, bool writable) {
  const int access = writable ? O_RDWR : O_RDONLY;
  return opened(::open(path.c_str(), access | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
}

Result<int> RealShared::create_memfd(const std::string& label, std::size_t huge_page_bytes) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  if (huge_page_bytes > 0)
    flags |= MFD_HUGETLB | static_cast<unsigned>(std::countr_zero(huge_page_bytes)) << MAP_HUGE_SHIFT;
  return opened(::memfd_create(label.c_str(), flags));
}

Result<int> RealShared::reopen(int descriptor, bool writable) {
  const int access = writable ? O_RDWR : O_RDONLY;
  return opened(::open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), access | O_CLOEXEC));
}

Result<int> RealShared::duplicate(int descriptor) {
  return opened(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}

int RealShared::resize_file(int descriptor, std::uint64_t bytes) {
  const SizeSignalBlocked blocked;
  return outcome(::ftruncate(descriptor, static_cast<off_t>(bytes)));
}

int RealShared::seal_size(int descriptor) {
  return outcome(::fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
}

bool RealShared::is_size_sealed(int descriptor) {
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

Result<FileStatus> RealShared::file_status(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return {{}, errno};
  return {status_of(status), 0};
}

Result<FileStatus> RealShared::path_status(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {{}, errno};
  return {status_of(status), 0};
}

Result<std::string> RealShared::real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> found(::realpath(path.c_str(), nullptr), &std::free);
  if (!found) return {{}, errno};
  return {found.get(), 0};
}

Result<FileStatus> RealShared::entry_status(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {{}, errno};
  return {status_of(status), 0};
}

int RealShared::remove_file(const std::string& path) {
  return outcome(::unlink(path.c_str()));
}

int RealShared::create_folder(const std::string& path) {
  return outcome(::mkdir(path.c_str(), 0700));
}

Result<std::vector<std::string>> RealShared::list_folder(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  if (!folder) return {{}, errno};
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder.get())) names.emplace_back(entry->d_name);
  return {std::move(names), 0};
}

Result<Space> RealShared::space(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) return {{}, errno};
  const auto block = static_cast<std::uint64_t>(status.f_bsize);
  const auto type = static_cast<std::uint32_t>(status.f_type);
  return {{.kind = type == tmpfs_magic       ? FileSystem::memory
                   : type == hugetlbfs_magic ? FileSystem::huge_pages
                                             : FileSystem::other,
           .total_bytes = status.f_blocks * block,
           .free_bytes = status.f_bavail * block,
           .page_bytes = block,
           .network = std::find(std::begin(network_magics), std::end(network_magics), type) !=
                      std::end(network_magics)},
          0};
}

Result<void*> RealShared::map_shared(int descriptor, std::uint64_t offset, std::size_t bytes,
                                     std::size_t alignment, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  if (alignment > base_page_bytes()) return map_aligned(descriptor, offset, bytes, alignment, protection);
  void* mapped = ::mmap(nullptr, bytes, protection, MAP_SHARED, descriptor, static_cast<off_t>(offset));
  return mapped == MAP_FAILED ? Result<void*>{nullptr, errno} : Result<void*>{mapped, 0};
}

int RealShared::populate_shared(int descriptor, std::uint64_t offset, void* data, std::size_t bytes) {
  if (::madvise(data, bytes, MADV_POPULATE_WRITE) == 0) return 0;
  if (errno != EINVAL) return errno;
  // Touching a page for which there is no memory would end the process. So all pages are reserved first.
  const int error = ::posix_fallocate(descriptor, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  if (error == 0) touch(static_cast<std::byte*>(data), bytes, base_page_bytes());
  return error;
}

int RealShared::lock_byte(int descriptor, std::uint64_t offset, Lock lock, bool wait) {
  struct flock byte = byte_lock(offset, lock == Lock::shared ? F_RDLCK : F_WRLCK);
  while (::fcntl(descriptor, wait ? F_OFD_SETLKW : F_OFD_SETLK, &byte) != 0)
    if (errno != EINTR) return errno == EACCES ? EAGAIN : errno;
  return 0;
}

int RealShared::unlock_byte(int descriptor, std::uint64_t offset) {
  struct flock byte = byte_lock(offset, F_UNLCK);
  return outcome(::fcntl(descriptor, F_OFD_SETLK, &byte));
}

Result<bool> RealShared::is_byte_locked(int descriptor, std::uint64_t offset) {
  struct flock byte = byte_lock(offset, F_WRLCK);
  if (::fcntl(descriptor, F_OFD_GETLK, &byte) != 0) return {false, errno};
  return {byte.l_type != F_UNLCK, 0};
}

void RealShared::wait_on(const std::uint32_t* word, std::uint32_t expected,
                         std::uint64_t timeout_ns) noexcept {
  constexpr std::uint64_t second = 1'000'000'000;
  const timespec timeout{static_cast<time_t>(timeout_ns / second), static_cast<long>(timeout_ns % second)};
  ::syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

unsigned RealShared::wake(const std::uint32_t* word, unsigned sleepers) noexcept {
  const long woken = ::syscall(SYS_futex, word, FUTEX_WAKE, sleepers, nullptr, nullptr, 0);
  return woken > 0 ? static_cast<unsigned>(woken) : 0;
}

int RealShared::barrier_everywhere() {
  constexpr int global = 1;  // MEMBARRIER_CMD_GLOBAL, called SHARED in older headers
  return ::syscall(SYS_membarrier, global, 0, 0) == 0 ? 0 : errno;
}

unsigned RealShared::user_id() const noexcept {
  return ::geteuid();
}

}  // namespace nodewise::os
