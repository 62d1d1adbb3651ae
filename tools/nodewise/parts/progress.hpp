// A bar on standard error while something takes longer than a second.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace nodewise::tools {

/// Shows itself while it lives, from the second second on, and only where standard error is a terminal;
/// elsewhere it starts no thread.
class Progress {
 public:
  /// `done` is called from another thread and says how much of `total` is done; a total of 0 shows only the
  /// time.
  Progress(std::string what, std::uint64_t total, std::function<std::uint64_t()> done);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void watch();
  void draw(std::uint64_t seconds) const;

  std::string what_;
  std::uint64_t total_;
  std::function<std::uint64_t()> done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

/// Bytes that this process has read from files so far, for a Progress; 0 where the system does not say.
std::uint64_t bytes_read_so_far();

}  // namespace nodewise::tools
