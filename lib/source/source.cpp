#include <nodewise/source.hpp>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/text.hpp"
#include "os/file.hpp"

namespace nodewise {
namespace {

// The stop token is polled after this many bytes.
constexpr std::uint64_t chunk_bytes = std::uint64_t{8} << 20;

/// `name` is for messages only.
void read_from_file(const Extent& extent, std::byte* to, const std::string& name) {
  const auto got = os::read_in_full(os::current(), extent.file, to, extent.bytes, extent.offset);
  const std::uint64_t reached = extent.offset + got.value;
  if (!got.ok())
    throw SystemError(base::text("Source::read: ", name, " cannot be read at byte ", reached), got.error);
  if (got.value < extent.bytes)
    throw FormatError(base::text("Source::read: ", name, " shrank while it was read: nothing is at byte ",
                                 reached, ", and its data go on to byte ", extent.offset + extent.bytes,
                                 " or further"));
}

void read_extent(const Extent& extent, std::byte* to, const std::string& name, const Stop& stop) {
  for (std::uint64_t at = 0; at < extent.bytes; at += chunk_bytes) {
    stop.check("Source::read");
    Extent chunk = extent;
    chunk.offset += at;
    chunk.bytes = std::min(chunk_bytes, extent.bytes - at);
    if (extent.memory == nullptr)
      read_from_file(chunk, to + at, name);
    else
      std::memcpy(to + at, extent.memory + at, chunk.bytes);
  }
}

}  // namespace

std::string_view to_string(Calls calls) noexcept {
  switch (calls) {
    case Calls::any_thread:
      return "any_thread";
    case Calls::one_at_a_time:
      return "one_at_a_time";
  }
  return {};
}

SourceFormat::~SourceFormat() = default;

void SourceFormat::read(RowRange, std::byte*, const Stop&) const {
  throw InvalidArgument(base::text("Source::read: ", identity().name,
                                   " is of a format that neither reads nor tells where its bytes lie"));
}

bool SourceFormat::extents(ByteRange, std::vector<Extent>&) const {
  return false;
}

void SourceFormat::finish(std::byte*, ByteRange) const {}

struct Source::State {
  State(std::shared_ptr<const SourceFormat> of, Shape shape, DType dtype)
      : format(std::move(of)), rows(shape, dtype, 1), identity(format->identity()) {
    std::vector<Extent> none;
    has_extents = format->extents({0, 0}, none);
  }

  std::shared_ptr<const SourceFormat> format;
  Dataset rows;  // as a dataset with batches of one row
  Identity identity;
  bool has_extents = false;
  std::mutex one_at_a_time;
};

Source::Source(std::shared_ptr<const SourceFormat> format) {
  if (format == nullptr) throw InvalidArgument("Source: there is no format");
  const Shape shape = format->shape();
  const DType dtype = format->dtype();
  state_ = std::make_shared<State>(std::move(format), shape, dtype);
}

Shape Source::shape() const noexcept {
  return state_->rows.shape();
}
DType Source::dtype() const noexcept {
  return state_->rows.dtype();
}
const Identity& Source::identity() const noexcept {
  return state_->identity;
}
Calls Source::calls() const noexcept {
  return state_->format->calls();
}
std::uint64_t Source::granule_rows() const noexcept {
  return state_->format->granule_rows();
}
bool Source::has_extents() const noexcept {
  return state_->has_extents;
}

void Source::read(RowRange rows, std::byte* to, const Stop& stop) const {
  const ByteRange bytes = state_->rows.bytes(rows);
  if (bytes.bytes() == 0) return;
  if (has_extents()) return read_bytes(bytes, to, stop);
  std::unique_lock lock(state_->one_at_a_time, std::defer_lock);
  if (calls() == Calls::one_at_a_time) lock.lock();
  stop.check("Source::read");
  state_->format->read(rows, to, stop);
}

bool Source::extents(ByteRange bytes, std::vector<Extent>& found) const {
  if (bytes.begin > bytes.end || bytes.end > state_->rows.total_bytes())
    throw OutOfRange(base::text("Source::extents: bytes ", bytes.begin, " to ", bytes.end,
                                " are not among the ", state_->rows.total_bytes(), " of ", identity().name));
  return state_->format->extents(bytes, found);
}

void Source::finish(std::byte* at, ByteRange bytes) const {
  state_->format->finish(at, bytes);
}

void Source::read_bytes(ByteRange bytes, std::byte* to, const Stop& stop) const {
  std::vector<Extent> found;
  if (!extents(bytes, found))
    throw InvalidArgument(base::text("Source::read_bytes: ", identity().name,
                                     " does not tell where its bytes lie; read whole rows"));
  std::byte* at = to;
  for (const Extent& extent : found) {
    read_extent(extent, at, identity().name, stop);
    at += extent.bytes;
  }
  finish(to, bytes);
}

}  // namespace nodewise
