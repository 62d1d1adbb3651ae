// What a placement lost on its way: each kind of loss has a name that programs can rely on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// What was promised at its best and given at less. Numbers and names are stable: none is given another
/// meaning, new ones are added at the end. docs/json.md lists the names.
enum class DegradationKind : std::uint8_t {
  adopted = 1,         ///< The memory existed already, and lies where it lay.
  nodes_unseen,        ///< The kernel grants memory on nodes that the topology does not show.
  node_full,           ///< A node has less free memory than its part of the plan.
  huge_pages_short,    ///< The pools of huge pages hold fewer than were asked for.
  huge_pages_off,      ///< Transparent huge pages were asked for, and the system gives none.
  mbind_refused,       ///< No policy could be set: pages are placed by first touch.
  pinning_refused,     ///< Workers could not be pinned: they touch pages wherever the kernel runs them.
  node_out_of_reach,   ///< No worker may run on a node, so that first touch cannot place pages there.
  forked_child,        ///< In a forked child one thread does the parts of all workers.
  shards_not_apart,    ///< The mappings of several shards may count as one where pages cannot be asked about.
  move_pages_refused,  ///< The kernel may not be asked about single pages.
  numa_maps_unreadable,  ///< Nor about whole mappings, so that nothing can be verified.
  pages_unknown,         ///< The kernel does not say on which nodes some of the pages are.
};
/// The name in JSON and text: "mbind-refused", "huge-pages-short", ...
NODEWISE_PUBLIC std::string_view to_string(DegradationKind kind) noexcept;

/// One loss. Thread class: value.
struct Degradation {
  DegradationKind kind = {};
  std::string message;  ///< For people: what happened, the numbers, the remedy.
  int error = 0;        ///< The errno behind it, or 0.
};

}  // namespace nodewise
