// The files of a Manager's directory, before LMDB opens them: LMDB believes what its file says, and reads
// beyond the end of one that was truncated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "os/file.hpp"

namespace nodewise::managed {

/// What LMDB's two first pages say. The layout is that of LMDB 0.9 where addresses have 64 bits.
struct Meta {
  std::uint64_t page_bytes = 0;
  std::uint64_t map_bytes = 0;
  std::uint64_t transaction = 0;  ///< 0: the file was never written to.
};

/// `pages` holds both pages, or as much of them as the file has. Throws FormatError, naming `path`.
Meta parse_meta(std::string_view pages, std::uint64_t file_bytes, const std::string& path);

/// Returns the absolute path of the directory, without symbolic links; makes the directory first if `make`.
/// Throws SystemError.
std::string prepare_folder(const std::string& folder, bool make);

/// data.mdb, opened beside LMDB. A file is complete once it was written to. Its maker keeps it locked until
/// then; a maker that dies before leaves a draft. A process also holds this lock while it opens the file for
/// LMDB.
class DataFile {
 public:
  /// Throws SystemError (ENOENT: there is none), InvalidArgument (`make`: the folder holds other things).
  DataFile(const std::string& folder, bool make);

  const os::FileStatus& status() const noexcept { return status_; }
  /// False: another process is opening the file, or it was removed; open it again.
  bool try_lock() const;
  /// Precondition, which no check here could see: locked. Returns nullopt for a draft. Throws FormatError,
  /// SystemError (another user's lock file).
  std::optional<Meta> check() const;
  /// Makes the file an empty draft. Precondition, which no check here could see: locked, and a draft.
  void clear() const;

 private:
  void open(const std::string& folder, bool make);
  void check_lock_file() const;
  [[noreturn]] void fail(std::string_view doing, int error) const;
  std::string folder_;
  std::string path_;
  os::File file_;
  os::FileStatus status_;
};

}  // namespace nodewise::managed
