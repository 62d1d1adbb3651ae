// LMDB, wrapped: what it opens is closed once, and its codes become errors. LMDB must not be used across a
// fork. Here a child's copies of its parent's objects refuse to work; they are never closed, because closing
// them would release the parent's locks and its slot in the table of readers.
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

/// Another number in every forked child.
std::uint64_t generation() noexcept;

/// There is no room left; the pages that dead readers hold may give some.
class MapFull final : public OutOfMemory {
 public:
  explicit MapFull(const std::string& message) : OutOfMemory(message) {}
};

// The codes of LMDB that are handled.
inline constexpr int map_resized = -30785;  ///< Another process made it grow.
inline constexpr int readers_full = -30790;

inline constexpr unsigned most_readers = 1024;
inline constexpr std::size_t longest_key = 511;

/// Thread class: any thread, resize() apart.
class Environment {
 public:
  /// Opens the folder's files, which are trusted; map_bytes 0: as they say. Precondition, which no check here
  /// could see: no other one of the same folder in this process.
  Environment(std::string folder, std::uint64_t map_bytes);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  /// 0: as its file says. Precondition, which no check here could see: no transaction of this process. Where
  /// there is no address space for it, nothing can be done with it any more: LMDB has no map then.
  void resize(std::uint64_t map_bytes);
  std::uint64_t map_bytes() const noexcept { return map_bytes_; }
  /// That hold something. Precondition, which no check here could see: inside a transaction for writing, of
  /// whose changes none count.
  std::uint64_t used_bytes() const;
  std::uint64_t last_byte() const;  ///< The end of the last page that was ever used. Cost: O(1).
  /// Frees the reader slots of dead processes; returns their number.
  int clear_dead_readers() const;
  bool is_of_this_process() const noexcept { return generation_ == generation(); }
  const std::string& folder() const noexcept { return folder_; }
  int descriptor() const noexcept { return descriptor_; }  ///< Of its data file.
  unsigned table() const noexcept { return table_; }
  [[noreturn]] void fail(std::string_view doing, int code) const;

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

/// Ends without a change unless it is committed. Thread class: one thread.
class Transaction {
 public:
  explicit Transaction(const Environment& environment) noexcept : environment_(environment) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Returns 0, or LMDB's code. A write transaction waits for all others to end.
  int begin(Mode mode);
  /// Throws if any put() or erase() before failed.
  void commit();

  /// Both are valid until the next change.
  std::optional<std::string_view> get(std::string_view key) const;
  /// Calls `fn` for the entries whose keys begin with `prefix`, in order; the prefix is cut off their keys.
  void for_each(std::string_view prefix,
                const std::function<void(std::string_view key, std::string_view value)>& visit) const;
  void put(std::string_view key, std::string_view value);
  bool erase(std::string_view key);  ///< Whether it was there.
  void erase_all(std::string_view prefix);

  const Environment& environment() const noexcept { return environment_; }

 private:
  friend class Environment;
  void check_usable() const;
  template <class Fn>
  int attempt(std::string_view doing, const Fn& change);
  const Environment& environment_;
  MDB_txn* txn_ = nullptr;
  bool failed_ = false;
};

}  // namespace nodewise::lmdb
