// Goal: nothing that a segment's first bytes say is believed before it is checked: an error each, never a
// signal. Method: a sound header, with each byte flipped, cut off at each length, and with sizes that lie
// under a checksum that holds.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "segment/header.hpp"
#include "segment/names.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::unique_name;

namespace {

std::string path_of(const std::string& name) {
  return segment_path(memory_folder, name);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("every byte of a header flipped, and every length of file, gives an error and no more") {
  const auto name = unique_name("flipped"), copy = unique_name("copy");
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name};
  const BatchLoader loader({1000, 16}, DType::f32, 64, options);
  const std::string whole = read_file(path_of(name));
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
  sound.dtype = DType::f64;
  sound.shape = {100, 10};
  sound.batch_size = 7;
  sound.plan = "{}";
  sound.source.path = "/some/file.npy";
  const auto parsed = parse_segment_header(write_segment_header(sound), sound.total_bytes, "it");
  CHECK(parsed.shape == sound.shape);
  CHECK(parsed.plan == sound.plan);
  CHECK(parsed.source == sound.source);
  CHECK(parsed.batch_size == 7);
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
  refuses([](auto& header) { header.shape.samples = 103; });
  refuses([](auto& header) { header.shape = {huge, huge}; });
  refuses([](auto& header) { header.shape = {std::uint64_t{1} << 61, 8}; });
  refuses([](auto& header) { header.shape.features = 0; });
  refuses([](auto& header) { header.batch_size = 0; });
  refuses([](auto& header) { header.kind = static_cast<SegmentKind>(9); });
  std::string future = write_segment_header(sound);
  const std::uint32_t version = 2;
  std::memcpy(future.data() + offsetof(RawSegmentHeader, version), &version, sizeof version);
  CHECK_THROWS_WITH_AS(parse_segment_header(future, sound.total_bytes, "it"), doctest::Contains("version 2"),
                       FormatError);
}
