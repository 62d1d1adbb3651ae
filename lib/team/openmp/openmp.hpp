// What the library asks of OpenMP, as a table of functions, which regions.cpp defines. The static library
// contains that file (linked.cpp). The shared library opens it as a module at its first use (opened.cpp),
// because libgomp binds the initial thread as soon as it is loaded: a shared library that needed libgomp
// would narrow its host's mask before main.
#pragma once

#include <type_traits>

#include <nodewise/index_set.hpp>

#include "team/openmp/room.hpp"

namespace nodewise {

struct OpenMp {
  int specification;          ///< `_OPENMP` of the compiler that compiled the regions.
  const void* some_function;  ///< Of the runtime. The file that holds it names the runtime.

  /// Forms a region, and calls `work(context, thread, threads)` on each of its threads. `work` throws
  /// nothing.
  void (*run)(unsigned threads, void (*work)(void*, unsigned, unsigned), void* context);
  void (*barrier)();  ///< For `work`: waits for all threads of the region.
  int (*most_threads)();
  /// The number of threads that a region which asks for `wanted` may have at most, where it is formed now.
  unsigned (*threads_of)(unsigned wanted);
  bool (*binds)();  ///< Whether the runtime binds its threads to places.
  int (*places)();
  int (*cpus_of_place)(int place);
  void (*list_cpus)(int place, int* cpus);  ///< Writes as many numbers as cpus_of_place says.
};

/// The runtime. The first call loads it, and leaves the calling thread's mask as it was. Where a runtime of
/// the host has been loaded by then, for all libraries to see, and can serve the regions, it serves them.
/// Throws SystemError where it cannot be loaded. Thread class: any thread.
const OpenMp& openmp();

/// The CPUs of one of the runtime's places.
IndexSet cpus_of_place(int place);

/// Forms a region, and calls `fn(thread, threads)` on each of its threads. `fn` throws nothing. Throws
/// ThreadError if the threads cannot be started.
template <class Fn>
void form_region(unsigned threads, Fn&& fn) {
  const auto call = [](void* context, unsigned thread, unsigned all) {
    (*static_cast<std::remove_reference_t<Fn>*>(context))(thread, all);
  };
  check_room_for_threads(threads);
  openmp().run(threads, call, &fn);
}

/// The table, by way of the module in the shared library. Throws SystemError.
const OpenMp& find_openmp();

}  // namespace nodewise

/// The table itself: in the static library, or in the module.
extern "C" const nodewise::OpenMp nodewise_openmp;
