// Os is the interface to the system: every call that the library makes to the kernel, hwloc or libnuma goes
// through an Os. The real one is the default. Tests replace it by one that can fail any call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <nodewise/index_set.hpp>
#include <nodewise/machine.hpp>

#include "os/shared.hpp"

namespace nodewise::os {

struct ModuleSymbol {
  const void* address = nullptr;
  std::string why;
};

/// A memory policy that set_mempolicy, and so numactl, gave to a thread.
struct ThreadPolicy {
  std::string name;          ///< "bind", "interleave", ...; empty: none, memory comes from the nearest node.
  bool interleaves = false;  ///< Pages are dealt out to the nodes in turn.
  IndexSet nodes;            ///< The kernel's numbers.
};

enum class Advice { huge_pages, no_huge_pages, no_dump };
/// strict_moving: as strict, and pages that lie elsewhere move to the node. The node gives up page cache for
/// them if necessary. Pages that cannot move stay, and nothing is killed.
enum class BindMode { preferred, strict, strict_moving };

/// Calls return 0 or an errno, or a Result. Thread class: any thread.
class Os : public SharedOs {
 public:
  // Memory.
  virtual std::size_t base_page_bytes() const noexcept = 0;  ///< Cannot fail.
  /// Maps private anonymous memory, which is zero and aligned to `alignment` (a power of two, at least a
  /// page). If hugetlb_page_bytes > 0, it consists of pages of that size from the pool.
  virtual Result<void*> map(std::size_t bytes, std::size_t alignment, std::size_t hugetlb_page_bytes) = 0;
  virtual int unmap(void* data, std::size_t bytes) noexcept = 0;
  virtual int advise(void* data, std::size_t bytes, Advice advice) = 0;
  /// mbind: pages touched from now on come from `node` (the kernel's number).
  virtual int bind(void* data, std::size_t bytes, BindMode mode, unsigned node) = 0;
  /// mbind with MPOL_INTERLEAVE, over these nodes (the kernel's numbers).
  virtual int interleave(void* data, std::size_t bytes, const IndexSet& nodes) = 0;
  /// get_mempolicy: the policy of the calling thread. Policies of memory, which bind() sets, override it.
  virtual Result<ThreadPolicy> thread_policy() = 0;
  /// The calling thread makes every page present and writable, without changing a byte.
  virtual int populate(void* data, std::size_t bytes) = 0;
  /// Writes to `status` a node (the kernel's number) or a negative errno for each page. Moves no page.
  /// -ENOENT: the page is not in memory. -EBUSY: the kernel hides where it is. Pages of a shared mapping that
  /// are in memory, but that this process has never accessed, are entered into its page table.
  virtual int pages_status(std::span<void* const> pages, std::span<int> status) = 0;
  /// Reads those pages of a shared mapping that are in memory. Only then does /proc/self/numa_maps count
  /// pages that other processes wrote. This makes and changes no page. Precondition: bytes > 0.
  virtual void look_at_shared(const void* data, std::size_t bytes) = 0;
  /// Returns 0 if every page of the range is mapped, otherwise ENOMEM.
  virtual int check_mapped(const void* data, std::size_t bytes) = 0;

  // Threads.
  virtual Result<IndexSet> affinity() = 0;  ///< The CPUs that the calling thread may use.
  virtual int set_affinity(const IndexSet& cpus) = 0;
  /// The calling thread may then use every CPU of its cpuset, including those that the cpuset gets later.
  /// Since Linux 6.2, no CPU that a cpuset gets later is added to a mask that set_affinity has set.
  virtual int unlimit_affinity() = 0;
  virtual Result<IndexSet> affinity_of_process() = 0;  ///< The same, of the initial thread.
  virtual Result<unsigned> current_cpu() = 0;
  /// Starts `count` threads with stacks of `stack_bytes`, lets all of them exist at the same time, and ends
  /// them. The value is the number that could be started; the error says why no more could.
  virtual Result<unsigned> try_threads(unsigned count, std::size_t stack_bytes) = 0;
  virtual std::size_t default_stack_bytes() const noexcept = 0;  ///< Of a thread; 0 if it is unknown.

  // What the system says of itself.
  virtual Result<MachineData> this_machine() = 0;
  virtual Result<IndexSet> allowed_nodes() = 0;  ///< The kernel's numbers; MPOL_F_MEMS_ALLOWED.
  /// The whole content of a small text file, usually below /proc and /sys.
  virtual Result<std::string> read_text(const std::string& path) = 0;
  virtual Result<std::string> host_name() = 0;
  virtual int process_id() const noexcept = 0;  ///< Cannot fail.
  /// Loads a shared object for as long as the process lives, and finds `symbol` in it. `file` begins in the
  /// folder of the library. ELIBACC where it cannot be loaded; `why` is the loader's message.
  virtual Result<ModuleSymbol> open_module(const std::string& file, const std::string& symbol) = 0;

  // Files.
  virtual Result<int> open_file(const std::string& path) = 0;  ///< For reading.
  virtual Result<std::uint64_t> file_bytes(int descriptor) = 0;
  /// Reads up to `bytes` bytes. Returns 0 at the end of the file.
  virtual Result<std::size_t> read_at(int descriptor, void* data, std::size_t bytes,
                                      std::uint64_t offset) = 0;
  virtual int close_file(int descriptor) noexcept = 0;
  /// Replaces or creates the file `path`. It then contains either all of `text`, or what it contained before.
  virtual int write_text(const std::string& path, const std::string& text) = 0;
  /// Writes to standard error. Only for what fails while the process exits, when no caller is left.
  virtual int write_error(const std::string& text) = 0;
};

/// The Os in use.
Os& current() noexcept;

/// The real one.
Os& real() noexcept;

/// Uses `replacement` as the current Os while this object exists. For tests. Precondition: no other thread is
/// in the library.
class Scoped {
 public:
  explicit Scoped(Os& replacement) noexcept;
  ~Scoped();
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 private:
  Os* previous_;
};

/// Whether this process was forked from one that had loaded the library. OpenMP regions may hang in it.
bool in_forked_child() noexcept;

}  // namespace nodewise::os
