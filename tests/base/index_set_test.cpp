// Goal: a set of numbers behaves as a set, and its text is the kernel's.
// Method: small sets by hand, around the word size where bits are kept, and a plain std::set as the
// reference.
#include <doctest/doctest.h>

#include <initializer_list>
#include <random>
#include <set>
#include <vector>

#include <nodewise/index_set.hpp>

using nodewise::IndexSet;

namespace {

std::vector<unsigned> in_order(const std::set<unsigned>& members) {
  return {members.begin(), members.end()};
}

}  // namespace

TEST_CASE("members are in the set and nothing else is") {
  IndexSet set{3, 64, 63, 3, 200};
  CHECK(set.size() == 4);
  CHECK_FALSE(set.empty());
  CHECK(set.indices() == std::vector<unsigned>{3, 63, 64, 200});
  CHECK(set.contains(64));
  CHECK_FALSE(set.contains(65));
  CHECK_FALSE(set.contains(0));
  CHECK_FALSE(set.contains(4'000'000'000U));
  set.erase(64);
  set.erase(5);
  set.erase(4'000'000'000U);
  CHECK(set == IndexSet{3, 63, 200});
}

TEST_CASE("sets are equal by members, however they came to be") {
  IndexSet shrunk{1, 500};
  shrunk.erase(500);
  CHECK(shrunk == IndexSet{1});
  shrunk.erase(1);
  CHECK(shrunk == IndexSet());
  CHECK(shrunk.empty());
  CHECK((IndexSet{1, 500} & IndexSet{1, 600}) == IndexSet{1});
  CHECK((IndexSet{500} & IndexSet{1}).empty());
}

TEST_CASE("walking goes from one member to the next") {
  const IndexSet set{0, 63, 64, 127, 128, 300};
  CHECK(set.first() == 0U);
  CHECK(set.next(0) == 63U);
  CHECK(set.next(63) == 64U);
  CHECK(set.next(100) == 127U);
  CHECK(set.next(128) == 300U);
  CHECK_FALSE(set.next(300).has_value());
  CHECK_FALSE(set.next(4'294'967'295U).has_value());
  CHECK_FALSE(IndexSet().first().has_value());
  CHECK(IndexSet{70}.first() == 70U);
}

TEST_CASE("union and intersection agree with std::set") {
  std::mt19937 random(7);
  for (unsigned round = 0; round < 200; ++round) {
    IndexSet a, b;
    std::set<unsigned> in_a, in_b, both, either;
    for (unsigned i = 0; i < 30; ++i) {
      const auto x = static_cast<unsigned>(random() % 200), y = static_cast<unsigned>(random() % (round + 1));
      a.insert(x);
      b.insert(y);
      in_a.insert(x);
      in_b.insert(y);
    }
    for (const unsigned x : in_a)
      if (in_b.count(x) > 0) both.insert(x);
    either = in_a;
    either.insert(in_b.begin(), in_b.end());
    CHECK((a & b).indices() == in_order(both));
    CHECK((a | b).indices() == in_order(either));
    CHECK((a & b) == (b & a));
    CHECK((a | b) == (b | a));
    CHECK(a.size() == in_a.size());
    CHECK(IndexSet::parse((a | b).to_string()) == (a | b));
  }
}

TEST_CASE("the text is the kernel's list format") {
  CHECK(IndexSet().to_string().empty());
  CHECK(IndexSet{8}.to_string() == "8");
  CHECK(IndexSet{0, 1}.to_string() == "0-1");
  CHECK(IndexSet{0, 1, 2, 3, 8}.to_string() == "0-3,8");
  CHECK(IndexSet{62, 63, 64, 65, 67, 1000}.to_string() == "62-65,67,1000");
}

TEST_CASE("the text is read back") {
  CHECK(IndexSet::parse("0-3,8") == IndexSet{0, 1, 2, 3, 8});
  CHECK(IndexSet::parse("0-3,8\n") == IndexSet{0, 1, 2, 3, 8});
  CHECK(IndexSet::parse(" \t5 ") == IndexSet{5});
  CHECK(IndexSet::parse("7-7,3,3-4") == IndexSet{3, 4, 7});
  CHECK(IndexSet::parse("") == IndexSet());
  CHECK(IndexSet::parse("\n") == IndexSet());
  CHECK(IndexSet::parse("1048576") == IndexSet{1048576});
}

TEST_CASE("text that is no list is refused") {
  for (const char* text : {"x", "1,", ",1", "1,,2", "1-", "-1", "3-1", "1-2-3", "1 2", "1, 2", "+1", "0x1",
                           "1.5", "1048577", "0-1048577", "99999999999999999999", "0-3:1/2", "1;2"})
    CHECK_MESSAGE(!IndexSet::parse(text).has_value(), text);
}
