// The part of the interface to the system that shared memory needs: files in memory, locks that end with
// their holder, and words on which processes sleep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nodewise::os {

/// A value, or the errno of the call that refused it.
template <class T>
struct Result {
  T value{};
  int error = 0;
  bool ok() const noexcept { return error == 0; }
};

struct FileStatus {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::uint64_t modified_ns = 0;  ///< since 1970
  unsigned uid = 0;
  unsigned mode = 0;  ///< the permissions, as chmod takes them
  /// The number of its names; 0: the file was removed.
  unsigned links = 0;
  bool regular = false;
  bool folder = false;
  bool others_may_write() const noexcept { return (mode & 022) != 0; }
  bool same_file(const FileStatus& other) const noexcept {
    return device == other.device && inode == other.inode;
  }
};

enum class FileSystem { memory, huge_pages, other };

/// The capacity and the free room of a file system.
struct Space {
  FileSystem kind = FileSystem::other;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t page_bytes = 0;  ///< With huge_pages: the page size of the pool.
  bool network = false;          ///< Other machines may use it too, as with NFS or Lustre.
};

enum class Lock { shared, exclusive };

/// Wakes all sleepers of a word; for SharedOs::wake.
inline constexpr unsigned all_sleepers = 0x7fffffff;

/// Calls return 0 or an errno, or a Result. Thread class: any thread.
class SharedOs {
 public:
  virtual ~SharedOs() = default;

  // Files in memory. A descriptor is closed by close_file and by exec.
  /// Creates a file that only its owner may open (mode 0600). Returns EEXIST if there is one. Follows no
  /// link.
  virtual Result<int> create_shared(const std::string& path) = 0;
  /// Follows no link.
  virtual Result<int> open_shared(const std::string& path, bool writable) = 0;
  /// Creates a file without a name; it has huge pages if huge_page_bytes > 0.
  virtual Result<int> create_memfd(const std::string& label, std::size_t huge_page_bytes) = 0;
  /// Opens what the descriptor refers to once more, for reading, or for reading and writing. The new opening
  /// has locks of its own.
  virtual Result<int> reopen(int descriptor, bool writable) = 0;
  /// Another descriptor of the same opening.
  virtual Result<int> duplicate(int descriptor) = 0;
  virtual int resize_file(int descriptor, std::uint64_t bytes) = 0;
  /// Seals the size of a memfd: from now on no process can change it.
  virtual int seal_size(int descriptor) = 0;
  virtual bool is_size_sealed(int descriptor) = 0;  ///< Against shrinking.
  virtual Result<FileStatus> file_status(int descriptor) = 0;
  virtual Result<FileStatus> path_status(const std::string& path) = 0;
  virtual Result<std::string> real_path(const std::string& path) = 0;    ///< Absolute, without links.
  virtual Result<FileStatus> entry_status(const std::string& path) = 0;  ///< Of a link itself.
  virtual int remove_file(const std::string& path) = 0;
  /// Makes a folder that only its owner may enter (mode 0700). EEXIST where the path exists.
  virtual int create_folder(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list_folder(const std::string& path) = 0;
  virtual Result<Space> space(const std::string& path) = 0;

  /// Maps a part of a file, shared, aligned to `alignment` (a power of two, at least a page). Unmap it with
  /// Os::unmap.
  virtual Result<void*> map_shared(int descriptor, std::uint64_t offset, std::size_t bytes,
                                   std::size_t alignment, bool writable) = 0;
  /// As Os::populate; `data` is the address of the byte at `offset` in the file. A full file system is
  /// noticed also before Linux 5.14.
  virtual int populate_shared(int descriptor, std::uint64_t offset, void* data, std::size_t bytes) = 0;

  // Locks on single bytes, which need not exist in the file. A lock ends when the last descriptor of its
  // opening is closed, however the process ends. It excludes all other openings, in any namespace.
  /// Returns EAGAIN if another opening has a lock that excludes this one, and `wait` is false. An exclusive
  /// lock needs a descriptor that may write.
  virtual int lock_byte(int descriptor, std::uint64_t offset, Lock lock, bool wait) = 0;
  virtual int unlock_byte(int descriptor, std::uint64_t offset) = 0;
  /// Whether another opening has locked the byte, shared or exclusively.
  virtual Result<bool> is_byte_locked(int descriptor, std::uint64_t offset) = 0;

  // Words on which processes sleep.
  /// Sleeps while `word` is `expected`, until a wake-up, a signal, or the end of `timeout_ns`. The caller
  /// cannot know which of them ended the sleep.
  virtual void wait_on(const std::uint32_t* word, std::uint32_t expected,
                       std::uint64_t timeout_ns) noexcept = 0;
  /// Wakes up to `sleepers` sleepers (or all_sleepers), and returns how many it woke.
  virtual unsigned wake(const std::uint32_t* word, unsigned sleepers) noexcept = 0;

  /// Returns when each running thread of the machine has executed a full memory barrier since the call. Cost:
  /// tens of milliseconds.
  virtual int barrier_everywhere() = 0;

  /// The effective user. Cannot fail.
  virtual unsigned user_id() const noexcept = 0;
};

}  // namespace nodewise::os
