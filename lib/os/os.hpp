// The seam to the system: every call that the library makes of the kernel, hwloc or libnuma goes through
// one Os. The real one is the default; tests put a fake one in its place, which can fail any call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <nodewise/index_set.hpp>
#include <nodewise/machine.hpp>

#include "os/shared.hpp"

namespace nodewise::os {

enum class Advice { huge_pages, no_huge_pages, no_dump };
/// strict_moving: strict, and pages that lie elsewhere move to the node, which gives up its page cache for
/// them where it must. What cannot move stays; nothing is killed.
enum class BindMode { preferred, strict, strict_moving };

/// Calls return 0 or an errno, or a Result. Thread class: any thread.
class Os : public SharedOs {
 public:
  // Memory.
  virtual std::size_t base_page_bytes() const noexcept = 0;  ///< Cannot fail.
  /// Anonymous private zeroed memory, aligned to `alignment` (a power of two, at least a page). With
  /// hugetlb_page_bytes > 0: pages of that size from the pool.
  virtual Result<void*> map(std::size_t bytes, std::size_t alignment, std::size_t hugetlb_page_bytes) = 0;
  virtual int unmap(void* data, std::size_t bytes) noexcept = 0;
  virtual int advise(void* data, std::size_t bytes, Advice advice) = 0;
  /// mbind: pages touched from now on come from `node` (the kernel's number).
  virtual int bind(void* data, std::size_t bytes, BindMode mode, unsigned node) = 0;
  /// mbind, MPOL_INTERLEAVE over the kernel's node numbers.
  virtual int interleave(void* data, std::size_t bytes, const IndexSet& nodes) = 0;
  /// Makes every page present and writable, by the calling thread, without changing a byte.
  virtual int populate(void* data, std::size_t bytes) = 0;
  /// Fills `status` with a node (kernel's number) or a negative errno for each page; moves nothing. -ENOENT
  /// is a page that is not in memory, -EBUSY one of which the kernel hides where it is. A page of a shared
  /// mapping that is in memory but was never looked at by this process becomes part of its address space.
  virtual int pages_status(std::span<void* const> pages, std::span<int> status) = 0;
  /// Reads, of a shared mapping, those pages that are in memory: what other processes wrote counts as this
  /// process's in /proc/self/numa_maps only then. Nothing is made or changed. Precondition: bytes > 0.
  virtual void look_at_shared(const void* data, std::size_t bytes) = 0;
  /// Whether every page of the range is mapped: 0, or ENOMEM.
  virtual int check_mapped(const void* data, std::size_t bytes) = 0;

  // Threads.
  virtual Result<IndexSet> affinity() = 0;  ///< CPUs that the calling thread may use.
  virtual int set_affinity(const IndexSet& cpus) = 0;
  virtual Result<unsigned> current_cpu() = 0;

  // The system's own words.
  virtual Result<MachineData> this_machine() = 0;
  virtual Result<IndexSet> allowed_nodes() = 0;  ///< Kernel's numbers; MPOL_F_MEMS_ALLOWED.
  /// The whole of a small text file, under /proc and /sys mostly.
  virtual Result<std::string> read_text(const std::string& path) = 0;
  virtual Result<std::string> host_name() = 0;
  virtual int process_id() const noexcept = 0;  ///< Cannot fail.

  // Files.
  virtual Result<int> open_file(const std::string& path) = 0;  ///< For reading.
  virtual Result<std::uint64_t> file_bytes(int descriptor) = 0;
  /// Up to `bytes`; 0 at the end of the file.
  virtual Result<std::size_t> read_at(int descriptor, void* data, std::size_t bytes,
                                      std::uint64_t offset) = 0;
  virtual int close_file(int descriptor) noexcept = 0;
  /// Replaces or creates `path` with `text`, whole or not at all.
  virtual int write_text(const std::string& path, const std::string& text) = 0;
};

/// The Os in use.
Os& current() noexcept;

/// The real one.
Os& real() noexcept;

/// Puts `replacement` in use for as long as it lives. For tests; not while another thread is in the library.
class Scoped {
 public:
  explicit Scoped(Os& replacement) noexcept;
  ~Scoped();
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 private:
  Os* previous_;
};

/// Whether this process was forked from one that had loaded the library: OpenMP regions may hang here.
bool in_forked_child() noexcept;

}  // namespace nodewise::os
