// The state of a file at the time when it was opened.
#pragma once

#include <string>
#include <string_view>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/file.hpp"
#include "source/digest.hpp"

namespace nodewise::source {

struct FileState {
  std::string path;  ///< Absolute, without links.
  os::FileStatus status;
};

/// Opens `path` and reads its status. Throws SystemError, and FormatError for a pipe or a device.
inline FileState open_file(os::File& file, const std::string& path) {
  if (const int error = file.open(path)) throw SystemError(base::text(path, " cannot be opened"), error);
  const auto status = file.status();
  if (!status.ok()) throw SystemError(base::text(path, " cannot be read"), status.error);
  if (!status.value.regular && !status.value.folder)  // a folder is EISDIR when it is read
    throw FormatError(base::text(path,
                                 " is a pipe or a device. A dataset is read from several places at once, "
                                 "so it must be a file; copy it into one (cat ",
                                 path, " > FILE.npy)"));
  const auto real_path = os::current().real_path(path);
  return {real_path.ok() ? real_path.value : path, status.value};
}

/// The digest of a file whose elements are read in this format as this type.
inline Digest state_digest(const FileState& file, std::string_view format, DType dtype) {
  return DigestOf()
      .add(format)
      .add(file.path)
      .add(file.status.bytes)
      .add(file.status.modified_ns)
      .add(file.status.device)
      .add(file.status.inode)
      .add(dtype_name(dtype))
      .get();
}

}  // namespace nodewise::source
