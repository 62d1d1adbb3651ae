// Goal: docs/segment-format.md, from which readers in other languages are written, says what this build
// writes. Method: the page's table is read and held against the header's fields, and the words that the page
// gives in full against a header that is written.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include <nodewise/dtype.hpp>

#include "segment/header.hpp"
#include "support/files.hpp"

using namespace nodewise;

namespace {

std::string read_page() {
  return test::text_of(NODEWISE_DOCS "/segment-format.md");
}

struct Row {
  std::string name;
  std::size_t offset;
  std::size_t bytes;
};

// The lines "| `name` | offset | bytes | ...".
std::vector<Row> table_of(const std::string& page) {
  std::vector<Row> rows;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    char name[64];
    std::size_t offset = 0, bytes = 0;
    if (std::sscanf(line.c_str(), "| `%63[a-z_]` | %zu | %zu |", name, &offset, &bytes) == 3)
      rows.push_back({name, offset, bytes});
  }
  return rows;
}

RawSegmentHeader written_header() {
  const std::string bytes = write_segment_header({});
  RawSegmentHeader raw{};
  std::memcpy(&raw, bytes.data(), sizeof raw);
  return raw;
}

}  // namespace

TEST_CASE("the page has every field of the header, where it is") {
  const auto rows = table_of(read_page());
  REQUIRE(rows.size() == segment_header_fields.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const HeaderField& field = segment_header_fields[i];
    CAPTURE(field.name);
    CHECK(rows[i].name == field.name);
    CHECK(rows[i].offset == field.offset);
    CHECK(rows[i].bytes == field.bytes);
  }
}

TEST_CASE("the page gives version and layout hash as they are written; it and the reader name every type") {
  const std::string page = read_page();
  const RawSegmentHeader raw = written_header();
  char hash[32];
  std::snprintf(hash, sizeof hash, "`0x%016llx`", static_cast<unsigned long long>(raw.layout_hash));
  CHECK(page.find(hash) != std::string::npos);
  CHECK(page.find("| `version` | 12 | 4 | " + std::to_string(raw.version) + " |") != std::string::npos);
  CHECK(page.find("| `byte_order` | 8 | 4 | 0x01020304") != std::string::npos);
  CHECK(raw.byte_order == 0x01020304);
  for (const DType dtype : all_dtypes)
    CHECK(page.find('`' + std::string(dtype_name(dtype)) + '`') != std::string::npos);
  const std::string reader = test::text_of(NODEWISE_DOCS "/../python/nodewise_segment.py");
  for (const DType dtype : all_dtypes)
    CHECK(reader.find('"' + std::string(dtype_name(dtype)) + "\": Element(") != std::string::npos);
}

TEST_CASE("a layout other than rows stands under a feature, so that a reader of rows alone refuses it") {
  for (const Layout layout : {Layout::rows, Layout::columns, Layout::tiles}) {
    SegmentHeader header;
    header.layout = layout;
    header.dataset = {{0, 1}, DType::u8, 4};
    header.page_bytes = 4096;
    header.data_offset = header.total_bytes = 4096;
    const std::string bytes = write_segment_header(header);
    RawSegmentHeader raw{};
    std::memcpy(&raw, bytes.data(), sizeof raw);
    CHECK(raw.required_features == (layout == Layout::rows ? 0 : 2));
    CHECK(raw.reserved_word == static_cast<std::uint32_t>(layout));
    CHECK(parse_segment_header(bytes, 4096, "it").layout == layout);
  }
}
