// Checks the files of a Manager's directory before LMDB opens them. LMDB does not check its file, and reads
// beyond the end of one that was truncated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "os/file.hpp"

namespace nodewise::managed {

/// The contents of LMDB's first two pages, in the layout of LMDB 0.9 with addresses of 64 bits.
struct Meta {
  std::uint64_t page_bytes = 0;
  std::uint64_t map_bytes = 0;
  std::uint64_t transaction = 0;  ///< 0: nothing was ever written to the file
};

/// Parses `pages`, which are the first two pages, or less if the file is shorter. Throws FormatError, which
/// names `path`.
Meta parse_meta(std::string_view pages, std::uint64_t file_bytes, const std::string& path);

/// Returns the absolute path of the directory, without symbolic links; makes the directory first if `make`.
/// Throws SystemError.
std::string prepare_folder(const std::string& folder, bool make);

/// The file data.mdb, which this class opens in addition to LMDB. A file is complete when it has been written
/// to. Its maker keeps it locked until then; if the maker dies before, the file remains a draft. A process
/// also holds this lock while it opens the file for LMDB.
class DataFile {
 public:
  /// Throws SystemError (ENOENT: there is none) and InvalidArgument (with `make`: the folder contains other
  /// files).
  DataFile(const std::string& folder, bool make);

  const os::FileStatus& status() const noexcept { return status_; }
  /// Returns false if another process is opening the file, or if the file was removed. It must be opened
  /// again then.
  bool try_lock() const;
  /// Returns nullopt for a draft. Precondition, which cannot be checked here: the file is locked. Throws
  /// FormatError, SystemError (the lock file belongs to another user).
  std::optional<Meta> check() const;
  /// Makes the file an empty draft. Preconditions, which cannot be checked here: the file is locked, and is a
  /// draft.
  void clear() const;
  /// Makes lock.mdb, and gives it all the pages that it will ever need. LMDB makes a file with holes and
  /// writes to it through a map, which ends the process when the file system is full. Precondition, which
  /// cannot be checked here: this process has not opened the files for LMDB, because closing the file here
  /// would release LMDB's locks.
  void reserve_locks() const;

 private:
  void open(const std::string& folder, bool make);
  void check_lock_file() const;
  int populate_locks(int descriptor, std::uint64_t bytes) const;
  [[noreturn]] void fail(std::string_view doing, int error) const;
  std::string folder_;
  std::string path_;
  os::File file_;
  os::FileStatus status_;
};

}  // namespace nodewise::managed
