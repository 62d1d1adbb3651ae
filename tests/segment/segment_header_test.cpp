// Goal: nothing that a segment's first bytes say is believed before it is checked: an error each, never a
// signal. Method: a sound header, with each byte flipped, cut off at each length, and with sizes that lie
// under a checksum that holds.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "base/crc32.hpp"
#include "segment/header.hpp"
#include "segment/names.hpp"
#include "support/files.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::unique_name;

namespace {

std::string path_of(const std::string& name) {
  return segment_path(memory_folder, name);
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// `header` with other fields and a checksum that holds.
std::string forge(std::string header, const std::function<void(RawSegmentHeader&)>& change) {
  RawSegmentHeader raw{};
  std::memcpy(&raw, header.data(), sizeof raw);
  change(raw);
  raw.checksum = 0;
  std::memcpy(header.data(), &raw, sizeof raw);
  raw.checksum = base::crc32(header);
  std::memcpy(header.data(), &raw, sizeof raw);
  return header;
}

}  // namespace

TEST_CASE("every byte of a header flipped, and every length of file, gives an error and no more") {
  const auto name = unique_name("flipped"), copy = unique_name("copy");
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name};
  const BatchLoader loader({{1000, 16}, DType::f32, 64}, options);
  const std::string whole = test::text_of(path_of(name));
  const auto header_bytes = needed_header_bytes(whole, "it");
  const auto refused = [&](const std::string& bytes) {
    write_file(path_of(copy), bytes);
    try {
      Segment::open(copy);
    } catch (const FormatError& error) {
      CHECK(std::string(error.what()).find(copy) != std::string::npos);
      return true;
    } catch (const SystemError& error) {
      return error.code() == ENOENT;  // it begins with zeros, as one that was never finished
    }
    return false;
  };
  CHECK_FALSE(refused(whole));
  for (std::size_t byte = 0; byte < header_bytes; ++byte) {
    for (const int bits : {0x01, 0x80, 0xff}) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ bits);
      CAPTURE(byte);
      CHECK(refused(flipped));
    }
  }
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += bytes < 9000 ? 7 : 4096) {
    CAPTURE(bytes);
    CHECK(refused(whole.substr(0, bytes)));
  }
  CHECK(refused(whole + 'x'));
  write_file(path_of(copy), whole);
  std::filesystem::remove(path_of(copy));
}

TEST_CASE("the future, and sizes that lie, are refused though the checksum holds") {
  SegmentHeader sound;
  sound.total_bytes = 3 * 4096;
  sound.data_offset = 4096;
  sound.data_bytes = 8192;
  sound.page_bytes = 4096;
  sound.dataset = {{100, 10}, DType::f64, 7};
  sound.plan = "{}";
  sound.origin = {"/some/file.npy", {{1, 2}}, {{3, 4}}};
  const auto parsed = parse_segment_header(write_segment_header(sound), sound.total_bytes, "it");
  CHECK(parsed.dataset == sound.dataset);
  CHECK(parsed.plan == sound.plan);
  CHECK(parsed.origin == sound.origin);
  const auto refuses = [&](auto change) {
    SegmentHeader header = sound;
    change(header);
    CHECK_THROWS_AS(parse_segment_header(write_segment_header(header), sound.total_bytes, "it"), FormatError);
  };
  constexpr auto huge = ~std::uint64_t{0};
  refuses([](auto& header) { header.total_bytes += 1; });
  refuses([](auto& header) { header.data_offset = 8192; });
  refuses([](auto& header) { header.data_offset = 0; });
  refuses([](auto& header) { header.data_offset = 4095; });
  refuses([](auto& header) { header.data_offset = huge - 4095; });
  refuses([](auto& header) { header.data_bytes = huge; });
  refuses([](auto& header) { header.page_bytes = 0; });
  refuses([](auto& header) { header.page_bytes = 3; });
  refuses([](auto& header) { header.dataset = {{103, 10}, DType::f64, 7}; });
  refuses([](auto& header) { header.kind = static_cast<SegmentKind>(9); });
  const auto refuses_shape = [&](std::uint64_t samples, std::uint64_t features, std::uint64_t batch_size) {
    const auto forged = forge(write_segment_header(sound), [&](RawSegmentHeader& raw) {
      raw.samples = samples;
      raw.features = features;
      raw.batch_size = batch_size;
    });
    CHECK_THROWS_AS(parse_segment_header(forged, sound.total_bytes, "it"), FormatError);
  };
  CHECK_NOTHROW(parse_segment_header(forge(write_segment_header(sound), [](RawSegmentHeader&) {}),
                                     sound.total_bytes, "it"));
  refuses_shape(huge, huge, 7);
  refuses_shape(std::uint64_t{1} << 61, 8, 7);
  refuses_shape(100, 0, 7);
  refuses_shape(100, 10, 0);
  std::string future = write_segment_header(sound);
  const std::uint32_t version = 2;
  std::memcpy(future.data() + offsetof(RawSegmentHeader, version), &version, sizeof version);
  CHECK_THROWS_WITH_AS(parse_segment_header(future, sound.total_bytes, "it"), doctest::Contains("version 2"),
                       FormatError);
}
