#include "buffer/preflight.hpp"

#include <nodewise/allowance.hpp>
#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "buffer/free_memory.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"
#include "pages/huge_pages.hpp"

namespace nodewise {
namespace {

std::string shortage(const Shard& shard, std::uint64_t free, bool of_pool) {
  return base::text("node ", shard.os_index, " is to hold ", base::human_bytes(shard.pages.bytes()), " (",
                    shard.pages.bytes(), " bytes) and has ", base::human_bytes(free), " (", free,
                    of_pool ? " bytes) of huge pages free; enlarge its pool, or ask for transparent pages"
                            : " bytes) free; use more nodes, smaller weights for this one, or another time");
}

// This does not concern pools of huge pages: they were set aside before, and the limits on memory do not
// count them. huge_pages_limited() looks at the limits that do.
void check_allowance(const Plan& plan, const Topology& topology) {
  const auto allowance = allowance_now(topology);
  if (!allowance || allowance->bytes >= plan.mapped_bytes()) return;
  throw PlacementError(base::text("Buffer: the dataset needs ", base::human_bytes(plan.mapped_bytes()), " (",
                                  plan.mapped_bytes(), " bytes), and ", allowance->from, " leaves ",
                                  base::human_bytes(allowance->bytes), " (", allowance->bytes,
                                  " bytes); touching more would end the process"));
}

}  // namespace

std::vector<Degradation> preflight(const Plan& plan, const Topology& topology, PageKind kind) {
  const bool of_pool = kind == PageKind::hugetlb;
  if (!of_pool) check_allowance(plan, topology);
  std::vector<Degradation> found;
  for (const Shard& shard : plan.shards()) {
    const Node& node = topology.node(shard.node);
    const auto free = of_pool ? free_pool_bytes_now(node, plan.page_bytes()) : free_bytes_now(node);
    if (!free || shard.pages.bytes() <= *free) continue;
    const std::string message = shortage(shard, *free, of_pool);
    if (plan.binding() == Binding::required)
      throw PlacementError("Buffer: the binding is required, but " + message);
    found.push_back({of_pool ? DegradationKind::huge_pages_short : DegradationKind::node_full,
                     message + "; what does not fit will lie elsewhere, or on smaller pages", 0});
  }
  return found;
}

std::optional<Degradation> huge_pages_limited(const Plan& plan) {
  const std::string why = huge_pages_limited(plan.mapped_bytes(), plan.page_bytes());
  if (why.empty()) return std::nullopt;
  const std::string message = base::text("the dataset needs ", base::human_bytes(plan.mapped_bytes()), " (",
                                         plan.mapped_bytes(), " bytes) of huge pages, and ", why);
  if (plan.binding() == Binding::required)
    throw PlacementError("Buffer: the binding is required, but " + message);
  return Degradation{DegradationKind::huge_pages_short, message, 0};
}

std::optional<Degradation> overridden_policy(const Plan& plan, PlacingRung rung) {
  const auto asked = os::current().thread_policy();
  const os::ThreadPolicy& policy = asked.value;
  if (!asked.ok() || policy.name.empty()) return std::nullopt;
  IndexSet targets, outside;
  for (const Shard& shard : plan.shards()) {
    if (plan.policy() == Policy::blocked && shard.pages.bytes() == 0) continue;
    targets.insert(shard.os_index);
    if (!policy.nodes.contains(shard.os_index)) outside.insert(shard.os_index);
  }
  const bool deals_out = policy.interleaves && policy.nodes.size() > 1;
  if (outside.empty() && (!deals_out || plan.policy() == Policy::interleaved)) return std::nullopt;
  const std::string both = base::text("the memory policy of this process is ", policy.name, " on node(s) ",
                                      policy.nodes.to_string(), " (numactl, set_mempolicy), and the plan is ",
                                      to_string(plan.policy()), " on node(s) ", targets.to_string());
  const std::string outcome =
      rung == PlacingRung::mbind
          ? "; the plan decides where the dataset lies. To stay on the nodes of the policy, name them "
            "(--nodes)"
          : "; as mbind is refused, the policy decides where the dataset lies. Run without the policy";
  return Degradation{DegradationKind::policy_overridden, both + outcome, 0};
}

std::optional<Degradation> no_local_memory(const Topology& topology) {
  IndexSet readers, holders;
  for (const Node& node : topology.nodes()) {
    const bool reads = !node.allowed_cpus.empty();
    const bool holds = node.allowed && node.has_memory();
    if (reads && holds) return std::nullopt;
    if (reads) readers.insert(node.os_index);
    if (holds) holders.insert(node.os_index);
  }
  return Degradation{DegradationKind::no_local_memory,
                     base::text("this process may use CPUs of node(s) ", readers.to_string(),
                                " and memory of node(s) ", holders.to_string(),
                                " only, so all workers read from other nodes; widen its cpuset (cpuset.cpus, "
                                "cpuset.mems)"),
                     0};
}

std::optional<Degradation> unseen_nodes(const Topology& topology) {
  IndexSet unseen = os::nodes_granted();
  for (const Node& node : topology.nodes()) unseen.erase(node.os_index);
  if (unseen.empty()) return std::nullopt;
  return Degradation{DegradationKind::nodes_unseen,
                     base::text("the kernel grants memory on node(s) ", unseen.to_string(),
                                ", which the topology does not show (is /sys mounted?); nothing is placed "
                                "there, and readers on such a node count as near"),
                     0};
}

}  // namespace nodewise
