// The real system's part of memory between processes; the fake machine uses it too.
#pragma once

#include "os/os.hpp"

namespace nodewise::os {

class RealShared : public Os {
 public:
  Result<int> create_shared(const std::string& path) override;
  Result<int> open_shared(const std::string& path, bool writable) override;
  Result<int> create_memfd(const std::string& label, std::size_t huge_page_bytes) override;
  Result<int> reopen(int descriptor, bool writable) override;
  Result<int> duplicate(int descriptor) override;
  int resize_file(int descriptor, std::uint64_t bytes) override;
  int seal_size(int descriptor) override;
  bool is_size_sealed(int descriptor) override;
  Result<FileStatus> file_status(int descriptor) override;
  Result<FileStatus> path_status(const std::string& path) override;
  Result<std::string> real_path(const std::string& path) override;
  Result<FileStatus> entry_status(const std::string& path) override;
  int remove_file(const std::string& path) override;
  int create_folder(const std::string& path) override;
  Result<std::vector<std::string>> list_folder(const std::string& path) override;
  Result<Space> space(const std::string& path) override;
  Result<void*> map_shared(int descriptor, std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                           bool writable) override;
  int populate_shared(int descriptor, std::uint64_t offset, void* data, std::size_t bytes) override;
  int lock_byte(int descriptor, std::uint64_t offset, Lock lock, bool wait) override;
  int unlock_byte(int descriptor, std::uint64_t offset) override;
  Result<bool> is_byte_locked(int descriptor, std::uint64_t offset) override;
  void wait_on(const std::uint32_t* word, std::uint32_t expected, std::uint64_t timeout_ns) noexcept override;
  unsigned wake(const std::uint32_t* word, unsigned sleepers) noexcept override;
  int barrier_everywhere() override;
  unsigned user_id() const noexcept override;
};

}  // namespace nodewise::os
