// How benchmark programs are put together. A *case* is one piece of work, such as
// "means/dtype:f32/mib:1024/threads:2"; *ways* are those who do it: nodewise, a bound, a peer. One run of a
// program is one round: every way of every case once, the cases in random order, and the ways of a case, one
// after the other, in random order too. So what is compared was measured within moments, and compare.py
// pairs what one round gave.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace bench {

/// Does the work once; what is timed.
using Work = std::function<void()>;

/// Figures to record beside a time: {"local": 1}.
using Figures = std::map<std::string, double>;

/// What else is known of a way.
struct Also {
  int least = 3;                            ///< How often the work is repeated, at least.
  std::function<Figures()> residency = {};  ///< Asked before ("local_before") and after ("local") the work.
  std::function<Figures()> figures = {};    ///< Asked after the work.
};

/// Adds `way` to a case. `prepare` is called just before it is timed and returns the work; it may keep what
/// is expensive for the next way of the same case. The work is repeated for NODEWISE_BENCH_SECONDS, by
/// default 0.05, and `least` times at least, for 0 once; the median time counts.
void add(const std::string& name, const std::string& way, std::function<Work()> prepare, Also also = {});

/// What main() does: registers in the order that NODEWISE_BENCH_SEED gives, and runs.
int run(int argc, char** argv);

/// NODEWISE_BENCH_MIB, by default 256: the size of what is large.
std::size_t large_mib();

}  // namespace bench

#define NODEWISE_BENCH_MAIN(add_cases) \
  int main(int argc, char** argv) {    \
    add_cases();                       \
    return bench::run(argc, argv);     \
  }
