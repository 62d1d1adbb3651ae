// Fuzzes the parser of segment headers.
//
// Input: bytes 0 to 7, in the machine's order, how many bytes the file has; byte 8, whose lowest bit asks for
// the checksum to be mended, so that what stands behind it is reached; then the first bytes of the file.
// Whatever they are, the parser either refuses with a message fit for a terminal, or gives a description that
// is within the file, has the texts that are there, and means the same when written anew. Half of the inputs
// are mutated byte by byte, half by fields, to numbers at which code breaks.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/crc32.hpp"
#include "segment/header.hpp"

namespace {

using namespace nodewise;
using base::Uint128;

constexpr std::size_t start_offset = 9;  // of the file's first bytes in the input

void require(bool condition) {
  if (!condition) std::abort();
}

// As the library has it, for as much of the header as is there.
void mend_checksum(std::string& start) {
  RawSegmentHeader raw{};
  if (start.size() < sizeof raw) return;
  std::memcpy(&raw, start.data(), sizeof raw);
  raw.checksum = 0;
  std::memcpy(start.data(), &raw, sizeof raw);
  raw.checksum = base::crc32(std::string_view(start).substr(0, raw.header_bytes));
  std::memcpy(start.data(), &raw, sizeof raw);
}

void check_dataset(const SegmentHeader& got) {
  const auto [samples, features] = got.dataset.shape();
  require(features > 0 && got.dataset.batch_size() > 0 && got.dataset.dtype() == got.dtype);
  const Uint128 elements = Uint128{samples} * features;
  require(elements <= got.data_bytes && elements * dtype_bytes(got.dtype) <= got.data_bytes);
}

bool same(const SegmentHeader& a, const SegmentHeader& b) {
  const auto words = [](const SegmentHeader& header) {
    const SegmentOwner& owner = header.owner;
    return std::array<std::uint64_t, 11>{
        header.content_hash,  header.total_bytes, header.data_offset, header.data_bytes, header.page_bytes,
        header.created_ns,    owner.pid,          owner.uid,          owner.start_ticks, owner.pid_namespace,
        header.keep ? 1U : 0U};
  };
  return words(a) == words(b) && a.kind == b.kind && a.placing_rung == b.placing_rung && a.dtype == b.dtype &&
         a.dataset == b.dataset && a.origin == b.origin && a.plan == b.plan && a.parameters == b.parameters;
}

void check_accepted(const SegmentHeader& got, std::string_view start, std::uint64_t file_bytes) {
  const std::size_t header_bytes = segment_header_bytes(got);
  require(begins_published(start) && needed_header_bytes(start, "it") == header_bytes);
  require(header_bytes <= start.size() && header_bytes <= segment_header_limit_bytes);
  require(start.substr(sizeof(RawSegmentHeader), header_bytes - sizeof(RawSegmentHeader)) ==
          got.plan + got.origin.name);
  require(got.total_bytes == file_bytes);
  require(std::has_single_bit(got.page_bytes));
  require(got.data_offset >= header_bytes && got.data_offset % got.page_bytes == 0);
  require(Uint128{got.data_offset} + got.data_bytes <= file_bytes);
  require(got.kind <= SegmentKind::ring && got.placing_rung <= PlacingRung::none);
  if (got.kind == SegmentKind::dataset) check_dataset(got);
  require(same(parse_segment_header(write_segment_header(got), file_bytes, "it"), got));
}

void check_refused(std::string_view message) {
  require(message.starts_with("Segment: it ") && message.size() < 500);
  for (const char c : message) require(c >= ' ' && c <= '~');
}

/// One field set to a number at which code breaks, or to another field's.
void mutate_field(std::string& start, std::mt19937& random) {
  constexpr std::uint64_t top = std::uint64_t{1} << 63;
  constexpr std::uint64_t edges[] = {0, 1, 2, 7, 319, 320, 4096, std::uint64_t{1} << 32, top >> 2, top, ~top};
  const auto word = [&](std::size_t offset) {
    std::uint64_t value = 0;
    std::memcpy(&value, start.data() + offset, sizeof value);
    return value;
  };
  const HeaderField field = segment_header_fields[random() % segment_header_fields.size()];
  const HeaderField other = segment_header_fields[random() % segment_header_fields.size()];
  std::uint64_t value = random() % 4 == 0 ? word(other.offset) : edges[random() % std::size(edges)];
  if (random() % 4 == 0) value = word(field.offset) + value;
  if (random() % 2 == 0) value = 0 - value;
  std::memcpy(start.data() + field.offset, &value, std::min(field.bytes, sizeof value));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::mt19937 random(seed);
  if (random() % 2 == 0 || size < start_offset + sizeof(RawSegmentHeader))
    return LLVMFuzzerMutate(data, size, max_size);
  std::string start(reinterpret_cast<const char*>(data) + start_offset, size - start_offset);
  for (auto fields = 1 + random() % 2; fields > 0; --fields) mutate_field(start, random);
  std::memcpy(data + start_offset, start.data(), start.size());
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < start_offset) return 0;
  std::uint64_t file_bytes = 0;
  std::memcpy(&file_bytes, data, sizeof file_bytes);
  std::string start(reinterpret_cast<const char*>(data) + start_offset, size - start_offset);
  if ((data[start_offset - 1] & 1) != 0) mend_checksum(start);
  try {
    check_accepted(parse_segment_header(start, file_bytes, "it"), start, file_bytes);
  } catch (const FormatError& error) {
    check_refused(error.what());
  }
  return 0;
}
