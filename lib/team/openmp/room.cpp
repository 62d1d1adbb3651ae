#include "team/openmp/room.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/limits.hpp"
#include "os/os.hpp"
#include "team/openmp/openmp.hpp"
#include "team/openmp/variables.hpp"
#include "team/pinning.hpp"

namespace nodewise {
namespace {

// Four times what workers need: without optimisation, 32 KiB were enough and 24 KiB were not. A function that
// the caller gives to the workers may need more.
constexpr std::size_t least_stack_bytes = std::size_t{128} << 10;

// The threads of the calling thread's last region; the runtime keeps them for its next one.
thread_local unsigned threads_kept = 1;

[[noreturn]] void throw_no_room(unsigned threads, unsigned missing, const os::Result<unsigned>& started,
                                std::size_t stack_bytes) {
  const std::string limits = os::thread_limits();
  throw ThreadError(
      base::text(
          "Team: a region of ", threads, " threads needs ", missing, " more threads with stacks of ",
          base::human_bytes(stack_bytes), ", but only ", started.value,
          " could be started; limits here: ", limits.empty() ? "none that can be read" : limits,
          "; raise the limit, lower OMP_STACKSIZE, or use fewer workers (NODEWISE_WORKERS, --workers)"),
      started.error);
}

void check_stack(std::size_t stack_bytes, const std::optional<StackSetting>& setting) {
  if (stack_bytes >= least_stack_bytes) return;
  throw ThreadError(
      base::text("Team: OpenMP's threads would have stacks of ", base::human_bytes(stack_bytes), " (",
                 setting ? setting->text : "RLIMIT_STACK, ulimit -s", "); workers need at least ",
                 base::human_bytes(least_stack_bytes), "; set OMP_STACKSIZE to that, or more"),
      EINVAL);
}

// A runtime that binds threads starts each on a place. Places that GOMP_CPU_AFFINITY lists may have no CPU
// that the process may use.
void check_places(unsigned threads) {
  const OpenMp& runtime = openmp();
  if (!runtime.binds()) return;
  const KeptMask kept;
  if (kept.error() != 0) return;
  const int used = std::min(static_cast<int>(threads), runtime.places());
  for (int place = 0; place < used; ++place) {
    const IndexSet cpus = cpus_of_place(place);
    if (os::current().set_affinity(cpus) != EINVAL) continue;
    throw ThreadError(
        base::text("Team: OpenMP would start a thread on CPUs ", cpus.to_string(),
                   ", of which this process may use none; change GOMP_CPU_AFFINITY or OMP_PLACES"),
        EINVAL);
  }
}

}  // namespace

void check_room_for_threads(unsigned threads) {
  if (threads <= 1 || threads == threads_kept) return;
  const unsigned formed = openmp().threads_of(threads);
  if (formed > threads_kept) {
    const auto setting = stack_setting();
    const std::size_t stack_bytes = setting ? setting->bytes : os::current().default_stack_bytes();
    if (stack_bytes != 0) check_stack(stack_bytes, setting);
    check_places(formed);
    const unsigned missing = formed - threads_kept;
    const auto started = os::current().try_threads(missing, stack_bytes);
    if (!started.ok()) throw_no_room(formed, missing, started, stack_bytes);
  }
  if (formed > 1) threads_kept = formed;
}

}  // namespace nodewise
