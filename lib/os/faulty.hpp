// An Os that counts every call to another one, fails those it is told to, and knows what was left behind.
// For tests; not part of the installed library.
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
  populate,
  pages_status,
  check_mapped,
  affinity,
  set_affinity,
  current_cpu,
  this_machine,
  allowed_nodes,
  read_text,
  host_name,
  open_file,
  file_bytes,
  read_at,
  close_file,
  write_text,
};
inline constexpr unsigned call_kinds = static_cast<unsigned>(Call::write_text) + 1;
const char* to_string(Call call) noexcept;

/// Thread class: calls from any thread; set faults before.
class Faulty : public Os {
 public:
  explicit Faulty(Os& wrapped) noexcept : wrapped_(wrapped) {}

  /// The `nth` call of this kind (1 is the next) fails with `error`, once.
  void fail(Call call, std::uint64_t nth, int error) noexcept;
  /// Every call of this kind fails with `error`, as under a seccomp filter; 0 ends it.
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
  int populate(void*, std::size_t) override;
  int pages_status(std::span<void* const>, std::span<int>) override;
  int check_mapped(const void*, std::size_t) override;
  Result<IndexSet> affinity() override;
  int set_affinity(const IndexSet&) override;
  Result<unsigned> current_cpu() override;
  Result<Topology::Data> this_machine() override;
  Result<IndexSet> allowed_nodes() override;
  Result<std::string> read_text(const std::string&) override;
  Result<std::string> host_name() override;
  int process_id() const noexcept override { return wrapped_.process_id(); }
  Result<int> open_file(const std::string&) override;
  Result<std::uint64_t> file_bytes(int) override;
  Result<std::size_t> read_at(int, void*, std::size_t, std::uint64_t) override;
  int close_file(int) noexcept override;
  int write_text(const std::string&, const std::string&) override;

 private:
  struct Fault {
    std::atomic<std::uint64_t> nth{0};  // counted from the first call ever; 0: none
    std::atomic<int> error{0};
    std::atomic<int> refusal{0};
  };
  static unsigned index(Call call) noexcept { return static_cast<unsigned>(call); }
  int next(Call call) noexcept;  // counts the call; the errno to fail it with, or 0

  Os& wrapped_;
  std::array<std::atomic<std::uint64_t>, call_kinds> counts_{};
  std::array<Fault, call_kinds> faults_;
  std::atomic<std::int64_t> mappings_{0};
  std::atomic<std::int64_t> descriptors_{0};
};

}  // namespace nodewise::os
