#include "manager/lmdb.hpp"

#include <lmdb.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "os/fork_watch.hpp"
#include "os/os.hpp"
#include "os/size_limit.hpp"
#include "os/space_text.hpp"

namespace nodewise::lmdb {
namespace {

static_assert(map_resized == MDB_MAP_RESIZED && readers_full == MDB_READERS_FULL);

std::atomic<std::uint64_t> forks{0};

// Made when the library is loaded, because a fork at the time of making it would be missed. Never destroyed,
// because Managers may outlive it.
[[maybe_unused]] const auto& fork_watch =
    *new os::ForkWatch([] { forks.fetch_add(1, std::memory_order_relaxed); });

MDB_val value_of(std::string_view bytes) noexcept {
  return {bytes.size(), const_cast<char*>(bytes.data())};  // LMDB only reads it
}

std::string_view bytes_of(const MDB_val& value) noexcept {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// Called where LMDB would print and abort. LMDB has nothing there that must be unwound, except where it
// balances its tree: if it finds damage there, the process may still end.
void damaged(MDB_env*, const char* finding) {
  throw FormatError(base::text("Manager: its data file is damaged (", finding, ')'));
}

MDB_envinfo info_of(MDB_env* env) noexcept {
  MDB_envinfo info{};
  mdb_env_info(env, &info);
  return info;
}

class Cursor {
 public:
  Cursor(const Environment& environment, MDB_txn* txn, MDB_dbi table) : environment_(environment) {
    if (const int code = mdb_cursor_open(txn, table, &cursor_)) environment.fail("reading", code);
  }
  ~Cursor() { mdb_cursor_close(cursor_); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  /// Moves to the first entry whose key is at least `key`; returns false if there is none.
  bool find(std::string_view key) {
    key_ = value_of(key);
    return move(key.empty() ? MDB_FIRST : MDB_SET_RANGE);
  }
  bool find_exactly(std::string_view key) {
    key_ = value_of(key);
    return move(MDB_SET);
  }
  int put(std::string_view key, std::string_view value) {
    MDB_val where = value_of(key);
    MDB_val what = value_of(value);
    return mdb_cursor_put(cursor_, &where, &what, 0);
  }
  bool next() { return move(MDB_NEXT); }
  int erase() { return mdb_cursor_del(cursor_, 0); }
  std::string_view key() const noexcept { return bytes_of(key_); }
  std::string_view value() const noexcept { return bytes_of(value_); }

 private:
  bool move(MDB_cursor_op how) {
    const int code = mdb_cursor_get(cursor_, &key_, &value_, how);
    if (code != 0 && code != MDB_NOTFOUND) environment_.fail("reading", code);
    return code == 0;
  }
  const Environment& environment_;
  MDB_cursor* cursor_ = nullptr;
  MDB_val key_{};
  MDB_val value_{};
};

}  // namespace

std::uint64_t generation() noexcept {
  return forks.load(std::memory_order_relaxed);
}

// Opening can fail if another process opens or closes the file at the same moment, and because of a signal.
Environment::Environment(std::string folder, std::uint64_t map_bytes)
    : folder_(std::move(folder)), generation_(generation()) {
  constexpr int tries = 5;
  int code = 0;
  for (int i = 0; i < tries; ++i) {
    code = open(map_bytes);
    if (code != EINTR && code != EAGAIN && code != MDB_INVALID) break;
  }
  if (code != 0) fail("opening it", code);
  mdb_env_get_fd(env_, &descriptor_);
  MDB_stat table{};
  mdb_env_stat(env_, &table);
  page_bytes_ = table.ms_psize;
  map_bytes_ = info_of(env_).me_mapsize;
}

int Environment::open(std::uint64_t map_bytes) {
  if (const int code = mdb_env_create(&env_)) return code;
  mdb_env_set_assert(env_, damaged);
  int code = mdb_env_set_maxreaders(env_, most_readers);
  if (code == 0 && map_bytes != 0) code = mdb_env_set_mapsize(env_, map_bytes);
  const os::SizeSignalBlocked blocked;
  if (code == 0) code = mdb_env_open(env_, folder_.c_str(), MDB_NOTLS, 0600);
  if (code == 0) code = open_table();
  if (code != 0) mdb_env_close(std::exchange(env_, nullptr));
  return code;
}

// All data lies in the table without a name. Its handle must exist before several threads ask for it.
int Environment::open_table() {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn)) return code;
  const int code = mdb_dbi_open(txn, nullptr, 0, &table_);
  mdb_txn_abort(txn);
  return code;
}

Environment::~Environment() {
  if (is_of_this_process()) mdb_env_close(env_);
}

std::uint64_t Environment::last_byte() const {
  return (info_of(env_).me_last_pgno + 1) * page_bytes_;
}

// The table of free pages contains lists of pages. Each list begins with its length, so all must be read to
// get the sum.
std::uint64_t Environment::used_bytes() const {
  constexpr MDB_dbi free_table = 0;
  Transaction transaction(*this);
  if (const int code = transaction.begin(Mode::read)) fail("counting its pages", code);
  std::uint64_t free_pages = 0;
  Cursor cursor(*this, transaction.txn_, free_table);
  for (bool found = cursor.find({}); found; found = cursor.next()) {
    std::uint64_t pages = 0;
    std::memcpy(&pages, cursor.value().data(), sizeof pages);
    free_pages += pages;
  }
  return last_byte() - free_pages * page_bytes_;
}

void Environment::resize(std::uint64_t map_bytes) {
  const int code = mdb_env_set_mapsize(env_, map_bytes);
  has_map_ = code == 0;
  if (code != 0) fail("growing it", code);
  map_bytes_ = info_of(env_).me_mapsize;
}

int Environment::clear_dead_readers() const {
  if (!has_map_) return 0;
  int dead = 0;
  if (const int code = mdb_reader_check(env_, &dead)) fail("looking for dead readers", code);
  return dead;
}

void Environment::fail(std::string_view doing, int code) const {
  const std::string what = base::text("Manager: ", folder_, ": ", doing, ": ");
  switch (code) {
    case MDB_MAP_FULL:
      throw MapFull(base::text(what, "its file of ", map_bytes(),
                               " bytes is full; end long looks, or open it with more max_bytes"));
    case MDB_TXN_FULL:
      throw OutOfMemory(base::text(what, "the change is too large; make several of it"));
    case MDB_READERS_FULL:
      throw SystemError(base::text(what, "all ", most_readers, " places for looks are taken; end some"),
                        EAGAIN);
    case MDB_PANIC:
      throw SystemError(base::text(what,
                                   "a write failed half way before, or there was no address space for it to "
                                   "grow; end all Managers of it in this process, and open it anew"),
                        EIO);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
      throw FormatError(base::text(what, "its files are damaged (", mdb_strerror(code), ')'));
    case EAGAIN:
      throw SystemError(base::text(what, "may a process of another pid namespace have the same number?"),
                        code);
    default:
      if (code > 0)
        throw SystemError(base::text("Manager: ", folder_, ": ", doing, os::size_limit_text(code)), code);
      throw SystemError(what + mdb_strerror(code), EIO);
  }
}

// A write that ends at the limit on the size of files, or where the file system is full, is short. LMDB calls
// that EIO.
void Environment::fail_writing(std::uint64_t bytes, int code) const {
  if (code == EIO && os::size_limit() < map_bytes()) fail("writing", EFBIG);
  const auto space = os::current().space(folder_);
  const bool full = space.value.total_bytes != 0 && space.value.free_bytes < std::max(bytes, page_bytes_);
  if (code != ENOSPC && !(code == EIO && full)) fail("writing", code);
  throw SystemError(base::text("Manager: ", folder_, ": writing a change that needs at least ", bytes,
                               " bytes", os::space_text(folder_)),
                    ENOSPC);
}

Transaction::~Transaction() {
  if (txn_ != nullptr && environment_.is_of_this_process()) mdb_txn_abort(txn_);
}

int Transaction::begin(Mode mode) {
  if (!environment_.has_map_) environment_.fail("beginning", MDB_PANIC);
  const int code = mdb_txn_begin(environment_.env_, nullptr, mode == Mode::read ? MDB_RDONLY : 0, &txn_);
  if (code != 0) txn_ = nullptr;
  return code;
}

void Transaction::commit() {
  check_usable();
  if (failed_) throw SystemError("Manager: part of the change failed, so none of it is made", ECANCELED);
  const os::SizeSignalBlocked blocked;
  const int code = mdb_txn_commit(txn_);  // it ends the transaction, unless it throws
  txn_ = nullptr;
  if (code != 0) environment_.fail_writing(put_bytes_, code);
}

void Transaction::check_usable() const {
  if (environment_.is_of_this_process()) return;
  throw SystemError(
      base::text("Manager: ", environment_.folder(),
                 ": the change or look is that of the parent process; a forked child begins one "
                 "of its own"),
      EPERM);
}

// After an error or an exception, half a change must not be committed. So the transaction counts as failed
// until the change is complete.
// LMDB writes pages of a large change before its end.
template <class Fn>
int Transaction::attempt(std::string_view doing, const Fn& change) {
  check_usable();
  const bool failed = std::exchange(failed_, true);
  const int code = change();
  if (code == EIO || code == ENOSPC) environment_.fail_writing(put_bytes_, code);
  if (code != 0 && code != MDB_NOTFOUND) environment_.fail(doing, code);
  failed_ = failed;
  return code;
}

std::optional<std::string_view> Transaction::get(std::string_view key) const {
  check_usable();
  MDB_val wanted = value_of(key);
  MDB_val found{};
  const int code = mdb_get(txn_, environment_.table(), &wanted, &found);
  if (code == MDB_NOTFOUND) return std::nullopt;
  if (code != 0) environment_.fail("reading", code);
  return bytes_of(found);
}

void Transaction::for_each(std::string_view prefix,
                           const std::function<void(std::string_view, std::string_view)>& visit) const {
  check_usable();
  Cursor cursor(environment_, txn_, environment_.table());
  for (bool found = cursor.find(prefix); found && cursor.key().starts_with(prefix); found = cursor.next())
    visit(cursor.key().substr(prefix.size()), cursor.value());
}

// Uses its own cursors. mdb_put and mdb_del have cursors on their stacks, which would stay in LMDB's list if
// damaged() leaves these functions by an exception.
void Transaction::put(std::string_view key, std::string_view value) {
  put_bytes_ += key.size() + value.size();
  attempt("writing", [&] { return Cursor(environment_, txn_, environment_.table()).put(key, value); });
}

bool Transaction::erase(std::string_view key) {
  const auto found = [&] {
    Cursor cursor(environment_, txn_, environment_.table());
    return cursor.find_exactly(key) ? cursor.erase() : MDB_NOTFOUND;
  };
  return attempt("removing", found) == 0;
}

void Transaction::erase_all(std::string_view prefix) {
  attempt("removing", [&] {
    Cursor cursor(environment_, txn_, environment_.table());
    for (bool found = cursor.find(prefix); found && cursor.key().starts_with(prefix); found = cursor.next())
      if (const int code = cursor.erase()) return code;
    return 0;
  });
}

}  // namespace nodewise::lmdb
