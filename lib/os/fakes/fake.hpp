// A machine of many nodes that does not exist: memory is real, and placement is simulated. First touch,
// policies, full nodes and refused calls behave as on Linux. A thread runs on the CPU that it last asked for,
// which may be any CPU. It begins with all CPUs, whatever mask the thread that started it has. For tests; not
// part of the installed library.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "os/real_shared.hpp"

namespace nodewise::os {

/// Thread class: any thread.
class Fake : public RealShared {
 public:
  /// `machine.nodes[].free_bytes` limits what each node can hold; 0 means its memory_bytes.
  explicit Fake(MachineData machine);

  /// Does what another program does with move_pages: moves the present pages of the range to `node` (the
  /// kernel's number).
  void migrate(const void* data, std::size_t bytes, unsigned node);
  /// Fills free memory of `node` with page cache, which the node gives up only for a strict policy.
  void fill_with_cache(unsigned node, std::uint64_t bytes);
  /// Does what AutoNUMA does on Linux 6.1: from now on, move_pages does not say where the pages of the range
  /// are.
  void hide(const void* data, std::size_t bytes);
  /// Whether a strict policy met a full node. The kernel would have killed the process.
  bool killed() const noexcept { return killed_; }
  /// From now on, the calling user is `uid`. Files are still created by the real user of this process.
  void become_user(unsigned uid) noexcept { user_ = uid; }
  /// From now on, the cpuset of the process has these CPUs. As since Linux 6.2, a thread's own mask still
  /// limits the thread. Not while other threads use the fake.
  void set_cpuset(const IndexSet& cpus);
  /// Sets what the file system of `path` reports.
  void set_space(const std::string& path, const Space& space) { spaces_[path] = space; }
  /// What numactl does: from now on, threads have this policy. It places no page of the fake.
  void set_policy(ThreadPolicy policy) { policy_ = std::move(policy); }
  /// From now on, its pools of huge pages give what is asked for. The pages of a node count as before.
  void fill_pools() noexcept { pools_filled_ = true; }
  /// Gives `path` a content. Without one, the file does not exist, except files that the fake itself knows.
  void set_text(const std::string& path, std::string text);
  /// The CPU of the thread that populated the page that holds `data`.
  std::optional<unsigned> populated_by_cpu(const void* data) const;

  std::size_t base_page_bytes() const noexcept override { return 4096; }
  Result<void*> map(std::size_t bytes, std::size_t alignment, std::size_t hugetlb_page_bytes) override;
  int unmap(void* data, std::size_t bytes) noexcept override;
  int advise(void* data, std::size_t bytes, Advice advice) override;
  int bind(void* data, std::size_t bytes, BindMode mode, unsigned node) override;
  int interleave(void* data, std::size_t bytes, const IndexSet& nodes) override;
  Result<ThreadPolicy> thread_policy() override { return {policy_, 0}; }
  int populate(void* data, std::size_t bytes) override;
  int pages_status(std::span<void* const> pages, std::span<int> status) override;
  void look_at_shared(const void*, std::size_t) override {}
  int check_mapped(const void* data, std::size_t bytes) override;
  Result<IndexSet> affinity() override;
  int set_affinity(const IndexSet& cpus) override;
  int unlimit_affinity() override;
  Result<IndexSet> affinity_of_process() override { return affinity(); }
  Result<unsigned> current_cpu() override;
  Result<unsigned> try_threads(unsigned count, std::size_t stack_bytes) override {
    return real().try_threads(count, stack_bytes);
  }
  std::size_t default_stack_bytes() const noexcept override { return real().default_stack_bytes(); }
  Result<MachineData> this_machine() override;
  Result<IndexSet> allowed_nodes() override;
  Result<std::string> read_text(const std::string& path) override;
  Result<std::string> host_name() override { return {"fake", 0}; }
  int process_id() const noexcept override { return real().process_id(); }
  Result<ModuleSymbol> open_module(const std::string& file, const std::string& symbol) override {
    return real().open_module(file, symbol);
  }
  Result<int> open_file(const std::string& path) override { return real().open_file(path); }
  Result<std::uint64_t> file_bytes(int descriptor) override { return real().file_bytes(descriptor); }
  Result<std::size_t> read_at(int descriptor, void* data, std::size_t bytes, std::uint64_t offset) override {
    return real().read_at(descriptor, data, bytes, offset);
  }
  int close_file(int descriptor) noexcept override { return real().close_file(descriptor); }
  int write_text(const std::string& path, const std::string& text) override {
    return real().write_text(path, text);
  }
  int write_error(const std::string& text) override { return real().write_error(text); }
  Result<void*> map_shared(int descriptor, std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                           bool writable) override;
  int populate_shared(int descriptor, std::uint64_t offset, void* data, std::size_t bytes) override;
  int remove_file(const std::string& path) override;
  Result<Space> space(const std::string& path) override;
  unsigned user_id() const noexcept override { return user_.value_or(RealShared::user_id()); }

 private:
  using Address = std::uintptr_t;
  struct Policy {
    enum class Mode { local, preferred, strict, interleaved } mode = Mode::local;
    IndexSet nodes;
    bool operator==(const Policy&) const = default;
  };
  struct Page {
    Policy policy;
    bool dumped = true;
    bool hidden = false;
    std::optional<unsigned> node;  // the kernel's number; none: untouched
    unsigned cpu = 0;              // the CPU that touched it first
  };

  template <class Fn>
  int for_pages(const void* data, std::size_t bytes, Fn fn);             // ENOMEM if a page is not mapped
  std::optional<unsigned> place(const Page& page, unsigned local_node);  // a node with room, or none
  bool take(unsigned node, bool reclaiming = false);
  struct Run;
  std::vector<Run> runs() const;
  std::string maps() const;
  std::string numa_maps() const;
  std::optional<std::string> node_text(const std::string& path) const;

  MachineData machine_;
  IndexSet cpuset_;
  ThreadPolicy policy_;
  std::uint64_t number_;                          // its number among all Fakes that ever existed
  std::map<unsigned, std::uint64_t> free_bytes_;  // by kernel's number
  std::map<unsigned, std::uint64_t> cache_bytes_;
  std::map<Address, std::shared_ptr<Page>> pages_;
  // By device, inode and offset: all mappings of a file have the same pages.
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, std::shared_ptr<Page>> files_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, Space> spaces_;
  std::optional<unsigned> user_;
  bool killed_ = false;
  bool pools_filled_ = false;
  mutable std::mutex mutex_;
};

}  // namespace nodewise::os
