#include "support/data.hpp"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <type_traits>
#include <utility>

#include <nodewise/placement.hpp>

namespace bench {
namespace {

using nodewise::DType;

template <class T>
T draw(std::mt19937_64& random) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(random());
  } else {
    static std::normal_distribution<double> normal;
    using Narrow = std::conditional_t<std::is_same_v<T, double>, double, float>;
    return static_cast<T>(static_cast<Narrow>(normal(random)));
  }
}

// A prime number of elements, repeated, so that no two pages are the same.
template <class T>
void fill(T* elements, std::uint64_t count) {
  std::mt19937_64 random(7);
  const std::uint64_t period = std::min<std::uint64_t>(count, 1000003);
  std::generate_n(elements, period, [&] { return draw<T>(random); });
  for (std::uint64_t i = period; i < count; i += period)
    std::copy_n(elements, std::min(period, count - i), elements + i);
}

unsigned cpus() {
  return static_cast<unsigned>(nodewise::Team(machine()).usable_cpus().size());
}

}  // namespace

const nodewise::Topology& machine() {
  static const auto topology = nodewise::Topology::this_machine();
  return topology;
}

unsigned cores() {
  return static_cast<unsigned>(team(0).workers().size());
}

const nodewise::Team& team(unsigned threads, bool displaced) {
  static std::map<std::pair<unsigned, bool>, nodewise::Team> teams;
  const std::pair wanted{threads, displaced};
  const auto found = teams.find(wanted);
  if (found != teams.end()) return found->second;
  nodewise::TeamOptions options;
  options.workers = threads;
  options.displaced = displaced;
  return teams.emplace(wanted, nodewise::Team(machine(), options)).first->second;
}

const Dataset& dataset(DType dtype, std::uint64_t samples, std::uint64_t features, std::uint64_t batch_size,
                       const nodewise::PlanOptions& options) {
  static std::optional<Dataset> kept;
  const nodewise::Plan plan(machine(), {{samples, features}, dtype, batch_size}, options);
  if (kept && kept->plan == plan) return *kept;
  kept.reset();
  kept.emplace(Dataset{plan, nodewise::Buffer::allocate(plan, team(cpus()))});
  with_type(dtype, [&](auto type) {
    fill(reinterpret_cast<decltype(type)*>(kept->buffer.data()), samples * features);
  });
  return *kept;
}

Figures residency(const nodewise::Buffer& buffer, const nodewise::Team& readers) {
  std::uint64_t local_bytes = 0;
  for (const auto& reads : nodewise::worker_reads(buffer, nodewise::batch_means(buffer, readers)))
    local_bytes += reads.local_bytes;
  const auto all_bytes = static_cast<double>(buffer.plan().dataset().total_bytes());
  return {{"local", static_cast<double>(local_bytes) / all_bytes},
          {"huge_pages", buffer.pages().kind() == nodewise::PageKind::base ? 0.0 : 1.0}};
}

void pinned(unsigned threads, const std::function<void(unsigned thread)>& fn) {
  const nodewise::Team& where = team(threads);
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const auto thread = static_cast<unsigned>(omp_get_thread_num());
    cpu_set_t before, here;
    sched_getaffinity(0, sizeof before, &before);
    CPU_ZERO(&here);
    CPU_SET(where.workers()[thread].cpu, &here);
    sched_setaffinity(0, sizeof here, &here);
#pragma omp barrier
    fn(thread);
    sched_setaffinity(0, sizeof before, &before);
  }
}

}  // namespace bench
