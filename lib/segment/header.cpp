#include "segment/header.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/crc32.hpp"
#include "base/fnv.hpp"
#include "base/text.hpp"

namespace nodewise {
namespace {

constexpr std::string_view magic = "nodewise";
constexpr std::uint32_t byte_order_mark = 0x01020304;
constexpr std::uint32_t version = 1;
// Set if batches are not in Layout::rows, so that a build that knows only rows refuses the segment.
constexpr std::uint64_t layout_feature = 2;
constexpr std::uint64_t known_features = layout_feature;

#define NODEWISE_FIELD(name)                                                \
  HeaderField {                                                             \
#name, offsetof(RawSegmentHeader, name), sizeof(RawSegmentHeader::name) \
  }
constexpr std::array<HeaderField, 32> fields = {
    NODEWISE_FIELD(magic),
    NODEWISE_FIELD(byte_order),
    NODEWISE_FIELD(version),
    NODEWISE_FIELD(layout_hash),
    NODEWISE_FIELD(required_features),
    NODEWISE_FIELD(optional_features),
    NODEWISE_FIELD(header_bytes),
    NODEWISE_FIELD(checksum),
    NODEWISE_FIELD(kind),
    NODEWISE_FIELD(keep),
    NODEWISE_FIELD(content_hash),
    NODEWISE_FIELD(total_bytes),
    NODEWISE_FIELD(data_offset),
    NODEWISE_FIELD(data_bytes),
    NODEWISE_FIELD(page_bytes),
    NODEWISE_FIELD(owner_pid),
    NODEWISE_FIELD(owner_uid),
    NODEWISE_FIELD(owner_start_ticks),
    NODEWISE_FIELD(owner_pid_namespace),
    NODEWISE_FIELD(created_ns),
    NODEWISE_FIELD(placing_rung),
    NODEWISE_FIELD(plan_bytes),
    NODEWISE_FIELD(origin_bytes),
    NODEWISE_FIELD(reserved_word),
    NODEWISE_FIELD(dtype),
    NODEWISE_FIELD(samples),
    NODEWISE_FIELD(features),
    NODEWISE_FIELD(batch_size),
    NODEWISE_FIELD(origin_state),
    NODEWISE_FIELD(origin_content),
    NODEWISE_FIELD(parameters),
    NODEWISE_FIELD(reserved),
};
#undef NODEWISE_FIELD

// Every byte belongs to a field, so the hash shows any change.
consteval bool fields_cover() {
  std::size_t end = 0;
  for (const HeaderField& field : fields) {
    if (field.offset != end) return false;
    end = field.offset + field.bytes;
  }
  return end == sizeof(RawSegmentHeader);
}
static_assert(fields_cover());

std::uint64_t layout_hash() {
  std::uint64_t hash = base::fnv_start;
  for (const HeaderField& field : fields)
    hash = base::fnv1a(base::text(field.name, ' ', field.offset, ' ', field.bytes, '\n'), hash);
  return hash;
}

// The field of the checksum itself counts as zero.
std::uint32_t checksum(std::string_view bytes) {
  RawSegmentHeader raw{};
  std::memcpy(&raw, bytes.data(), sizeof raw);
  raw.checksum = 0;
  const auto sum = base::crc32({reinterpret_cast<const char*>(&raw), sizeof raw});
  return base::crc32(bytes.substr(sizeof raw), sum);
}

class Refusal {
 public:
  explicit Refusal(const std::string& what) : what_(what) {}
  template <class... Pieces>
  [[noreturn]] void operator()(const Pieces&... pieces) const {
    throw FormatError(base::text("Segment: ", what_, ' ', pieces...));
  }

 private:
  const std::string& what_;
};

RawSegmentHeader start_of(std::string_view bytes, const Refusal& refuse) {
  RawSegmentHeader raw{};
  if (bytes.size() < sizeof raw)
    refuse("is no segment: it has ", bytes.size(), " bytes, a header has ", sizeof raw);
  std::memcpy(&raw, bytes.data(), sizeof raw);
  if (std::string_view(raw.magic, sizeof raw.magic) != magic)
    refuse("is no segment: it begins with ", base::quoted({raw.magic, sizeof raw.magic}));
  if (raw.byte_order != byte_order_mark) refuse("was written in another byte order, or is damaged");
  if (raw.version > version)
    refuse("is of version ", raw.version, "; this build of nodewise reads version ", version,
           ": use the one that made it, or a newer one");
  if (raw.version != version) refuse("is of version ", raw.version, ", which there never was");
  if (raw.header_bytes < sizeof raw || raw.header_bytes > segment_header_limit_bytes)
    refuse("says that its header has ", raw.header_bytes, " bytes");
  return raw;
}

void check_sizes(const SegmentHeader& header, std::uint64_t header_bytes, std::uint64_t file_bytes,
                 const Refusal& refuse) {
  if (header.total_bytes != file_bytes)
    refuse("says that it has ", header.total_bytes, " bytes, and has ", file_bytes, ": it was truncated?");
  if (!std::has_single_bit(header.page_bytes)) refuse("has pages of ", header.page_bytes, " bytes");
  if (header.data_offset % header.page_bytes != 0 || header.data_offset < header_bytes)
    refuse("has its data at byte ", header.data_offset);
  const auto end = base::checked_add(header.data_offset, header.data_bytes);
  if (!end || *end > header.total_bytes)
    refuse("says that ", header.data_bytes, " bytes of data begin at ", header.data_offset, " of ",
           header.total_bytes);
}

void check_dataset(const SegmentHeader& header, const Refusal& refuse) {
  const auto [samples, features] = header.dataset.shape();
  if (header.dataset.total_bytes() > header.data_bytes)
    refuse("says that ", samples, " x ", features, " elements of ", dtype_name(header.dtype), " are in ",
           header.data_bytes, " bytes");
}

Dataset dataset_of(const RawSegmentHeader& raw, DType dtype, const Refusal& refuse) {
  try {
    return {{raw.samples, raw.features}, dtype, raw.batch_size};
  } catch (const InvalidArgument& error) {
    refuse("holds what is no dataset: ", error.what());
  }
}

}  // namespace

const std::array<HeaderField, 32> segment_header_fields = fields;

std::size_t segment_header_bytes(const SegmentHeader& header) {
  return sizeof(RawSegmentHeader) + header.plan.size() + header.origin.name.size();
}

std::string write_segment_header(const SegmentHeader& header) {
  RawSegmentHeader raw{};
  magic.copy(raw.magic, sizeof raw.magic);
  raw.byte_order = byte_order_mark;
  raw.version = version;
  raw.layout_hash = layout_hash();
  if (header.layout != Layout::rows) raw.required_features |= layout_feature;
  raw.reserved_word = static_cast<std::uint32_t>(header.layout);
  raw.header_bytes = static_cast<std::uint32_t>(segment_header_bytes(header));
  raw.kind = static_cast<std::uint32_t>(header.kind);
  raw.content_hash = header.content_hash;
  raw.total_bytes = header.total_bytes;
  raw.data_offset = header.data_offset;
  raw.data_bytes = header.data_bytes;
  raw.page_bytes = header.page_bytes;
  raw.owner_pid = header.owner.pid;
  raw.owner_uid = header.owner.uid;
  raw.owner_start_ticks = header.owner.start_ticks;
  raw.owner_pid_namespace = header.owner.pid_namespace;
  raw.created_ns = header.created_ns;
  raw.keep = header.keep ? 1 : 0;
  raw.placing_rung = static_cast<std::uint32_t>(header.placing_rung);
  const bool is_dataset = header.kind == SegmentKind::dataset;
  dtype_name(is_dataset ? header.dataset.dtype() : header.dtype).copy(raw.dtype, sizeof raw.dtype - 1);
  raw.samples = header.dataset.shape().samples;
  raw.features = header.dataset.shape().features;
  raw.batch_size = header.dataset.batch_size();
  std::copy(header.origin.state.words.begin(), header.origin.state.words.end(), raw.origin_state);
  std::copy(header.origin.content.words.begin(), header.origin.content.words.end(), raw.origin_content);
  raw.plan_bytes = static_cast<std::uint32_t>(header.plan.size());
  raw.origin_bytes = static_cast<std::uint32_t>(header.origin.name.size());
  std::copy(header.parameters.begin(), header.parameters.end(), raw.parameters);
  std::string bytes(reinterpret_cast<const char*>(&raw), sizeof raw);
  bytes += header.plan;
  bytes += header.origin.name;
  raw.checksum = checksum(bytes);
  std::memcpy(bytes.data(), &raw, sizeof raw);
  return bytes;
}

bool begins_published(std::string_view start) noexcept {
  const auto first = start.substr(0, segment_magic_bytes);
  return std::any_of(first.begin(), first.end(), [](char byte) { return byte != 0; });
}

std::uint64_t needed_header_bytes(std::string_view start, const std::string& what) {
  return start_of(start, Refusal(what)).header_bytes;
}

SegmentHeader parse_segment_header(std::string_view bytes, std::uint64_t file_bytes,
                                   const std::string& what) {
  const Refusal refuse(what);
  const RawSegmentHeader raw = start_of(bytes, refuse);
  if (raw.header_bytes > bytes.size())
    refuse("says that its header has ", raw.header_bytes, " bytes, of which ", bytes.size(), " are there");
  bytes = bytes.substr(0, raw.header_bytes);
  if (checksum(bytes) != raw.checksum) refuse("has a damaged header: its checksum does not hold");
  if (raw.layout_hash != layout_hash())
    refuse("has a header of another layout: use the build of nodewise that made it");
  if ((raw.required_features & ~known_features) != 0)
    refuse("needs features (", raw.required_features, ") that this build of nodewise does not have");
  if (raw.kind > static_cast<std::uint32_t>(SegmentKind::ring)) refuse("is of unknown kind ", raw.kind);
  if (raw.keep > 1) refuse("has ", raw.keep, " for its mark of being kept");
  if (raw.placing_rung > static_cast<std::uint32_t>(PlacingRung::none))
    refuse("names placing rung ", raw.placing_rung, ", which there is not");
  const bool has_layout = (raw.required_features & layout_feature) != 0;
  if (has_layout && raw.reserved_word > static_cast<std::uint32_t>(Layout::tiles))
    refuse("arranges its batches by layout ", raw.reserved_word, ", which there is not");
  SegmentHeader header;
  header.kind = static_cast<SegmentKind>(raw.kind);
  header.content_hash = raw.content_hash;
  header.total_bytes = raw.total_bytes;
  header.data_offset = raw.data_offset;
  header.data_bytes = raw.data_bytes;
  header.page_bytes = raw.page_bytes;
  header.owner = {raw.owner_pid, raw.owner_uid, raw.owner_start_ticks, raw.owner_pid_namespace};
  header.created_ns = raw.created_ns;
  header.keep = raw.keep == 1;
  header.placing_rung = static_cast<PlacingRung>(raw.placing_rung);
  header.layout = has_layout ? static_cast<Layout>(raw.reserved_word) : Layout::rows;
  std::copy(std::begin(raw.parameters), std::end(raw.parameters), header.parameters.begin());
  const std::string_view name(raw.dtype, ::strnlen(raw.dtype, sizeof raw.dtype));
  const auto dtype = parse_dtype(name);
  if (!dtype) refuse("has elements of unknown type ", base::quoted(name));
  header.dtype = *dtype;
  if (header.kind == SegmentKind::dataset) header.dataset = dataset_of(raw, *dtype, refuse);
  check_sizes(header, raw.header_bytes, file_bytes, refuse);
  if (header.kind == SegmentKind::dataset) check_dataset(header, refuse);
  const std::uint64_t texts_end = sizeof raw + std::uint64_t{raw.plan_bytes} + raw.origin_bytes;
  if (texts_end != raw.header_bytes)
    refuse("has texts of ", raw.plan_bytes, " and ", raw.origin_bytes, " bytes in a header of ",
           raw.header_bytes);
  header.plan = bytes.substr(sizeof raw, raw.plan_bytes);
  header.origin.name = bytes.substr(sizeof raw + raw.plan_bytes);
  header.origin.state = {{raw.origin_state[0], raw.origin_state[1]}};
  header.origin.content = {{raw.origin_content[0], raw.origin_content[1]}};
  return header;
}

void check_segment_pages(const SegmentHeader& header, std::uint64_t base_page_bytes,
                         const std::string& what) {
  if (header.page_bytes < base_page_bytes)
    Refusal{what}("has pages of ", header.page_bytes, " bytes, this machine of ", base_page_bytes);
}

}  // namespace nodewise
