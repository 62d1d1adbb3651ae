// Goal: every exception has its kind, and kinds keep their names and numbers, on which exit codes and the C
// face stand. Method: one of each class, caught as what it may be caught as; the numbers as a table.
#include <nodewise/error.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <utility>

using namespace nodewise;

namespace {

// The kind of a thrown exception, asked of it as an Error and as a std::exception: both, as a pair.
template <class Exception>
std::pair<ErrorKind, ErrorKind> kinds(const Exception& thrown) {
  std::pair<ErrorKind, ErrorKind> found{};
  try {
    throw Exception(thrown);
  } catch (const Error& error) {
    found.first = error.kind();
  }
  try {
    throw Exception(thrown);
  } catch (const std::exception& error) {
    found.second = kind_of(error);
  }
  return found;
}

}  // namespace

TEST_CASE("each class of exception has one kind") {
  const auto twice = [](ErrorKind kind) { return std::pair(kind, kind); };
  CHECK(kinds(OutOfRange("")) == twice(ErrorKind::out_of_range));
  CHECK(kinds(InvalidArgument("")) == twice(ErrorKind::invalid_argument));
  CHECK(kinds(FormatError("")) == twice(ErrorKind::format));
  CHECK(kinds(SystemError("", EIO)) == twice(ErrorKind::system));
  CHECK(kinds(PlacementError("")) == twice(ErrorKind::placement));
  CHECK(kinds(OwnerDied("")) == twice(ErrorKind::owner_died));
  CHECK(kinds(BrokenBarrier("")) == twice(ErrorKind::broken_barrier));
  CHECK(kinds(Stopped("")) == twice(ErrorKind::stopped));
  CHECK(kinds(OutOfMemory("")) == twice(ErrorKind::out_of_memory));
  CHECK(kinds(ThreadError("", EAGAIN)) == twice(ErrorKind::threads));
}

TEST_CASE("an exception that is not the library's has a kind too") {
  CHECK(kind_of(std::bad_alloc()) == ErrorKind::out_of_memory);
  CHECK(kind_of(std::out_of_range("")) == ErrorKind::foreign);
  CHECK(kind_of(std::runtime_error("")) == ErrorKind::foreign);
}

TEST_CASE("kinds keep their numbers and names") {
  std::string table;
  for (const ErrorKind kind : all_values<ErrorKind>())
    table += std::to_string(static_cast<int>(kind)) + ' ' + std::string(to_string(kind)) + ' ';
  CHECK(table ==
        "1 out_of_range 2 invalid_argument 3 format 4 system 5 placement 6 owner_died 7 broken_barrier "
        "8 out_of_memory 9 foreign 10 stopped 11 threads ");
}
