// Goal: sizes read as people write them, and nothing else is taken for one. Method: tables of texts, and the
// limits of 64 bits.
#include <nodewise/sizes.hpp>

#include <doctest/doctest.h>

#include <limits>

using nodewise::human_bytes;
using nodewise::parse_bytes;

TEST_CASE("sizes with units") {
  struct Row {
    const char* text;
    std::uint64_t bytes;
  };
  for (const Row& row :
       {Row{"0", 0}, Row{"4096", 4096}, Row{"800 B", 800}, Row{"1.5K", 1536}, Row{"3kB", 3000},
        Row{"64KiB", 65536}, Row{"2M", 2097152}, Row{"1.5GB", 1500000000}, Row{"0.5TiB", 1ULL << 39},
        Row{"2TB", 2000000000000}, Row{"18446744073709551615", ~std::uint64_t{0}}}) {
    CAPTURE(row.text);
    CHECK(parse_bytes(row.text) == row.bytes);
  }
}

TEST_CASE("what is no size") {
  for (const char* text : {"",
                           "K",
                           "-1",
                           "+1",
                           "1 ",
                           "1  K",
                           "1k",
                           "3Q",
                           "1.5",
                           "0.3K",
                           "1e3",
                           "0x10",
                           " 1",
                           "1K ",
                           "nan",
                           "inf",
                           ".",
                           "1.2.3",
                           "18446744073709551616",
                           "16777216T"}) {
    CAPTURE(text);
    CHECK(!parse_bytes(text));
  }
}

TEST_CASE("sizes for people") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1536) == "1.5 KiB");
  CHECK(human_bytes(std::numeric_limits<std::uint64_t>::max()) == "15.9 EiB");
  CHECK(parse_bytes(human_bytes(std::uint64_t{3} << 30)) == std::uint64_t{3} << 30);
}
