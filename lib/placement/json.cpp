#include "placement/json.hpp"

namespace nodewise {
namespace {

void write_nodes(base::JsonWriter& json, const std::vector<ShardPlacement>& shards, Policy policy) {
  json.key("nodes");
  json.begin_array();
  for (const ShardPlacement& shard : shards) {
    json.begin_object();
    json.member("host", shard.host);
    json.member("rank", 0);
    json.member("node", shard.node);
    json.member("os_index", shard.os_index);
    json.member("first_batch", shard.batches.start);
    json.member("num_batches", shard.batches.count());
    write_bytes(json, shard, policy);
    json.key("bytes_on_node");
    json.begin_array();
    for (const std::uint64_t bytes : shard.bytes_on_node) json.value(bytes);
    json.end_array();
    json.end_object();
  }
  json.end_array();
}

void write_batches(base::JsonWriter& json, const std::vector<BatchRun>& runs) {
  json.key("batches");
  json.begin_array();
  for (const BatchRun& run : runs) {
    json.begin_object();
    json.member("first_batch", run.batches.start);
    json.member("num_batches", run.batches.count());
    json.member("state", to_string(run.state));
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_bytes(base::JsonWriter& json, const PlacementBytes& bytes, Policy policy) {
  const auto member_if = [&json](bool meant, std::string_view name, std::uint64_t count) {
    json.member(name, meant ? std::optional(count) : std::nullopt);
  };
  json.member("planned_bytes", bytes.planned_bytes);
  member_if(policy == Policy::blocked, "local_bytes", bytes.local_bytes);
  member_if(policy == Policy::interleaved, "on_target_bytes", bytes.on_target_bytes);
  json.member("misplaced_bytes", bytes.misplaced_bytes);
  json.member("cut_bytes", bytes.cut_bytes);
  json.member("absent_bytes", bytes.absent_bytes);
  json.member("unknown_bytes", bytes.unknown_bytes);
}

void write_degradations(base::JsonWriter& json, const std::vector<Degradation>& degradations) {
  json.key("degradations");
  json.begin_array();
  for (const Degradation& degradation : degradations) {
    json.begin_object();
    json.member("name", to_string(degradation.kind));
    json.member("message", degradation.message);
    json.member("errno", degradation.error);
    json.end_object();
  }
  json.end_array();
}

std::string Placement::to_json() const {
  base::JsonWriter json(2);
  json.begin_object();
  json.member("schema", "nodewise.placement/1");
  json.member("policy", to_string(policy_));
  json.member("binding", to_string(binding_));
  json.member("placing_rung", to_string(placing_rung_));
  json.member("asking_rung", to_string(asking_rung_));
  json.member("granularity", granularity());
  json.member("page_kind", to_string(page_kind_));
  json.member("page_bytes", page_bytes_);
  write_bytes(json, total(), policy_);
  json.member("local_fraction", local_fraction());
  write_nodes(json, shards_, policy_);
  write_batches(json, batches_);
  write_degradations(json, degradations_);
  json.end_object();
  return json.take();
}

}  // namespace nodewise
