// The directory of a Manager, as a process uses it: it is opened once for all Managers of the process. Also
// its transactions, and what happens in a forked child.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "manager/file.hpp"
#include "manager/lmdb.hpp"

namespace nodewise::managed {

/// Runs transactions. Thread class: any thread.
class Environment {
 public:
  using Work = std::function<void(lmdb::Transaction&)>;

  /// Preconditions, which cannot be checked here: the data file is locked and checked, and this process has
  /// not opened it otherwise.
  Environment(const std::string& folder, std::optional<std::uint64_t> bytes_if_new);

  void read(const Work& work);
  /// `work` may be called a second time.
  void write(const Work& work);
  /// Raises the limit to `max_bytes`, if that is higher. Precondition, which cannot be checked here: the
  /// caller holds no lock for which the work of other threads may wait.
  void grow(std::uint64_t max_bytes);
  std::uint64_t max_bytes();
  bool is_of_this_process() const noexcept { return lmdb_.is_of_this_process(); }

 private:
  class Session;
  void begin(lmdb::Transaction& transaction, lmdb::Mode mode, std::unique_ptr<Session>& session);
  void write_once(const Work& work);
  bool find_room();
  void lengthen_file(std::uint64_t bytes);
  void resize(std::uint64_t map_bytes);  ///< 0: as its file says

  lmdb::Environment lmdb_;
  std::atomic<std::thread::id> writer_{};  // the thread that is in a change
  std::atomic<std::uint64_t> writes_{0};
  std::mutex mutex_;  // guards the following members; while the map is changed, no thread is in a transaction
  std::condition_variable changed_;
  std::uint64_t sessions_ = 0;
  bool resizing_ = false;
};

enum class Entry { create, open, open_or_create };

/// Keeps a directory open in this process, and in children forked from it.
class Directory {
 public:
  static std::shared_ptr<Directory> enter(const std::string& folder, Entry entry, std::uint64_t max_bytes);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  const std::string& path() const noexcept { return path_; }
  /// In a forked child, it is opened again. Valid as long as this object.
  Environment& environment() const;

 private:
  explicit Directory(std::string path) : path_(std::move(path)) {}
  Environment& attach(Entry entry, std::uint64_t max_bytes) const;
  Environment* registered(Entry entry, std::uint64_t bytes_if_new) const;
  std::string path_;
  mutable std::atomic<Environment*> environment_{nullptr};
  mutable os::FileStatus file_;  // the status of the file that was opened first
};

}  // namespace nodewise::managed
