#include <nodewise/npy.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/file.hpp"
#include "source/file_source.hpp"
#include "source/npy_header.hpp"
#include "source/npy_read.hpp"
#include "team/run.hpp"
#include "team/shares.hpp"

namespace nodewise {

struct NpyFile::State {
  std::string path;
  os::File file;
  SegmentSource source;
  source::NpyHeader header;
};

namespace {

std::string shape_text(Shape shape, DType dtype) {
  return base::text(shape.samples, " x ", shape.features, ' ', dtype_name(dtype));
}

source::NpyHeader read_header(const os::File& file, const std::string& path, const NpyOptions& options) {
  const auto file_bytes = file.size_bytes();
  if (!file_bytes.ok()) throw SystemError(base::text("NpyFile: ", path, " cannot be read"), file_bytes.error);
  std::string start(std::min<std::uint64_t>(file_bytes.value, source::npy_header_limit_bytes), '\0');
  const auto got = file.read(start.data(), start.size(), 0);
  if (!got.ok()) throw SystemError(base::text("NpyFile: ", path, " cannot be read"), got.error);
  if (got.value < start.size())
    throw FormatError(base::text("NpyFile: ", path, " shrank while it was opened, from ", file_bytes.value,
                                 " to ", got.value, " bytes"));
  return source::parse_npy_header(start, file_bytes.value, options, path);
}

SegmentSource source_of(const os::File& file, const std::string& path) {
  const auto status = file.status();
  if (!status.ok()) throw SystemError(base::text("NpyFile: ", path, " cannot be read"), status.error);
  return source::file_source(os::current().real_path(path).value, status.value);
}

}  // namespace

NpyFile::NpyFile(const std::string& path, const NpyOptions& options) : state_(std::make_unique<State>()) {
  state_->path = path;
  if (const int error = state_->file.open(path))
    throw SystemError(base::text("NpyFile: ", path, " cannot be opened"), error);
  state_->source = source_of(state_->file, path);  // before anything is read of what it says
  state_->header = read_header(state_->file, path, options);
}

NpyFile::~NpyFile() = default;
NpyFile::NpyFile(NpyFile&&) noexcept = default;
NpyFile& NpyFile::operator=(NpyFile&&) noexcept = default;

const std::string& NpyFile::path() const noexcept {
  return state_->path;
}
const SegmentSource& NpyFile::source() const noexcept {
  return state_->source;
}
Shape NpyFile::shape() const noexcept {
  return state_->header.shape;
}
DType NpyFile::dtype() const noexcept {
  return state_->header.dtype;
}
bool NpyFile::fortran_order() const noexcept {
  return state_->header.fortran_order;
}
bool NpyFile::swapped() const noexcept {
  return state_->header.swapped;
}

void NpyFile::read_into(BatchLoader& loader) const {
  const Dataset& dataset = loader.dataset();
  if (dataset.shape() != shape() || dataset.dtype() != dtype())
    throw InvalidArgument(base::text("NpyFile::read_into: ", path(), " holds ", shape_text(shape(), dtype()),
                                     ", the loader is made for ",
                                     shape_text(dataset.shape(), dataset.dtype())));
  const auto rows = rows_by_worker(loader.plan(), loader.team());
  std::byte* const data = loader.buffer().data();
  std::atomic<bool> stop{false};  // once a read has failed, the others need not go on for minutes
  run_team(loader.team(), [&](unsigned worker, bool) {
    source::NpyRowReader reader(state_->file, state_->header, path(), stop);
    try {
      for (const base::Range& range : rows[worker]) reader.read(range, data);
    } catch (...) {
      stop = true;
      throw;
    }
  });
}

BatchLoader NpyFile::load(std::uint64_t batch_size, const LoaderOptions& asked) const {
  LoaderOptions options = asked;
  if (options.segment && options.segment->source.path.empty()) options.segment->source = source();
  const bool publish = options.segment && options.segment->publish;
  if (state_->header.transposed()) {  // a page's elements are from all over the file
    if (publish) options.segment->publish = false;
    BatchLoader loader(Dataset{shape(), dtype(), batch_size}, options);
    read_into(loader);
    if (publish) loader.publish();
    return loader;
  }
  std::atomic<bool> stop{false};
  const auto fill = [&](std::byte* at, ByteRange bytes) {
    if (stop) return;
    try {
      source::NpyRowReader(state_->file, state_->header, path(), stop).read_elements(at, bytes);
    } catch (...) {
      stop = true;
      throw;
    }
  };
  return BatchLoader(fill, {shape(), dtype(), batch_size}, options);
}

BatchLoader load_npy(const std::string& path, std::uint64_t batch_size, const LoaderOptions& options,
                     const NpyOptions& npy) {
  return NpyFile(path, npy).load(batch_size, options);
}

}  // namespace nodewise
