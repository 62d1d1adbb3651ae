#include <fmt/core.h>
#include <numaif.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include <nodewise/sizes.hpp>
#include <nodewise/team.hpp>

#include "doctor/doctor.hpp"
#include "parts/describe.hpp"
#include "parts/system.hpp"

namespace nodewise::tools {
namespace {

// What a call answered when it was tried in a way that changes nothing, and what its refusal costs.
struct Probe {
  const char* call;
  int error;
  Level level;
  const char* consequence;
};

int error_of(long outcome) {
  return outcome == 0 ? 0 : errno;
}

// Of more nodes than any kernel knows.
struct NodeMask {
  static constexpr unsigned long bits = 8192;
  static constexpr unsigned long word_bits = 8 * sizeof(unsigned long);
  unsigned long words[bits / word_bits] = {};
};

int try_mbind(const Topology& topology) {
  const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* page = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno;
  unsigned node = 0;
  for (const Node& candidate : topology.nodes())
    if (candidate.allowed && candidate.memory_bytes > 0) node = candidate.os_index;
  NodeMask mask;
  mask.words[node / mask.word_bits] |= 1UL << node % mask.word_bits;
  const int error = error_of(::mbind(page, bytes, MPOL_PREFERRED, mask.words, mask.bits, 0));
  ::munmap(page, bytes);
  return error;
}

// Sets what is set already: what get_mempolicy says, or where that is refused the default.
int try_set_mempolicy() {
  NodeMask mask;
  int mode = MPOL_DEFAULT;
  if (::get_mempolicy(&mode, mask.words, mask.bits, nullptr, 0) != 0) mode = MPOL_DEFAULT;
  const bool by_node = mode != MPOL_DEFAULT;
  return error_of(::set_mempolicy(mode, by_node ? mask.words : nullptr, by_node ? mask.bits : 0));
}

// Those that name nodes, as numactl sets them; by number, because older numaif.h lack the later ones.
std::string policy_name(int mode) {
  constexpr int without_flags = (1 << 13) - 1;
  constexpr const char* names[] = {"default",        "preferred",          "bind", "interleave", "local",
                                   "preferred-many", "weighted-interleave"};
  const auto number = static_cast<std::size_t>(mode & without_flags);
  return number < std::size(names) ? names[number] : fmt::format("number {}", number);
}

Finding memory_policy() {
  Finding finding{"memory-policy", Level::ok, "none: memory comes from the node of the CPU", {}};
  NodeMask mask;
  int mode = MPOL_DEFAULT;
  if (::get_mempolicy(&mode, mask.words, mask.bits, nullptr, 0) != 0) {
    finding.evidence = fmt::format("cannot be read: {}", errno_text(errno));
    return finding;
  }
  IndexSet nodes;
  for (unsigned node = 0; node < mask.bits; ++node)
    if ((mask.words[node / mask.word_bits] >> node % mask.word_bits & 1) != 0) nodes.insert(node);
  if (nodes.empty()) return finding;  // local
  finding.level = Level::note;
  finding.evidence =
      fmt::format("{} on node(s) {} (numactl, set_mempolicy)", policy_name(mode), nodes.to_string());
  finding.evidence += "; nodewise binds a dataset by its plan, which overrides this policy";
  finding.remedy = fmt::format("to stay on these nodes, nodewise run --nodes {}", nodes.to_string());
  return finding;
}

int try_get_mempolicy() {
  NodeMask mask;
  return error_of(::get_mempolicy(nullptr, mask.words, mask.bits, nullptr, MPOL_F_MEMS_ALLOWED));
}

int try_move_pages() {
  const int here = 0;
  void* page = const_cast<int*>(&here);
  int status = 0;
  return error_of(::move_pages(0, 1, &page, nullptr, &status, 0));
}

int try_set_affinity() {
  constexpr std::size_t bytes = 8192;  // of 65536 CPUs: a mask that is too short for the kernel is refused
  std::vector<unsigned char> mask(bytes);
  const long got = ::syscall(SYS_sched_getaffinity, 0, bytes, mask.data());
  return got < 0 ? errno : error_of(::syscall(SYS_sched_setaffinity, 0, got, mask.data()));
}

std::vector<Probe> probes(const Topology& topology) {
  return {
      {"mbind", try_mbind(topology), Level::warning,
       "pages are placed by first touch from workers on their nodes, and nothing keeps them there"},
      {"set_mempolicy", try_set_mempolicy(), Level::note, "numactl does not work; nodewise does not need it"},
      {"get_mempolicy", try_get_mempolicy(), Level::note,
       "numactl --show does not work; nodewise does not need it"},
      {"move_pages", try_move_pages(), Level::warning,
       "placement is verified by whole shards in /proc/self/numa_maps, not page by page"},
      {"sched_setaffinity", try_set_affinity(), Level::problem,
       "workers cannot be pinned, so nothing can be placed by first touch"},
  };
}

Finding finding_of(const Probe& probe) {
  const std::string name = fmt::format("call-{}", probe.call);
  if (probe.error == 0) return {name, Level::ok, "allowed", {}};
  const bool filtered = probe.error == EPERM || probe.error == ENOSYS;  // by seccomp, in a container
  const char* remedy = std::string_view(probe.call) == "move_pages"
                           ? "a seccomp profile that allows move_pages"
                           : "docker --cap-add SYS_NICE";
  return {name, probe.level, fmt::format("refused: {}; {}", errno_text(probe.error), probe.consequence),
          filtered ? fmt::format("{}; see docs/howto/docker.md", remedy)
                   : "see the call's manual page for this error"};
}

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

unsigned allowed_cores(const Topology& topology) {
  unsigned cores = 0;
  for (const Node& node : topology.nodes())
    for (const IndexSet& core : node.cores)
      if (!(core & node.allowed_cpus).empty()) ++cores;
  return cores;
}

// The number that a variable sets. Adds the variable to `ignored` if OpenMP ignores its value.
std::optional<std::uint64_t> setting(const char* name, std::string& ignored) {
  const auto text = variable(name);
  if (!text) return std::nullopt;
  if (const auto number = omp_num_threads(*text)) return *number;
  ignored += fmt::format("{}{} = {}", ignored.empty() ? "" : ", ", name, *text);
  return std::nullopt;
}

Finding omp_threads(const Topology& topology) {
  std::string ignored;
  const auto set = setting("OMP_NUM_THREADS", ignored);
  const auto limit = setting("OMP_THREAD_LIMIT", ignored);
  const unsigned cores = allowed_cores(topology);
  if (!ignored.empty())
    return {"omp-threads", Level::warning,
            fmt::format("{}: OpenMP ignores that, so there is one worker for each allowed core", ignored),
            "a number above 0; OMP_NUM_THREADS may list several, separated by commas"};
  Finding finding{
      "omp-threads", Level::ok, "OMP_NUM_THREADS is not set: one worker for each allowed core", {}};
  if (set) finding.evidence = fmt::format("OMP_NUM_THREADS = {}, {} cores are allowed", *set, cores);
  if (limit) finding.evidence += fmt::format(", OMP_THREAD_LIMIT = {}", *limit);
  const auto fewest = std::min(set.value_or(cores), limit.value_or(cores));
  if (fewest >= cores) return finding;
  // A launcher that sets one thread per process is common, and leaves nodes without a reader.
  finding.level = fewest < topology.default_targets().size() ? Level::warning : Level::note;
  if (finding.level == Level::warning)
    finding.evidence += "; fewer workers than nodes, so some read from afar";
  finding.remedy = "nodewise run --workers N, NODEWISE_WORKERS, or another OMP_NUM_THREADS";
  return finding;
}

// Starts the workers of a default team. The error of the library names the limits, and says what to do.
Finding workers(const Topology& topology) {
  if (!topology.is_this_machine())
    return {"workers", Level::note, "not tried: the topology is that of another machine", {}};
  try {
    const Team team(topology);
    team.for_each_worker([](const Worker&) {});
    const auto count = team.workers().size();
    return {"workers", Level::ok, fmt::format("a team of {} could start its threads", count), {}};
  } catch (const std::exception& error) {
    return {"workers", Level::problem, without_call(error.what()), "change what the evidence names"};
  }
}

Finding omp_binding() {
  std::string set;
  for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY"})
    if (const auto value = variable(name))
      set += fmt::format("{}{} = {}", set.empty() ? "" : ", ", name, *value);
  if (set.empty()) return {"omp-binding", Level::ok, "no variable binds OpenMP threads", {}};
  return {"omp-binding", Level::note,
          set +
              "; nodewise pins its own workers within these places and then restores the masks. A program "
              "that links libgomp itself, as with nodewise's static library, starts bound to one place",
          "link the shared library; see docs/howto/hybrid-openmp.md"};
}

// Threads that spin while they wait take the CPUs of those that they wait for, where there are too few.
Finding omp_waiting(const Topology& topology) {
  const auto policy = variable("OMP_WAIT_POLICY");
  if (!policy) return {"omp-waiting", Level::ok, "OMP_WAIT_POLICY is not set", {}};
  const unsigned cores = allowed_cores(topology);
  std::string ignored;
  const auto threads = setting("OMP_NUM_THREADS", ignored).value_or(cores);
  const bool spins = *policy == "active" || *policy == "ACTIVE";
  std::string evidence = fmt::format("OMP_WAIT_POLICY = {}, {} threads on {} cores", *policy, threads, cores);
  if (!spins || threads <= cores) return {"omp-waiting", Level::ok, std::move(evidence), {}};
  return {"omp-waiting", Level::warning, evidence + ": waiting threads take the CPUs of working ones",
          "OMP_WAIT_POLICY=passive, or no more threads than cores"};
}

Finding openmp_runtimes() {
  const auto maps = read_text("/proc/self/maps");
  std::string found;
  unsigned count = 0;
  for (const char* runtime : {"/libgomp", "/libomp", "/libiomp5"}) {
    if (maps.value.find(runtime) == std::string::npos) continue;
    found += fmt::format("{}{}", found.empty() ? "" : " and ", runtime + 1);
    ++count;
  }
  if (count < 2)
    return {"openmp-runtimes", Level::ok, count == 1 ? "only " + found : "none is loaded as a library", {}};
  return {"openmp-runtimes", Level::note,
          found + " are both in this process, by LD_PRELOAD; each keeps threads of its own",
          "OMP_WAIT_POLICY=passive, so that idle threads of one do not slow down the other; see "
          "docs/howto/hybrid-openmp.md"};
}

Finding memlock() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return {"memlock", Level::note, "cannot be read", {}};
  if (limit.rlim_cur == RLIM_INFINITY) return {"memlock", Level::ok, "unlimited", {}};
  return {"memlock",
          Level::ok,
          fmt::format("{} may be locked; nodewise locks nothing", human_bytes(limit.rlim_cur)),
          {}};
}

}  // namespace

std::vector<Finding> examine_process(const Topology& topology) {
  std::vector<Finding> findings;
  for (const Probe& probe : probes(topology)) findings.push_back(finding_of(probe));
  findings.push_back(memory_policy());
  findings.push_back(omp_threads(topology));
  findings.push_back(workers(topology));
  findings.push_back(omp_binding());
  findings.push_back(omp_waiting(topology));
  findings.push_back(openmp_runtimes());
  findings.push_back(memlock());
  return findings;
}

}  // namespace nodewise::tools
