// Goal: every value of every public enumeration has a name of its own, which parse turns back into the value,
// and the stable names and numbers are what they were. Method: one list of all enumerations, which
// tests/tree/style.py holds against the headers; a second walk over all 256 numbers of each; the stable ones
// as tables.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include <nodewise/nodewise.hpp>

#include "support/files.hpp"

using namespace nodewise;

TEST_CASE_TEMPLATE("every value has a name of its own, and is found by it", E, Access, AskingRung, Backing,
                   BatchRun::State, Binding, DegradationKind, Device::Kind, DType, ErrorKind, Layout, Calls,
                   PageKind, PlacingRung, Policy, RingEnds, Scheduling, SegmentKind, SegmentOwner::State,
                   SharedObjectKind, Spill, Weights) {
  const std::vector<E> all = all_values<E>();
  REQUIRE(all.size() >= 2);
  std::set<std::string_view> names;
  for (const E value : all) {
    names.insert(to_string(value));
    CHECK(parse<E>(to_string(value)) == value);
    CHECK_FALSE(parse<E>(std::string(to_string(value)) + ' ').has_value());
  }
  CHECK(names.size() == all.size());
  // The values follow one another: of the numbers beside them none has a name.
  CHECK(static_cast<std::size_t>(all.back()) - static_cast<std::size_t>(all.front()) + 1 == all.size());
  CHECK(to_string(static_cast<E>(255)).empty());
  CHECK_FALSE(parse<E>("").has_value());
  CHECK_FALSE(parse<E>("no such name").has_value());
}

TEST_CASE("degradations keep their names") {
  std::string names;
  for (const DegradationKind kind : all_values<DegradationKind>())
    names += std::string(to_string(kind)) + ' ';
  CHECK(names ==
        "adopted nodes-unseen node-full huge-pages-short huge-pages-off mbind-refused pinning-refused "
        "node-out-of-reach forked-child shards-not-apart move_pages-refused numa_maps-unreadable "
        "pages-unknown no-local-memory policy-overridden ");
  CHECK(static_cast<int>(DegradationKind::adopted) == 1);
}

TEST_CASE("docs/json.md says what each degradation means") {
  const std::string page = test::text_of(NODEWISE_DOCS "/json.md");
  for (const DegradationKind kind : all_values<DegradationKind>())
    CHECK(page.find("\n| `" + std::string(to_string(kind)) + "` |") != std::string::npos);
}

TEST_CASE("element types are counted once") {
  CHECK(all_values<DType>() == std::vector<DType>(all_dtypes.begin(), all_dtypes.end()));
  CHECK(dtype_bytes(static_cast<DType>(dtype_count)) == 0);
}
