// The header of a segment, which is the first part of its file. docs/segment-format.md describes it for
// readers in other languages, and a test compares that page with this file.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <nodewise/segment.hpp>

namespace nodewise {

/// The header in memory, in the byte order of the machine. Texts follow it.
struct RawSegmentHeader {
  char magic[8];
  std::uint32_t byte_order;
  std::uint32_t version;
  std::uint64_t layout_hash;
  std::uint64_t required_features;
  std::uint64_t optional_features;
  std::uint32_t header_bytes;
  std::uint32_t checksum;
  std::uint32_t kind;
  std::uint32_t keep;
  std::uint64_t content_hash;
  std::uint64_t total_bytes;
  std::uint64_t data_offset;
  std::uint64_t data_bytes;
  std::uint64_t page_bytes;
  std::uint32_t owner_pid;
  std::uint32_t owner_uid;
  std::uint64_t owner_start_ticks;
  std::uint64_t owner_pid_namespace;
  std::uint64_t created_ns;
  std::uint32_t placing_rung;
  std::uint32_t plan_bytes;
  std::uint32_t origin_bytes;
  std::uint32_t reserved_word;  // the layout, if the feature for layouts is set
  char dtype[8];
  std::uint64_t samples;
  std::uint64_t features;
  std::uint64_t batch_size;
  std::uint64_t origin_state[2];
  std::uint64_t origin_content[2];
  std::uint64_t parameters[8];
  std::uint64_t reserved[6];
};
static_assert(sizeof(RawSegmentHeader) == 320);

struct HeaderField {
  std::string_view name;
  std::size_t offset;
  std::size_t bytes;
};
/// All fields, in order.
extern const std::array<HeaderField, 32> segment_header_fields;

/// The most bytes of a header, including its texts.
inline constexpr std::uint64_t segment_header_limit_bytes = std::uint64_t{1} << 20;

/// The header after it was checked.
struct SegmentHeader {
  SegmentKind kind = SegmentKind::dataset;
  std::uint64_t content_hash = 0;  ///< A hash of the structure of the data; 0 for a dataset.
  std::uint64_t total_bytes = 0;   ///< The size of the file.
  std::uint64_t data_offset = 0;   ///< A multiple of page_bytes.
  std::uint64_t data_bytes = 0;
  std::uint64_t page_bytes = 0;
  SegmentOwner owner;
  std::uint64_t created_ns = 0;
  bool keep = false;
  PlacingRung placing_rung = PlacingRung::none;
  Dataset dataset;          ///< Empty for kinds other than datasets.
  DType dtype = DType::u8;  ///< The element type of other kinds.
  Identity origin;
  Layout layout = Layout::rows;
  std::string plan;
  std::array<std::uint64_t, 8> parameters{};  ///< Their meaning depends on the kind.
};

/// The header as the first bytes of the file.
std::string write_segment_header(const SegmentHeader& header);
/// The magic is written last, by one store, which publishes the file. A file that begins with zeros is still
/// being made, or its maker has died.
inline constexpr std::size_t segment_magic_bytes = sizeof(RawSegmentHeader::magic);

inline std::chrono::system_clock::time_point created_at(std::uint64_t created_ns) noexcept {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(created_ns)));
}

/// The number of bytes that write_segment_header will return.
std::size_t segment_header_bytes(const SegmentHeader& header);

/// Whether a file that begins with these bytes is published, or is not a segment at all.
bool begins_published(std::string_view start) noexcept;

/// The number of bytes from the file's beginning that parse_segment_header needs. Throws FormatError.
std::uint64_t needed_header_bytes(std::string_view start, const std::string& what);

/// Parses and checks the first bytes of a file of `file_bytes` bytes. No value is used unchecked. `what`
/// names the file in messages. Throws FormatError.
SegmentHeader parse_segment_header(std::string_view bytes, std::uint64_t file_bytes, const std::string& what);

/// Whether a machine with base pages of `base_page_bytes` can map it. Throws FormatError.
void check_segment_pages(const SegmentHeader& header, std::uint64_t base_page_bytes, const std::string& what);

}  // namespace nodewise
