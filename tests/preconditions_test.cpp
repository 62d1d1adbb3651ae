// Goal: where assertions are on, a violated precondition ends the process and says which one it was; what is
// just within it does not. Method: a table of calls, each made in a forked child whose end and standard error
// are looked at. Release builds have no assertions, and skip this.
#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <nodewise/layout.hpp>
#include <nodewise/shared_objects.hpp>
#include <nodewise/view.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.hpp"
#include "base/utf8.hpp"
#include "kernels/dispatch.hpp"
#include "means/exact_sum.hpp"
#include "means/float_sum.hpp"
#include "means/integer_sum.hpp"
#include "means/short_batches.hpp"
#include "placement/batch_runs.hpp"
#include "source/npy_header.hpp"
#include "support/errors.hpp"
#include "support/skip.hpp"

using namespace nodewise;

namespace {

struct Outcome {
  bool aborted = false;
  std::string said;  // on standard error
};

Outcome in_child(const std::function<void()>& call) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // not the test framework's
    ::dup2(ends[1], STDERR_FILENO);
    call();
    ::_exit(0);
  }
  ::close(ends[1]);
  Outcome outcome;
  std::array<char, 512> piece{};
  for (ssize_t got = 0; (got = ::read(ends[0], piece.data(), piece.size())) > 0;)
    outcome.said.append(piece.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  outcome.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  return outcome;
}

std::array<float, 24> numbers{};
volatile std::size_t reached = 0;  // so that no call is left out

struct Case {
  const char* name;
  std::function<void(std::size_t)> call;  // within its precondition with 0, outside with 1
  const char* condition;
};

BatchView<float> view() {
  return {numbers.data(), 4, 5, 6};
}

template <Layout L>
LayoutView<float, L> laid_out() {
  return {numbers.data(), 4, 6};
}

const KernelSet& kernels() {
  return best_kernels();
}

template <class T>
void use(const T& value) {
  reached = reached + sizeof value;
}

const Case views[] = {
    {"a row of a view", [](std::size_t n) { use(view().row(3 + n)); }, "row < rows_"},
    {"an element's row", [](std::size_t n) { use(view()(3 + n, 0)); }, "row < rows_"},
    {"an element's column", [](std::size_t n) { use(view()(0, 4 + n)); }, "col < cols_"},
    {"a view's stride", [](std::size_t n) { use(BatchView<float>(numbers.data(), 4, 5, 5 - n)); },
     "row_stride >= cols"},
    {"a view of nothing", [](std::size_t n) { use(BatchView<float>(nullptr, 4, n, 5)); }, "data != nullptr"},
    {"a row in columns", [](std::size_t n) { use(laid_out<Layout::columns>().row(3 + n)); }, "row < rows_"},
    {"a column of rows", [](std::size_t n) { use(laid_out<Layout::rows>().column(5 + n)); }, "col < cols_"},
    {"an element in tiles", [](std::size_t n) { use(laid_out<Layout::tiles>()(3 + n, 0)); }, "row < rows_"},
    {"a tile", [](std::size_t n) { use(laid_out<Layout::tiles>().tile(n)); }, "tile < tiles()"},
    {"within a line", [](std::size_t n) { use(laid_out<Layout::columns>().row(0)[5 + n]); }, "i < size()"},
    {"a layout of nothing", [](std::size_t n) { use(LayoutView<float, Layout::tiles>(nullptr, n, 6)); },
     "data != nullptr"},
    {"a batch off its alignment",
     [](std::size_t n) {
       std::array<float, 24> to{};
       convert_batch(reinterpret_cast<const char*>(numbers.data()) + n, Layout::rows, to.data(),
                     Layout::columns, DType::f32, 2, 5);
     },
     "is_aligned(from, width)"},
};

const Case inside[] = {
    {"a unit that is no power of two", [](std::size_t n) { use(base::round_down(100, 64 - n)); },
     "has_single_bit(unit)"},
    {"rounded up beyond 64 bits", [](std::size_t n) { use(base::round_up(~std::uint64_t{63} + n, 64)); },
     "value + (unit - 1) >= value"},
    {"a product beyond 64 bits", [](std::size_t n) { use(base::mul_div(~std::uint64_t{0}, 1 + n, 1)); },
     "c > 0"},
    {"a surrogate",
     [](std::size_t n) {
       std::string text;
       base::append_utf8(text, static_cast<char32_t>(0xD7FF + n));
     },
     "code_point"},
    {"the mean of no element of a sum", [](std::size_t n) { use(ExactSum().mean(1 - n)); }, "count > 0"},
    {"divided by 0", [](std::size_t n) { use(quotient(false, 1, false, 0, 1 - n)); }, "divisor > 0"},
    {"a pair divided by 0", [](std::size_t n) { use(divide(1, 0, 1 - n)); }, "divisor > 0"},
    {"the mean of no float", [](std::size_t n) { use(FloatSum(DType::f32, kernels()).take_mean(1 - n)); },
     "count > 0"},
    {"the mean of no integer", [](std::size_t n) { use(IntegerSum(DType::i8, kernels()).take_mean(1 - n)); },
     "count > 0"},
    {"batches without elements",
     [](std::size_t n) { use(ShortBatches(DType::f32, 1 - n, kernels()).group()); }, "batch_elements > 0"},
    {"batches too long", [](std::size_t n) { use(ShortBatches(DType::f32, 65536 + n, kernels()).group()); },
     "batch_elements <= group_bytes"},
    {"more than the file has",
     [](std::size_t n) {
       const std::string start(64, ' ');
       try {
         source::parse_npy_header(start, start.size() - n, {}, "x.npy");
       } catch (const FormatError&) {  // as it is no header
       }
     },
     "start.size() <= file_bytes"},
};

void check(const Case& one) {
  CAPTURE(one.name);
  const Outcome within = in_child([&] { one.call(0); });
  CHECK_FALSE(within.aborted);
  CHECK(within.said == "");
  const Outcome outside = in_child([&] { one.call(1); });
  CHECK(outside.aborted);
  CHECK(test::contains(outside.said, one.condition));
  CHECK(test::contains(outside.said, "\"precondition\""));
}

#ifdef NDEBUG
constexpr bool has_assertions = false;
#else
constexpr bool has_assertions = true;
#endif

}  // namespace

TEST_CASE("a violated precondition ends the process, and says which one it was") {
  if (!has_assertions) NODEWISE_SKIP("this build has no assertions; those of g++ and of the sanitizers do");
  for (const Case& one : views) check(one);
  for (const Case& one : inside) check(one);
}
