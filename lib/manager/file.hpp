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
  std::uint64_t transaction = 0;  ///< 0: nobody has ever written to it.
};

/// `pages` holds both, or what there is. Throws FormatError, naming `path`.
Meta parse_meta(std::string_view pages, std::uint64_t file_bytes, const std::string& path);

/// The directory itself: makes it if that is wanted. Returns its path, absolute and without links. Throws
/// SystemError.
std::string prepare_folder(const std::string& folder, bool make);

/// data.mdb, opened beside LMDB. A file is complete once somebody wrote to it: who makes one keeps it locked
/// until then, and who dies over it leaves a draft. Whoever opens it for LMDB does so under the lock, too.
class DataFile {
 public:
  /// Throws SystemError (ENOENT: there is none), InvalidArgument (`make`: the folder holds other things).
  DataFile(const std::string& folder, bool make);

  const os::FileStatus& status() const noexcept { return status_; }
  /// False: somebody else opens it, or it was removed; to be opened again.
  bool try_lock() const;
  /// Precondition, which no check here could see: locked. Nothing: it is a draft. Throws FormatError,
  /// SystemError (another user's lock file).
  std::optional<Meta> check() const;
  /// Makes an empty draft of it. Precondition, which no check here could see: locked, and a draft.
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
