// A program that others write, with OpenMP or without: what it may run on, and the number of threads of its
// own regions, before and after it calls the library. One word a line, "what=value".
#include <sched.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include <nodewise/nodewise.hpp>

namespace {

int cpus() {
  cpu_set_t mask;
  return ::sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : -1;
}

int cpus_of_new_thread() {
  int count = 0;
  std::thread([&] { count = cpus(); }).join();
  return count;
}

int threads_of_region() {
  int threads = 1;
#ifdef _OPENMP
#pragma omp parallel reduction(+ : threads)
  threads += 1;
  --threads;
#endif
  return threads;
}

bool has_runtime() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find("/libgomp") != line.npos || line.find("/libomp") != line.npos) return true;
  return false;
}

void say(const char* what, long value) {
  std::printf("%s=%ld\n", what, value);
}

}  // namespace

int main() {
  say("runtime", has_runtime());
  say("cpus_in_main", cpus());
  const nodewise::ZeroCopyBatchLoader<float> typed(1000, 16, 100);
  const nodewise::BatchLoader& loader = typed.loader();
  say("cpus_after_placing", cpus());
  const auto means = loader.means();
  say("cpus_after_means", cpus());
  say("cpus_of_thread", cpus_of_new_thread());
  std::thread([&] {
    const int before = cpus();
    loader.means();
    say("cpus_taken_from_thread", before - cpus());
  }).join();
  say("batches", static_cast<long>(means.size()));
  say("workers", static_cast<long>(loader.team().workers().size()));
  say("region", threads_of_region());
  say("cpus_after_region", cpus());
}
