// A wrapper of LMDB: it closes once what it opens, and turns LMDB's codes into errors. LMDB must not be used
// across a fork. In a forked child, copies of the parent's objects refuse to work, and are never closed:
// closing them would release the parent's locks and its slot in the table of readers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <nodewise/error.hpp>

struct MDB_env;
struct MDB_txn;

namespace nodewise::lmdb {

/// A number that differs in every forked child.
std::uint64_t generation() noexcept;

/// There is no room left. Clearing the pages of dead readers may give some.
class MapFull final : public OutOfMemory {
 public:
  explicit MapFull(const std::string& message) : OutOfMemory(message) {}
};

// The codes of LMDB that are handled.
inline constexpr int map_resized = -30785;  ///< another process enlarged it
inline constexpr int readers_full = -30790;

inline constexpr unsigned most_readers = 1024;
inline constexpr std::size_t longest_key = 511;

/// Thread class: any thread, except resize().
class Environment {
 public:
  /// Opens the files of the folder, which must have been checked. map_bytes 0: as they say. Precondition,
  /// which cannot be checked here: this process has no other Environment of this folder.
  Environment(std::string folder, std::uint64_t map_bytes);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  /// Changes the size of the map; 0: as its file says. Precondition, which cannot be checked here: this
  /// process has no transaction. If there is no address space for it, the object is useless afterwards,
  /// because LMDB then has no map.
  void resize(std::uint64_t map_bytes);
  std::uint64_t map_bytes() const noexcept { return map_bytes_; }
  /// The bytes of pages that contain something. Precondition, which cannot be checked here: the caller is in
  /// a transaction for writing that has changed nothing.
  std::uint64_t used_bytes() const;
  /// The end of the last page that was ever used. Cost: O(1).
  std::uint64_t last_byte() const;
  /// Frees the reader slots of dead processes; returns their number.
  int clear_dead_readers() const;
  bool is_of_this_process() const noexcept { return generation_ == generation(); }
  const std::string& folder() const noexcept { return folder_; }
  int descriptor() const noexcept { return descriptor_; }  ///< the descriptor of its data file
  unsigned table() const noexcept { return table_; }
  [[noreturn]] void fail(std::string_view doing, int code) const;
  /// As fail(), for a change that puts `bytes` bytes into the directory.
  [[noreturn]] void fail_writing(std::uint64_t bytes, int code) const;

 private:
  friend class Transaction;
  int open(std::uint64_t map_bytes);
  int open_table();
  MDB_env* env_ = nullptr;
  unsigned table_ = 0;
  std::uint64_t page_bytes_ = 0;
  int descriptor_ = -1;
  std::string folder_;
  std::uint64_t generation_;
  std::atomic<std::uint64_t> map_bytes_{0};
  std::atomic<bool> has_map_{true};
};

enum class Mode { read, write };

/// A transaction. It changes nothing unless it is committed. Thread class: one thread.
class Transaction {
 public:
  explicit Transaction(const Environment& environment) noexcept : environment_(environment) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Returns 0 or LMDB's code. A transaction for writing waits until all others have ended.
  int begin(Mode mode);
  /// Throws if an earlier put() or erase() failed.
  void commit();

  /// The results of both are valid until the next change.
  std::optional<std::string_view> get(std::string_view key) const;
  /// Calls `visit` for the entries whose keys begin with `prefix`, in order. The prefix is cut off the keys.
  void for_each(std::string_view prefix,
                const std::function<void(std::string_view key, std::string_view value)>& visit) const;
  void put(std::string_view key, std::string_view value);
  bool erase(std::string_view key);  ///< returns whether the key was there
  void erase_all(std::string_view prefix);

  const Environment& environment() const noexcept { return environment_; }

 private:
  friend class Environment;
  void check_usable() const;
  template <class Fn>
  int attempt(std::string_view doing, const Fn& change);
  const Environment& environment_;
  MDB_txn* txn_ = nullptr;
  std::uint64_t put_bytes_ = 0;
  bool failed_ = false;
};

}  // namespace nodewise::lmdb
