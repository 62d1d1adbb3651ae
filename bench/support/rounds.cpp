#include "support/rounds.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <vector>

#include <nodewise/version.hpp>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Way {
  std::string name;
  std::function<Work()> prepare;
  Also also;
};

struct Case {
  std::string name;
  std::vector<Way> ways;
};

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

double seconds(const Work& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What the environment says, or `otherwise`.
double number_from(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtod(text, nullptr);
}

void record(benchmark::State& state, const std::function<Figures()>& figures, const char* when = "") {
  if (!figures) return;
  for (const auto& [name, value] : figures()) state.counters[name + when] = value;
}

// One iteration for Google Benchmark, with the median as its time: what a single slow one adds is not ours.
void measure(benchmark::State& state, const Way& way) {
  const Work work = way.prepare();
  record(state, way.also.residency, "_before");
  work();  // pages, caches and threads are as they will be
  const double enough = number_from("NODEWISE_BENCH_SECONDS", 0.05);
  const std::size_t least = enough > 0 ? static_cast<std::size_t>(way.also.least) : 1;
  std::vector<double> times;
  for ([[maybe_unused]] auto _ : state) {
    for (double total = 0; total < enough || times.size() < least;) {
      times.push_back(seconds(work));
      total += times.back();
    }
    state.SetIterationTime(median(times));
  }
  state.counters["repeated"] = static_cast<double>(times.size());
  record(state, way.also.residency);
  record(state, way.also.figures);
}

}  // namespace

void add(const std::string& name, const std::string& way, std::function<Work()> prepare, Also also) {
  auto found = std::find_if(cases().begin(), cases().end(), [&](const Case& c) { return c.name == name; });
  if (found == cases().end()) found = cases().insert(found, Case{name, {}});
  found->ways.push_back({way, std::move(prepare), std::move(also)});
}

int run(int argc, char** argv) {
  std::mt19937 random(static_cast<unsigned>(number_from("NODEWISE_BENCH_SEED", 1)));
  std::shuffle(cases().begin(), cases().end(), random);
  for (Case& one : cases()) {
    std::shuffle(one.ways.begin(), one.ways.end(), random);
    for (const Way& way : one.ways)
      benchmark::RegisterBenchmark((one.name + '/' + way.name).c_str(),
                                   [&way](benchmark::State& state) { measure(state, way); })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kNanosecond);
  }
  const nodewise::BuildInfo build = nodewise::build_info();
  benchmark::AddCustomContext("nodewise", build.version + ' ' + build.compiler + ' ' + build.vector_dispatch);
  benchmark::AddCustomContext("compiler", __VERSION__);
  benchmark::AddCustomContext("flags", NODEWISE_BENCH_FLAGS);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

std::size_t large_mib() {
  return static_cast<std::size_t>(number_from("NODEWISE_BENCH_MIB", 256));
}

}  // namespace bench
