#include "parts/progress.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>

#include "parts/terminal.hpp"

namespace nodewise::tools {

using namespace std::chrono_literals;

Progress::Progress(std::string what, std::uint64_t total, std::function<std::uint64_t()> done)
    : what_(std::move(what)), total_(total), done_(std::move(done)) {
  if (::isatty(STDERR_FILENO) != 0) thread_ = std::thread([this] { watch(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Progress::watch() {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  const auto ended = [this] { return over_; };
  if (changed_.wait_for(lock, 1s, ended)) return;
  do {
    const auto elapsed = std::chrono::steady_clock::now() - begin;
    draw(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(elapsed).count()));
  } while (!changed_.wait_for(lock, 200ms, ended));
  std::fputs("\r\033[K", stderr);
}

void Progress::draw(std::uint64_t seconds) const {
  constexpr std::size_t columns = 30;
  std::string line = "\r" + what_;
  if (total_ > 0) {
    const double part = std::min(1.0, static_cast<double>(done_()) / static_cast<double>(total_));
    const auto full = static_cast<std::size_t>(part * columns);
    line += fmt::format(" [{}{}] {} %", std::string(full, '='), std::string(columns - full, ' '),
                        static_cast<unsigned>(part * 100));
  }
  line += fmt::format("  {} s\033[K", seconds);
  std::fputs(line.c_str(), stderr);
}

std::uint64_t bytes_read_so_far() {
  std::ifstream io("/proc/self/io");
  std::string key;
  std::uint64_t bytes = 0;
  return io >> key >> bytes && key == "rchar:" ? bytes : 0;
}

}  // namespace nodewise::tools
