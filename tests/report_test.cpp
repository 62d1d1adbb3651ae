// Goal: NODEWISE_REPORT makes any program that links the library leave a report when it exits, also for
// loaders that were never destroyed.
// Method: a forked and executed copy of this program, as a program that makes loaders and ends.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <nodewise/loader.hpp>
#include <nodewise/replicated.hpp>

#include "base/json_reader.hpp"
#include "support/files.hpp"
#include "support/own_names.hpp"

using namespace nodewise;

namespace {

// Made before the library first uses the system, so it goes after everything that was made later.
std::optional<BatchLoader> outliving;

constexpr const char* child_mark = "NODEWISE_REPORT_TEST_CHILD";

// Runs this program again, only the case below, reporting to `target`; its exit code and process id.
struct Ended {
  int code = -1;
  pid_t pid = 0;
};
Ended run_child(const std::string& target) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);  // its summary is not ours
    ::setenv("NODEWISE_REPORT", target.c_str(), 1);
    ::setenv(child_mark, "1", 1);
    ::execl("/proc/self/exe", "report_test", "--test-case=a program that is reported on",
            static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, pid};
}

}  // namespace

TEST_CASE("a program that is reported on") {
  if (std::getenv(child_mark) == nullptr) return;  // only as the child of the next case
  const BatchLoader gone({{1000, 64}, DType::f64, 10});
  static const BatchLoader until_the_end({{500, 64}, DType::f32, 10});
  outliving.emplace(Dataset{{20, 1}, DType::u8, 10});
  static auto* leaked = new BatchLoader({{10, 1}, DType::u8, 10});
  CHECK(leaked->num_batches() == 1);
  static NodePools pools(until_the_end.team());
  static const Replicated<int> seven(pools, 7, "seven");
  if (std::string(std::getenv("NODEWISE_REPORT")).find("%p") != std::string::npos) return;
  const pid_t child = ::fork();  // its exit must not write over the parent's report
  if (child == 0) std::exit(0);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("the report holds every loader, and %p is the process") {
  for (const char* name : {"report.json", "report.%p.json"}) {
    CAPTURE(name);
    std::string path = test::temporary_path(name);
    const auto ended = run_child(path);
    REQUIRE(ended.code == 0);
    if (path.find("%p") != std::string::npos) path.replace(path.find("%p"), 2, std::to_string(ended.pid));
    const auto report = base::parse_json(test::text_of(path));
    std::remove(path.c_str());
    CHECK(*report.find("schema")->get_if<std::string>() == "nodewise.report/1");
    CHECK(*report.find("pid")->get_if<std::uint64_t>() == static_cast<std::uint64_t>(ended.pid));
    const auto& placements = *report.find("placements")->get_if<base::JsonArray>();
    REQUIRE(placements.size() == 4);
    std::uint64_t planned = 0;
    for (const auto& placement : placements) {
      const auto bytes = *placement.find("planned_bytes")->get_if<std::uint64_t>();
      CHECK(*placement.find("local_bytes")->get_if<std::uint64_t>() == bytes);
      planned += bytes;
    }
    CHECK(planned == 1000 * 64 * 8 + 500 * 64 * 4 + 10 + 20);
    const auto& pools = *report.find("pools")->get_if<base::JsonArray>();
    REQUIRE(pools.size() == 1);
    CHECK(*pools[0].find("schema")->get_if<std::string>() == "nodewise.pools/1");
    CHECK(!pools[0].find("nodes")->get_if<base::JsonArray>()->empty());
    const auto& replicas = *report.find("replicas")->get_if<base::JsonArray>();
    REQUIRE(replicas.size() == 1);
    CHECK(*replicas[0].find("name")->get_if<std::string>() == "seven");
    CHECK(*replicas[0].find("version")->get_if<std::uint64_t>() == 1);
    const auto& copies = *replicas[0].find("nodes")->get_if<base::JsonArray>();
    CHECK(*copies.at(0).find("bytes")->get_if<std::uint64_t>() == sizeof(int));
    CHECK(report.find("failures")->get_if<base::JsonArray>()->empty());
  }
}

TEST_CASE("a report that cannot be written harms nobody") {
  CHECK(run_child("/proc/no/such/folder").code == 0);
}

TEST_CASE("a report that cannot be written is one line on standard error, and the exit code stays") {
  const std::string errors = test::temporary_path("report.err");
  const pid_t pid = ::fork();
  if (pid == 0) {
    const bool redirected =
        std::freopen("/dev/null", "w", stdout) && std::freopen(errors.c_str(), "w", stderr);
    ::setenv("NODEWISE_REPORT", "/nosuch/folder/report", 1);
    ::setenv(child_mark, "1", 1);
    if (redirected)
      ::execl("/proc/self/exe", "report_test", "--test-case=a program that is reported on",
              static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  const std::string line = test::text_of(errors);
  std::remove(errors.c_str());
  CHECK(line.find("NODEWISE_REPORT=/nosuch/folder/report: cannot be written") != std::string::npos);
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
}
