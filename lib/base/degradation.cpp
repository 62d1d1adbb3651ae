#include <nodewise/degradation.hpp>

namespace nodewise {

std::string_view to_string(DegradationKind kind) noexcept {
  switch (kind) {
    case DegradationKind::adopted:
      return "adopted";
    case DegradationKind::nodes_unseen:
      return "nodes-unseen";
    case DegradationKind::node_full:
      return "node-full";
    case DegradationKind::huge_pages_short:
      return "huge-pages-short";
    case DegradationKind::huge_pages_off:
      return "huge-pages-off";
    case DegradationKind::mbind_refused:
      return "mbind-refused";
    case DegradationKind::pinning_refused:
      return "pinning-refused";
    case DegradationKind::node_out_of_reach:
      return "node-out-of-reach";
    case DegradationKind::forked_child:
      return "forked-child";
    case DegradationKind::shards_not_apart:
      return "shards-not-apart";
    case DegradationKind::move_pages_refused:
      return "move_pages-refused";
    case DegradationKind::numa_maps_unreadable:
      return "numa_maps-unreadable";
    case DegradationKind::pages_unknown:
      return "pages-unknown";
    case DegradationKind::no_local_memory:
      return "no-local-memory";
    case DegradationKind::policy_overridden:
      return "policy-overridden";
  }
  return {};
}

}  // namespace nodewise
