#include "manager/file.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "manager/lmdb.hpp"
#include "os/size_limit.hpp"
#include "os/space_text.hpp"

namespace nodewise::managed {
namespace {

static_assert(sizeof(std::size_t) == 8, "LMDB's files are of the size of addresses");

// A page begins with 16 bytes: number, padding, flags, bounds. In the first two pages, these follow:
constexpr std::size_t page_flags_at = 10;
constexpr std::size_t magic_at = 16;
constexpr std::size_t version_at = 20;
constexpr std::size_t map_bytes_at = 32;
constexpr std::size_t page_bytes_at = 40;
constexpr std::size_t main_flags_at = 92;
constexpr std::size_t main_root_at = 128;
constexpr std::size_t last_page_at = 136;
constexpr std::size_t transaction_at = 144;
constexpr std::size_t meta_bytes = 152;

constexpr std::uint16_t is_meta_page = 0x08;
constexpr std::uint32_t magic = 0xBEEFC0DE;
constexpr std::uint32_t version = 1;
constexpr std::uint64_t least_page_bytes = 512;
constexpr std::uint64_t largest_page_bytes = 32768;
constexpr std::uint64_t no_page = ~std::uint64_t{0};

template <class T>
T read(std::string_view page, std::size_t at) noexcept {
  T value{};
  std::memcpy(&value, page.data() + at, sizeof value);
  return value;
}

struct Checker {
  const std::string& path;
  std::uint64_t file_bytes;

  template <class... Pieces>
  [[noreturn]] void refuse(const Pieces&... pieces) const {
    throw FormatError(base::text("Manager: ", path, ": ", pieces...));
  }

  Meta check(std::string_view page) const {
    if (page.size() < meta_bytes || (read<std::uint16_t>(page, page_flags_at) & is_meta_page) == 0 ||
        read<std::uint32_t>(page, magic_at) != magic)
      refuse("is no file of LMDB (", file_bytes, " bytes)");
    if (const auto found = read<std::uint32_t>(page, version_at); found != version)
      refuse("is of version ", found, " of LMDB's format, this library reads ", version);
    const Meta meta{.page_bytes = read<std::uint32_t>(page, page_bytes_at),
                    .map_bytes = read<std::uint64_t>(page, map_bytes_at),
                    .transaction = read<std::uint64_t>(page, transaction_at)};
    if (!std::has_single_bit(meta.page_bytes) || meta.page_bytes < least_page_bytes ||
        meta.page_bytes > largest_page_bytes)
      refuse("has pages of ", meta.page_bytes, " bytes; it is damaged");
    check_pages(meta, page);
    return meta;
  }

  void check_pages(const Meta& meta, std::string_view page) const {
    const auto last = read<std::uint64_t>(page, last_page_at);
    const auto root = read<std::uint64_t>(page, main_root_at);
    if (last == 0 || last >= meta.map_bytes / meta.page_bytes || (root > last && root != no_page) ||
        read<std::uint16_t>(page, main_flags_at) != 0)
      refuse("is damaged: its last page is ", last, ", its first ", root, ", of ",
             meta.map_bytes / meta.page_bytes, " of ", meta.page_bytes, " bytes");
  }
};

// LMDB trusts what it reads, and its locks hold only if nobody replaces the files.
void refuse_writable_by_others(const std::string& path, const os::FileStatus& status) {
  if (!status.others_may_write()) return;
  throw SystemError(base::text("Manager: ", path, " belongs to user ", status.uid,
                               ", but its mode lets other users write to it, and LMDB trusts its files; "
                               "chmod go-w ",
                               path),
                    EPERM);
}

}  // namespace

Meta parse_meta(std::string_view pages, std::uint64_t file_bytes, const std::string& path) {
  const Checker checker{path, file_bytes};
  const Meta first = checker.check(pages);
  // LMDB writes both pages together, and a maker may be killed in between.
  if (first.transaction == 0 && file_bytes == first.page_bytes) return first;
  const Meta second = checker.check(pages.substr(std::min<std::uint64_t>(first.page_bytes, pages.size())));
  if (first.page_bytes != second.page_bytes) checker.refuse("is damaged: its pages have two sizes");
  const Meta& newer = first.transaction > second.transaction ? first : second;
  if (newer.transaction != 0 && file_bytes < newer.map_bytes)
    checker.refuse("has ", file_bytes, " bytes, and should have ", newer.map_bytes,
                   ": it was truncated, or another program made it; restore the directory, or remove it");
  return newer;
}

std::string prepare_folder(const std::string& folder, bool make) {
  os::Os& os = os::current();
  const auto fail = [&](std::string_view doing, int error) {
    throw SystemError(base::text("Manager: ", doing, ' ', folder), error);
  };
  if (make)
    if (const int error = os.create_folder(folder); error != 0 && error != EEXIST && error != ENOENT)
      fail("making the directory", error);
  const auto path = os.real_path(folder);
  if (path.error == ENOENT)
    fail(make ? "a directory above is missing:" : "there is none (open_or_create makes one) in", ENOENT);
  if (!path.ok()) fail("finding the directory", path.error);
  const auto status = os.path_status(path.value);
  if (!status.ok()) fail("looking at", status.error);
  if (!status.value.folder) fail("entering", ENOTDIR);
  if (status.value.uid != os.user_id())
    throw SystemError(
        base::text("Manager: ", path.value, " belongs to user ", status.value.uid, ", this process to ",
                   os.user_id(), ": another user's files are not to be trusted"),
        EPERM);
  refuse_writable_by_others(path.value, status.value);
  const auto space = os.space(path.value);
  if (!space.ok()) fail("asking for the file system of", space.error);
  if (space.value.network)
    throw SystemError(base::text("Manager: ", path.value,
                                 " lies on a file system that other machines may use too, which LMDB's "
                                 "locks do not hold for; choose a directory of this machine, as in /dev/shm"),
                      ENOTSUP);
  return path.value;
}

DataFile::DataFile(const std::string& folder, bool make) : folder_(folder), path_(folder + "/data.mdb") {
  open(folder, make);
  const auto status = file_.status();
  if (!status.ok()) fail("fstat", status.error);
  status_ = status.value;
  if (!status_.regular || status_.uid != os::current().user_id()) fail("it is no file of this user", EPERM);
  refuse_writable_by_others(path_, status_);
}

void DataFile::fail(std::string_view doing, int error) const {
  throw SystemError(base::text("Manager: ", path_, ": ", doing), error);
}

// A maker may find that another process made the file first, and that this file was then removed before it
// could be opened.
void DataFile::open(const std::string& folder, bool make) {
  os::Os& os = os::current();
  while (true) {
    auto opened = os.open_shared(path_, true);
    if (opened.error == ENOENT && make) {
      const auto names = os.list_folder(folder);
      if (!names.ok()) fail("listing its directory", names.error);
      for (const std::string& name : names.value)
        if (name != "." && name != ".." && name != "data.mdb" && name != "lock.mdb")
          throw InvalidArgument(base::text("Manager: ", folder, " holds ", base::quoted(name),
                                           "; a Manager needs a directory of its own"));
      opened = os.create_shared(path_);
      if (opened.error == EEXIST) continue;
    }
    if (opened.error == ELOOP) fail("it is a link", ELOOP);
    if (opened.error == ENOENT) fail("there is no Manager (open_or_create makes one)", ENOENT);
    if (!opened.ok()) fail(make ? "making it" : "opening it", opened.error);
    file_ = os::File(opened);
    return;
  }
}

bool DataFile::try_lock() const {
  os::Os& os = os::current();
  const int error = os.lock_byte(file_.descriptor(), 0, os::Lock::exclusive, false);
  if (error == EAGAIN) return false;
  if (error != 0) fail("locking it", error);
  const auto status = file_.status();
  if (!status.ok()) fail("fstat", status.error);
  return status.value.links != 0;
}

// Other processes may be writing. If the contents cannot be right, they may be half old and half new, so they
// are read again.
std::optional<Meta> DataFile::check() const {
  check_lock_file();
  constexpr int tries = 3;
  for (int i = 1;; ++i) {
    const auto pages = file_.read_start(largest_page_bytes + meta_bytes);
    if (!pages.ok()) fail("reading its beginning", pages.error);
    const auto status = file_.status();
    if (!status.ok()) fail("fstat", status.error);
    if (status.value.bytes == 0) return std::nullopt;
    try {
      const Meta meta = parse_meta(pages.value, status.value.bytes, path_);
      return meta.transaction == 0 ? std::nullopt : std::optional(meta);
    } catch (const FormatError&) {
      if (i == tries) throw;
    }
  }
}

void DataFile::check_lock_file() const {
  const std::string path = folder_ + "/lock.mdb";
  const auto status = os::current().entry_status(path);
  if (status.error == ENOENT) return;
  if (!status.ok()) fail("looking at lock.mdb", status.error);
  if (!status.value.regular || status.value.uid != os::current().user_id())
    throw SystemError(base::text("Manager: ", path, " is no file of this user"), EPERM);
  refuse_writable_by_others(path, status.value);
}

int DataFile::populate_locks(int descriptor, std::uint64_t bytes) const {
  os::Os& os = os::current();
  const auto mapped = os.map_shared(descriptor, 0, bytes, os.base_page_bytes(), true);
  if (!mapped.ok()) return mapped.error;
  const int error = os.populate_shared(descriptor, 0, mapped.value, bytes);
  os.unmap(mapped.value, bytes);
  return error == EFAULT ? ENOSPC : error;  // the kernel has no page for the file
}

void DataFile::reserve_locks() const {
  // LMDB 0.9 has 64 bytes for each reader, and up to 192 bytes before the second one.
  constexpr std::uint64_t reader_bytes = 64;
  constexpr std::uint64_t file_bytes = (lmdb::most_readers + 2) * reader_bytes;
  os::Os& os = os::current();
  const std::string path = folder_ + "/lock.mdb";
  auto opened = os.open_shared(path, true);
  if (opened.error == ENOENT) opened = os.create_shared(path);
  const os::File file(opened);
  const auto status = opened.ok() ? file.status() : os::Result<os::FileStatus>{{}, opened.error};
  int error = status.error;
  // A file that has a size may be in use, by processes that count on it.
  const std::uint64_t bytes = status.value.bytes == 0 ? file_bytes : status.value.bytes;
  if (error == 0 && status.value.bytes == 0) error = os.resize_file(file.descriptor(), bytes);
  if (error == 0) error = populate_locks(file.descriptor(), bytes);
  if (error == 0) return;
  throw SystemError(
      base::text("Manager: ", path, ": reserving its ", bytes, " bytes", os::size_limit_text(error),
                 error == ENOSPC ? os::space_text(folder_) : std::string()),
      error);
}

void DataFile::clear() const {
  if (const int error = os::current().resize_file(file_.descriptor(), 0)) fail("clearing it", error);
}

}  // namespace nodewise::managed
