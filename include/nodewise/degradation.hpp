// A degradation records something that the library asked for and the system did not give, while memory was
// placed or checked. Each kind has a name that programs can rely on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// The kinds of degradations. Numbers and names never get another meaning; new ones are added at the end.
/// docs/json.md lists the names.
enum class DegradationKind : std::uint8_t {
  adopted = 1,           ///< The memory existed already, and stays where it is.
  nodes_unseen,          ///< The kernel grants memory on nodes that the topology does not show.
  node_full,             ///< A node has less free memory than the plan needs there.
  huge_pages_short,      ///< The pools of huge pages have too few free pages.
  huge_pages_off,        ///< Transparent huge pages were asked for, but are turned off.
  mbind_refused,         ///< The kernel refused a memory policy: pages are placed by first touch.
  pinning_refused,       ///< Workers could not be pinned: they touch pages wherever the kernel runs them.
  node_out_of_reach,     ///< No worker may run on a node: first touch cannot place pages there.
  forked_child,          ///< In a forked child, one thread does the work of all workers.
  shards_not_apart,      ///< Shards that are counted as whole mappings may be one mapping.
  move_pages_refused,    ///< The kernel does not say where single pages are.
  numa_maps_unreadable,  ///< The kernel does not say where whole mappings are: nothing can be verified.
  pages_unknown,         ///< The kernel names no node for some of the pages.
  no_local_memory,       ///< No node has both CPUs and memory that this process may use.
  policy_overridden,     ///< The plan and the memory policy of the process (numactl) name different nodes.
};
/// The name in JSON and text: "mbind-refused", "huge-pages-short", ...
NODEWISE_PUBLIC std::string_view to_string(DegradationKind kind) noexcept;

/// One degradation. Thread class: value.
struct Degradation {
  DegradationKind kind = {};
  std::string message;  ///< For people: what happened, the numbers, the remedy.
  int error = 0;        ///< The errno of the call that was refused, or 0.
};

}  // namespace nodewise
