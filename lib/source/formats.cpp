// The formats of files that can be read. A new format is a new line of the table.
#include "source/formats.hpp"

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/file.hpp"
#include "source/file_state.hpp"
#include "source/npy.hpp"

namespace nodewise {
namespace {

using source::FileFormat;

const FileFormat* const formats[] = {
    &source::npy_format,
};

std::string start_of(const std::string& path) {
  os::File file;
  source::open_file(file, path);
  const auto start = file.read_start(source::recognised_bytes);
  if (!start.ok()) throw SystemError(base::text(path, " cannot be read"), start.error);
  return start.value;
}

}  // namespace

Source open_source(const std::string& path, const SourceOptions& options) {
  const std::string start = start_of(path);
  std::string known;
  for (const FileFormat* format : formats) {
    if (format->recognises(path, start)) return format->open(path, options);
    known += base::text(known.empty() ? "" : ", ", format->name);
  }
  throw FormatError(base::text(path, " is in none of the formats that can be read (", known,
                               "): it begins with ", base::quoted(start)));
}

}  // namespace nodewise
