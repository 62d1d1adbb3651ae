// An Os that wraps another one. It counts every call, fails those that a test selects, and knows which
// mappings and descriptors are left over. For tests; not part of the installed library.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include "os/os.hpp"

namespace nodewise::os {

enum class Call : unsigned {
  map,
  unmap,
  advise,
  bind,
  interleave,
  thread_policy,
  populate,
  pages_status,
  check_mapped,
  affinity,
  set_affinity,
  unlimit_affinity,
  affinity_of_process,
  current_cpu,
  try_threads,
  this_machine,
  allowed_nodes,
  read_text,
  host_name,
  open_module,
  open_file,
  file_bytes,
  read_at,
  close_file,
  write_text,
  write_error,
  create_shared,
  open_shared,
  create_memfd,
  reopen,
  duplicate,
  resize_file,
  seal_size,
  file_status,
  path_status,
  real_path,
  entry_status,
  remove_file,
  create_folder,
  list_folder,
  space,
  map_shared,
  populate_shared,
  lock_byte,
  unlock_byte,
  is_byte_locked,
  barrier_everywhere,
};
inline constexpr unsigned call_kinds = static_cast<unsigned>(Call::barrier_everywhere) + 1;
const char* to_string(Call call) noexcept;

/// Thread class: any thread may make calls; select faults before that.
class Faulty : public Os {
 public:
  explicit Faulty(Os& wrapped) noexcept : wrapped_(wrapped) {}

  /// Call number `nth` of this kind (1 is the next one) fails once, with `error`.
  void fail(Call call, std::uint64_t nth, int error) noexcept;
  /// Every call of this kind fails with `error`, as under a seccomp filter. 0 ends this.
  void refuse(Call call, int error) noexcept;

  std::uint64_t calls(Call call) const noexcept { return counts_[index(call)]; }
  std::int64_t live_mappings() const noexcept { return mappings_; }
  std::int64_t live_descriptors() const noexcept { return descriptors_; }

  std::size_t base_page_bytes() const noexcept override { return wrapped_.base_page_bytes(); }
  Result<void*> map(std::size_t, std::size_t, std::size_t) override;
  int unmap(void*, std::size_t) noexcept override;
  int advise(void*, std::size_t, Advice) override;
  int bind(void*, std::size_t, BindMode, unsigned) override;
  int interleave(void*, std::size_t, const IndexSet&) override;
  Result<ThreadPolicy> thread_policy() override;
  int populate(void*, std::size_t) override;
  int pages_status(std::span<void* const>, std::span<int>) override;
  void look_at_shared(const void* data, std::size_t bytes) override { wrapped_.look_at_shared(data, bytes); }
  int check_mapped(const void*, std::size_t) override;
  Result<IndexSet> affinity() override;
  int set_affinity(const IndexSet&) override;
  int unlimit_affinity() override;
  Result<IndexSet> affinity_of_process() override;
  Result<unsigned> current_cpu() override;
  Result<unsigned> try_threads(unsigned, std::size_t) override;
  std::size_t default_stack_bytes() const noexcept override { return wrapped_.default_stack_bytes(); }
  Result<MachineData> this_machine() override;
  Result<IndexSet> allowed_nodes() override;
  Result<std::string> read_text(const std::string&) override;
  Result<std::string> host_name() override;
  int process_id() const noexcept override { return wrapped_.process_id(); }
  Result<ModuleSymbol> open_module(const std::string&, const std::string&) override;
  Result<int> open_file(const std::string&) override;
  Result<std::uint64_t> file_bytes(int) override;
  Result<std::size_t> read_at(int, void*, std::size_t, std::uint64_t) override;
  int close_file(int) noexcept override;
  int write_text(const std::string&, const std::string&) override;
  int write_error(const std::string&) override;

  Result<int> create_shared(const std::string&) override;
  Result<int> open_shared(const std::string&, bool) override;
  Result<int> create_memfd(const std::string&, std::size_t) override;
  Result<int> reopen(int, bool) override;
  Result<int> duplicate(int) override;
  int resize_file(int, std::uint64_t) override;
  int seal_size(int) override;
  bool is_size_sealed(int descriptor) override { return wrapped_.is_size_sealed(descriptor); }
  Result<FileStatus> file_status(int) override;
  Result<FileStatus> path_status(const std::string&) override;
  Result<std::string> real_path(const std::string&) override;
  Result<FileStatus> entry_status(const std::string&) override;
  int remove_file(const std::string&) override;
  int create_folder(const std::string&) override;
  Result<std::vector<std::string>> list_folder(const std::string&) override;
  Result<Space> space(const std::string&) override;
  Result<void*> map_shared(int, std::uint64_t, std::size_t, std::size_t, bool) override;
  int populate_shared(int, std::uint64_t, void*, std::size_t) override;
  int lock_byte(int, std::uint64_t, Lock, bool) override;
  int unlock_byte(int, std::uint64_t) override;
  Result<bool> is_byte_locked(int, std::uint64_t) override;
  void wait_on(const std::uint32_t* word, std::uint32_t expected,
               std::uint64_t timeout_ns) noexcept override {
    wrapped_.wait_on(word, expected, timeout_ns);
  }
  unsigned wake(const std::uint32_t* word, unsigned sleepers) noexcept override {
    return wrapped_.wake(word, sleepers);
  }
  int barrier_everywhere() override;
  unsigned user_id() const noexcept override { return wrapped_.user_id(); }

 private:
  struct Fault {
    std::atomic<std::uint64_t> nth{0};  // counted from the first call ever; 0: none
    std::atomic<int> error{0};
    std::atomic<int> refusal{0};
  };
  static unsigned index(Call call) noexcept { return static_cast<unsigned>(call); }
  int next(Call call) noexcept;  // counts the call; returns the errno with which to fail it, or 0
  template <class Answer, class Fn>
  Answer guarded(Call call, const Fn& made);  // makes the call, unless it is to fail
  template <class Fn>
  Result<int> opened(Call call, const Fn& made);

  Os& wrapped_;
  std::array<std::atomic<std::uint64_t>, call_kinds> counts_{};
  std::array<Fault, call_kinds> faults_;
  std::atomic<std::int64_t> mappings_{0};
  std::atomic<std::int64_t> descriptors_{0};
};

}  // namespace nodewise::os
