#include <nodewise/node_pools.hpp>

#include "os/os.hpp"
#include "placement/json.hpp"
#include "pool/check_node.hpp"
#include "report.hpp"

namespace nodewise {

std::string_view to_string(Spill spill) noexcept {
  switch (spill) {
    case Spill::none:
      return "none";
    case Spill::nearest:
      return "nearest";
  }
  return {};
}
namespace {

bool has_memory(const Node& node) {
  return node.allowed && node.memory_bytes > 0;
}

// `node`, and then all other nodes with memory that the process may use, the nearest one first.
std::vector<unsigned> spill_order(const Topology& topology, unsigned node) {
  std::vector<unsigned> order{node};
  for (const unsigned near : topology.nearest(node))
    if (has_memory(topology.node(near))) order.push_back(near);
  return order;
}

}  // namespace

struct NodePools::State {
  State(const Team& team, const NodePoolsOptions& options) : topology(team.topology()) {
    for (const Node& node : topology.nodes()) {
      nodes.push_back(std::make_unique<NodeResource>(team, node.index, options.pages));
      limits.push_back(std::make_unique<LimitedResource>(nodes.back().get(), options.limit_bytes));
    }
    for (const Node& node : topology.nodes()) {
      const std::vector<unsigned> order = spill_order(topology, node.index);
      nearest_with_memory.push_back(has_memory(node) || order.size() == 1 ? node.index : order[1]);
      spills.push_back(options.spill == Spill::nearest ? spill_resource(order) : nullptr);
      std::pmr::memory_resource* const below =
          spills.back() ? static_cast<std::pmr::memory_resource*>(spills.back().get())
                        : limits[node.index].get();
      pools.push_back(std::make_unique<PoolResource>(below, options.pool));
    }
  }

  std::unique_ptr<SpillResource> spill_resource(const std::vector<unsigned>& order) const {
    std::vector<std::pmr::memory_resource*> resources;
    for (const unsigned node : order) resources.push_back(limits[node].get());
    return std::make_unique<SpillResource>(std::move(resources));
  }

  const Topology topology;
  std::vector<unsigned> nearest_with_memory;  // by node: the node itself if it has memory
  std::vector<std::unique_ptr<NodeResource>> nodes;
  std::vector<std::unique_ptr<LimitedResource>> limits;
  std::vector<std::unique_ptr<SpillResource>> spills;  // null without spilling
  std::vector<std::unique_ptr<PoolResource>> pools;
  std::unique_ptr<report::Watch> watch;  // destroyed first
};

NodePools::NodePools(const Team& team, const NodePoolsOptions& options)
    : state_(std::make_unique<State>(team, options)) {
  state_->watch = std::make_unique<report::Watch>(report::Kind::pools, [this] { return to_json(); });
}

NodePools::~NodePools() {
  state_->watch.reset();  // it reads this state
}

const Topology& NodePools::topology() const noexcept {
  return state_->topology;
}

PoolResource& NodePools::on(unsigned node) const {
  check_node("NodePools", node, state_->topology);
  return *state_->pools[node];
}

unsigned NodePools::nearest_with_memory(unsigned node) const {
  static_cast<void>(on(node));
  return state_->nearest_with_memory[node];
}

unsigned NodePools::local_node() const {
  const auto cpu = os::current().current_cpu();
  const auto node = cpu.ok() ? state_->topology.node_of_cpu(cpu.value) : std::nullopt;
  return state_->nearest_with_memory[node.value_or(0)];
}

PoolResource& NodePools::local() const {
  return *state_->pools[local_node()];
}

std::future<void> NodePools::reserve_async(std::size_t bytes, unsigned node) const {
  return on(node).reserve_async(bytes);
}

std::vector<NodePoolCounts> NodePools::counts() const {
  std::vector<NodePoolCounts> all;
  for (unsigned node = 0; node < state_->pools.size(); ++node) {
    NodePoolCounts counts;
    counts.node = node;
    counts.pool = state_->pools[node]->counts();
    counts.mapped_bytes = state_->nodes[node]->mapped_bytes();
    counts.placement = state_->nodes[node]->placement();
    if (const SpillResource* const spill = state_->spills[node].get()) {
      const auto live = spill->live_bytes();
      for (std::size_t i = 1; i < live.size(); ++i) counts.live_spilled_bytes += live[i];
      counts.spilled_bytes = spill->spilled_bytes();
    }
    all.push_back(counts);
  }
  return all;
}

std::vector<Degradation> NodePools::degradations(unsigned node) const {
  static_cast<void>(on(node));
  return state_->nodes[node]->degradations();
}

std::string NodePools::to_json() const {
  const std::string host = os::current().host_name().value;
  base::JsonWriter json(3);
  json.begin_object();
  json.member("schema", "nodewise.pools/1");
  json.key("nodes");
  json.begin_array();
  for (const NodePoolCounts& of_node : counts()) {
    json.begin_object();
    json.member("host", host);
    json.member("rank", 0);
    json.member("node", of_node.node);
    json.member("os_index", state_->topology.node(of_node.node).os_index);
    json.member("chunk_bytes", of_node.pool.chunk_bytes);
    json.member("live_blocks", of_node.pool.live_blocks);
    json.member("live_bytes", of_node.pool.live_bytes);
    json.member("allocations", of_node.pool.allocations);
    json.member("upstream_allocations", of_node.pool.upstream_allocations);
    json.member("spilled_bytes", of_node.spilled_bytes);
    json.member("live_spilled_bytes", of_node.live_spilled_bytes);
    json.member("mapped_bytes", of_node.mapped_bytes);
    write_bytes(json, of_node.placement);
    write_degradations(json, degradations(of_node.node));
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.take();
}

}  // namespace nodewise
