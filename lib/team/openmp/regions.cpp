// All OpenMP of the library. This file calls nothing of the library, since it stands alone in the module.
#include <omp.h>

#include "team/openmp/openmp.hpp"

namespace {

void run(unsigned threads, void (*work)(void*, unsigned, unsigned), void* context) {
#pragma omp parallel num_threads(static_cast <int>(threads))
  work(context, static_cast<unsigned>(omp_get_thread_num()), static_cast<unsigned>(omp_get_num_threads()));
}

void barrier() {
#pragma omp barrier
}

unsigned threads_of(unsigned wanted) {
  if (omp_get_active_level() >= omp_get_max_active_levels()) return 1;
  const auto most = static_cast<unsigned>(omp_get_thread_limit());
  return wanted < most ? wanted : most;
}

bool binds() {
  return omp_get_proc_bind() != omp_proc_bind_false;
}

}  // namespace

const nodewise::OpenMp nodewise_openmp = {
    .specification = _OPENMP,
    .some_function = reinterpret_cast<const void*>(&omp_get_max_threads),
    .run = run,
    .barrier = barrier,
    .most_threads = omp_get_max_threads,
    .threads_of = threads_of,
    .binds = binds,
    .places = omp_get_num_places,
    .cpus_of_place = omp_get_place_num_procs,
    .list_cpus = omp_get_place_proc_ids,
};
