// An open file that is closed once, on every path.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include "os/os.hpp"

namespace nodewise::os {

/// A file open for reading; stays where it is. Thread class: any thread may read.
class File {
 public:
  File() = default;
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// 0, or an errno; then nothing is open.
  int open(const std::string& path) {
    close();
    Os& os = current();
    const auto opened = os.open_file(path);
    if (!opened.ok()) return opened.error;
    os_ = &os;
    descriptor_ = opened.value;
    return 0;
  }

  Result<std::uint64_t> size_bytes() const { return os_->file_bytes(descriptor_); }
  Result<FileStatus> status() const { return os_->file_status(descriptor_); }

  /// Reads on through short reads and interruptions: fewer than `bytes` only at the end of the file.
  Result<std::size_t> read(void* data, std::size_t bytes, std::uint64_t offset) const {
    std::size_t done = 0;
    while (done < bytes) {
      const auto got =
          os_->read_at(descriptor_, static_cast<std::byte*>(data) + done, bytes - done, offset + done);
      if (got.error == EINTR) continue;
      if (!got.ok()) return {done, got.error};
      if (got.value == 0) break;
      done += got.value;
    }
    return {done, 0};
  }

 private:
  void close() noexcept {
    if (os_ != nullptr) std::exchange(os_, nullptr)->close_file(descriptor_);
  }

  Os* os_ = nullptr;  // the one that opened it; none: not open
  int descriptor_ = -1;
};

}  // namespace nodewise::os
