#include <nodewise/replicated.hpp>

#include <algorithm>
#include <limits>

#include <nodewise/resources.hpp>

#include "base/json_writer.hpp"
#include "os/os.hpp"
#include "report.hpp"

namespace nodewise::detail {

struct Replicas::State {
  State(NodePools& of_nodes, std::string its_name) : pools(of_nodes), name(std::move(its_name)) {
    cost.bytes_on_node.resize(pools.topology().nodes().size());
    for (const Node& node : pools.topology().nodes()) {
      if (pools.nearest_with_memory(node.index) != node.index) continue;
      node_of.push_back(node.index);
      memory.push_back(std::make_unique<LimitedResource>(&pools.on(node.index), no_limit));
    }
  }

  // The resource is only there to count.
  static constexpr auto no_limit = std::numeric_limits<std::uint64_t>::max();

  std::size_t copy_on(unsigned node_with_memory) const noexcept {
    const auto found = std::lower_bound(node_of.begin(), node_of.end(), node_with_memory);
    return static_cast<std::size_t>(found - node_of.begin());
  }

  NodePools& pools;
  const std::string name;
  std::vector<unsigned> node_of;  // by copy, in ascending order
  std::vector<std::unique_ptr<LimitedResource>> memory;
  std::uint64_t version = 0;
  ReplicaCost cost;                      // cost of the present copies
  std::unique_ptr<report::Watch> watch;  // destroyed first
};

Replicas::Replicas(NodePools& pools, std::string name)
    : state_(std::make_unique<State>(pools, std::move(name))) {
  state_->watch = std::make_unique<report::Watch>(report::Kind::replicas, [this] { return to_json(); });
}

Replicas::~Replicas() {
  state_->watch.reset();  // it reads this state
}

std::size_t Replicas::copies() const noexcept {
  return state_->memory.size();
}

std::pmr::memory_resource& Replicas::memory(std::size_t copy) const noexcept {
  return *state_->memory[copy];
}

std::size_t Replicas::local_copy() const {
  return state_->copy_on(state_->pools.local_node());
}

std::size_t Replicas::copy_of(unsigned node) const {
  return state_->copy_on(state_->pools.nearest_with_memory(node));
}

ReplicaCost Replicas::cost() const {
  return state_->cost;
}

std::uint64_t Replicas::version() const noexcept {
  return state_->version;
}

void Replicas::renewed(double seconds) noexcept {
  for (std::size_t copy = 0; copy < copies(); ++copy)
    state_->cost.bytes_on_node[state_->node_of[copy]] = state_->memory[copy]->live_bytes();
  state_->cost.seconds = seconds;
  ++state_->version;
}

std::string Replicas::to_json() const {
  const std::string host = os::current().host_name().value;
  base::JsonWriter json;
  json.begin_object();
  json.member("schema", "nodewise.replica/1");
  json.member("name", state_->name);
  json.member("version", state_->version);
  json.member("seconds", state_->cost.seconds);
  json.key("nodes");
  json.begin_array();
  for (const Node& node : state_->pools.topology().nodes()) {
    json.begin_object();
    json.member("host", host);
    json.member("rank", 0);
    json.member("node", node.index);
    json.member("os_index", node.os_index);
    json.member("bytes", state_->cost.bytes_on_node[node.index]);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.take();
}

}  // namespace nodewise::detail
