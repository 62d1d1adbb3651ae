#include <nodewise/npy.hpp>

#include <algorithm>
#include <utility>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/file.hpp"
#include "source/digest.hpp"
#include "source/file_state.hpp"
#include "source/npy.hpp"
#include "source/npy_header.hpp"
#include "source/npy_read.hpp"

namespace nodewise {
namespace {

source::NpyHeader read_header(const os::File& file, const std::string& path, const NpyOptions& options) {
  const auto file_bytes = file.size_bytes();
  if (!file_bytes.ok())
    throw SystemError(base::text(".npy file ", path, " cannot be read"), file_bytes.error);
  const auto wanted = std::min<std::uint64_t>(file_bytes.value, source::npy_header_limit_bytes);
  const auto start = file.read_start(wanted);
  if (!start.ok()) throw SystemError(base::text(".npy file ", path, " cannot be read"), start.error);
  if (start.value.size() < wanted)
    throw FormatError(base::text(".npy file ", path, " shrank while it was opened, from ", file_bytes.value,
                                 " to ", start.value.size(), " bytes"));
  return source::parse_npy_header(start.value, file_bytes.value, options, path);
}

/// An open file whose header was read and compared with the file's size.
class NpyFormat final : public SourceFormat {
 public:
  NpyFormat(const std::string& path, const NpyOptions& options) {
    // Its state comes first: all that is read afterwards must belong to it.
    const source::FileState state = source::open_file(file_, path);
    header_ = read_header(file_, path, options);
    identity_.name = state.path;
    if (options.as_bf16) identity_.name += " as bf16";
    identity_.state = source::state_digest(state, "npy", header_.dtype);
    identity_.content = source::DigestOf()
                            .add("npy")
                            .add(header_.shape, header_.dtype)
                            .add(header_.data_offset)
                            .add(header_.data_bytes)
                            .get();
  }

  Shape shape() const override { return header_.shape; }
  DType dtype() const override { return header_.dtype; }
  Identity identity() const override { return identity_; }

  // In Fortran order the elements of a row are spread over the whole file, and only read() collects them.
  bool extents(ByteRange bytes, std::vector<Extent>& found) const override {
    if (header_.transposed()) return false;
    if (bytes.bytes() > 0)
      found.push_back(
          {.file = file_.descriptor(), .offset = header_.data_offset + bytes.begin, .bytes = bytes.bytes()});
    return true;
  }
  void finish(std::byte* at, ByteRange bytes) const override {
    if (header_.swapped) source::swap_in_place(at, bytes.bytes(), dtype_bytes(header_.dtype));
  }
  void read(RowRange rows, std::byte* to, const Stop& stop) const override {
    source::NpyColumnReader(file_, header_, identity_.name, stop).read(rows, to);
  }

 private:
  os::File file_;
  source::NpyHeader header_;
  Identity identity_;
};

}  // namespace

Source npy_source(const std::string& path, const NpyOptions& options) {
  return Source(std::make_shared<NpyFormat>(path, options));
}

namespace {

// An .npz archive is recognised too, because the parser of headers has a good error message for it.
bool is_npy(std::string_view path, std::string_view start) {
  return start.starts_with("\x93NUMPY") || start.starts_with("PK\x03\x04") || path.ends_with(".npy");
}

Source open_npy(const std::string& path, const SourceOptions& options) {
  const Source opened = npy_source(path, {.as_bf16 = options.dtype == DType::bf16});
  if (options.dtype && opened.dtype() != *options.dtype)
    throw InvalidArgument(base::text(path, " holds ", dtype_name(opened.dtype()), ", not ",
                                     dtype_name(*options.dtype),
                                     "; of other types only two-byte elements can be read, as bf16"));
  return opened;
}

}  // namespace

const source::FileFormat source::npy_format{".npy", is_npy, open_npy};

}  // namespace nodewise
