#include "team/openmp/openmp.hpp"

#include <vector>

#include "os/os.hpp"
#include "team/pinning.hpp"

namespace nodewise {
namespace {

// A runtime takes the mask of the thread that loads it for that of the process, and later divides it into
// places. The initial thread's mask is the better one: the calling thread may be pinned to one CPU.
const OpenMp& load() {
  os::Os& os = os::current();
  const auto whole = os.affinity_of_process();
  const KeptMask kept;
  const auto widen = [&] {
    if (kept.error() == 0 && whole.ok()) os.set_affinity(whole.value);
  };
  widen();
  const OpenMp& found = find_openmp();
  // Loading libgomp has bound this thread, even where the host's libomp serves, which begins only now.
  widen();
  found.most_threads();
  return found;
}

}  // namespace

IndexSet cpus_of_place(int place) {
  const OpenMp& runtime = openmp();
  std::vector<int> members(static_cast<std::size_t>(runtime.cpus_of_place(place)));
  runtime.list_cpus(place, members.data());
  IndexSet cpus;
  for (const int cpu : members) cpus.insert(static_cast<unsigned>(cpu));
  return cpus;
}

const OpenMp& openmp() {
  static const OpenMp& loaded = load();
  return loaded;
}

}  // namespace nodewise
