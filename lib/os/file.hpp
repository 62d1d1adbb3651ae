// The owner of a file descriptor, which closes it exactly once.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include "os/os.hpp"

namespace nodewise::os {

/// Reads until `bytes` bytes are read, in spite of short reads and interruptions. It returns fewer only at
/// the end of the file.
inline Result<std::size_t> read_in_full(Os& os, int descriptor, void* data, std::size_t bytes,
                                        std::uint64_t offset) {
  std::size_t done = 0;
  while (done < bytes) {
    const auto got =
        os.read_at(descriptor, static_cast<std::byte*>(data) + done, bytes - done, offset + done);
    if (got.error == EINTR) continue;
    if (!got.ok()) return {done, got.error};
    if (got.value == 0) break;
    done += got.value;
  }
  return {done, 0};
}

/// An open file, or none. It is closed by the Os that opened it. Thread class: value; several threads may
/// read from it.
class File {
 public:
  File() = default;
  /// Takes the descriptor that a call of `os` returned; holds no file if that call failed.
  explicit File(const Result<int>& opened, Os& os = current()) noexcept
      : os_(&os), descriptor_(opened.ok() ? opened.value : -1) {}
  File(File&& other) noexcept { swap(other); }
  File& operator=(File other) noexcept {
    swap(other);
    return *this;
  }
  ~File() { close(); }

  /// Opens `path` for reading. Returns 0, or an errno; no file is open then.
  int open(const std::string& path, Os& os = current()) {
    const auto opened = os.open_file(path);
    *this = File(opened, os);
    return opened.error;
  }
  void close() noexcept {
    if (is_open()) os_->close_file(std::exchange(descriptor_, -1));
  }

  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }  ///< -1: no file
  Result<std::uint64_t> size_bytes() const { return os_->file_bytes(descriptor_); }
  Result<FileStatus> status() const { return os_->file_status(descriptor_); }

  /// As read_in_full.
  Result<std::size_t> read(void* data, std::size_t bytes, std::uint64_t offset) const {
    return read_in_full(*os_, descriptor_, data, bytes, offset);
  }
  /// The first `bytes` bytes of the file, or fewer if the file is shorter.
  Result<std::string> read_start(std::size_t bytes) const {
    std::string start(bytes, '\0');
    const auto got = read(start.data(), bytes, 0);
    if (!got.ok()) return {{}, got.error};
    start.resize(got.value);
    return {std::move(start), 0};
  }

 private:
  void swap(File& other) noexcept {
    std::swap(os_, other.os_);
    std::swap(descriptor_, other.descriptor_);
  }

  Os* os_ = nullptr;  // the Os that opened it
  int descriptor_ = -1;
};

}  // namespace nodewise::os
