// Saves and reads plans (schema "nodewise.plan/1"). A file states some things twice. The parts that a caller
// decides are read, the plan is computed from them, and the rest of the file must agree with it.
#include <algorithm>
#include <limits>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/json_reader.hpp"
#include "base/json_writer.hpp"
#include "base/text.hpp"
#include "plan/parts.hpp"

namespace nodewise {
namespace {

using base::JsonArray;
using base::JsonFields;
using base::JsonValue;
using base::JsonWriter;
using base::quoted;
using base::text;

constexpr std::string_view schema = "nodewise.plan/1";

void write_range(JsonWriter& json, std::string_view name, const ByteRange& range) {
  json.key(name);
  json.begin_array();
  json.value(range.begin);
  json.value(range.end);
  json.end_array();
}

void write_shard(JsonWriter& json, const Shard& shard) {
  json.begin_object();
  json.member("node", shard.node);
  json.member("os_index", shard.os_index);
  json.member("first_batch", shard.batches.start);
  json.member("num_batches", shard.batches.count());
  write_range(json, "bytes", shard.bytes);
  write_range(json, "pages", shard.pages);
  json.member("cut_bytes", shard.cut_bytes);
  json.member("spill_bytes", shard.spill_bytes);
  json.end_object();
}

void write_cut(JsonWriter& json, const Cut& cut) {
  json.begin_object();
  json.member("page", cut.page);
  json.member("owner", cut.owner);
  json.member("cut_bytes", cut.cut_bytes);
  json.end_object();
}

void write_remedy(JsonWriter& json, const std::optional<CutRemedy>& remedy) {
  json.key("cut_remedy");
  if (!remedy) return json.value(nullptr);
  json.begin_object();
  json.member("smaller_batch_size", remedy->smaller_batch_size);
  json.member("larger_batch_size", remedy->larger_batch_size);
  json.member("page_bytes", remedy->page_bytes);
  json.end_object();
}

void write_header(JsonWriter& json, const Plan& plan) {
  json.member("schema", schema);
  json.member("fingerprint", plan.fingerprint());
  json.member("samples", plan.dataset().shape().samples);
  json.member("features", plan.dataset().shape().features);
  json.member("dtype", dtype_name(plan.dataset().dtype()));
  json.member("batch_size", plan.dataset().batch_size());
  json.member("policy", to_string(plan.policy()));
  json.member("binding", to_string(plan.binding()));
  json.member("weights", to_string(plan.weights()));
  json.member("page_bytes", plan.page_bytes());
  json.member("base_offset", plan.base_offset());
  json.member("num_batches", plan.num_batches());
  json.member("total_bytes", plan.dataset().total_bytes());
  json.member("mapped_bytes", plan.mapped_bytes());
  json.member("cut_bytes", plan.cut_bytes());
  json.member("spill_bytes", plan.spill_bytes());
}

/// The value whose name the member has. `what` says for messages what kind of value it is.
template <class Choice>
Choice read_choice(const JsonFields& fields, std::string_view name, std::string_view what) {
  const std::string_view found = fields.string(name);
  if (const auto choice = parse<Choice>(found)) return *choice;
  throw FormatError(text(fields.name_of(name), " is ", quoted(found), ", which is no ", what));
}

ByteRange read_range(const JsonFields& fields, std::string_view name) {
  const JsonArray& ends = fields.array(name);
  if (ends.size() == 2) {
    const auto* begin = ends[0].get_if<std::uint64_t>();
    const auto* end = ends[1].get_if<std::uint64_t>();
    if (begin != nullptr && end != nullptr && *begin <= *end) return {*begin, *end};
  }
  throw FormatError(text(fields.name_of(name), " is no range [begin, end]"));
}

PlanParts read_header(const JsonFields& plan) {
  return {.dataset = {{plan.u64("samples"), plan.u64("features")},
                      read_choice<DType>(plan, "dtype", "element type"),
                      plan.u64("batch_size")},
          .policy = read_choice<Policy>(plan, "policy", "policy"),
          .binding = read_choice<Binding>(plan, "binding", "binding"),
          .weights = read_choice<Weights>(plan, "weights", "weights"),
          .page_bytes = plan.u64("page_bytes"),
          .base_offset = plan.u64("base_offset"),
          .nodes = {},
          .ends = {}};
}

JsonFields element(const JsonArray& array, std::string_view name, std::size_t index) {
  return {array[index], text("plan.", name, '[', index, ']')};
}

unsigned read_node(const JsonFields& shard, const Topology& topology) {
  const std::uint64_t os_index = shard.u64("os_index");
  const auto node = os_index > std::numeric_limits<unsigned>::max()
                        ? std::nullopt
                        : topology.node_of_os_index(static_cast<unsigned>(os_index));
  if (!node)
    throw FormatError(text(shard.name_of("os_index"), " is ", os_index, ", and there is no such node"));
  return *node;
}

// What the file states must agree with what follows from its other parts.
void agree(const JsonFields& fields, std::string_view name, std::uint64_t found, std::uint64_t follows) {
  if (found == follows) return;
  throw FormatError(
      text(fields.name_of(name), " says ", found, ", and from the rest of the plan follows ", follows));
}

void agree(const JsonFields& fields, std::string_view name, std::uint64_t follows) {
  agree(fields, name, fields.u64(name), follows);
}

void agree(const JsonFields& fields, std::string_view name, const ByteRange& follows) {
  const ByteRange found = read_range(fields, name);
  agree(fields, name, found.begin, follows.begin);
  agree(fields, name, found.end, follows.end);
}

/// Reads the node and the batches of each shard. The batches must follow one another and cover the dataset.
void read_partition(const JsonArray& shards, const Topology& topology, PlanParts& parts) {
  if (shards.size() > topology.nodes().size())
    throw FormatError(text("plan.shards has ", shards.size(), " shards, and there are ",
                           topology.nodes().size(), " nodes"));
  std::uint64_t end = 0;
  for (std::size_t index = 0; index < shards.size(); ++index) {
    const JsonFields shard = element(shards, "shards", index);
    agree(shard, "first_batch", end);
    const auto next = base::checked_add(end, shard.u64("num_batches"));
    if (!next) throw FormatError(text(shard.name_of("num_batches"), " is more than 64 bits can count"));
    end = *next;
    parts.nodes.push_back(read_node(shard, topology));
    parts.ends.push_back(end);
  }
  std::vector<unsigned> nodes = parts.nodes;
  std::sort(nodes.begin(), nodes.end());
  if (std::adjacent_find(nodes.begin(), nodes.end()) != nodes.end())
    throw FormatError("plan.shards names a node twice");
  const std::uint64_t num_batches = parts.dataset.num_batches();
  if (shards.empty() || end != num_batches)
    throw FormatError(text("plan.shards has batches up to ", end, ", and the dataset has ", num_batches));
}

/// Compares everything that does not depend on the present state of the machine, as spilled bytes and the
/// remedy do.
void check_agreement(const JsonFields& file, const Plan& plan) {
  agree(file, "num_batches", plan.num_batches());
  agree(file, "total_bytes", plan.dataset().total_bytes());
  agree(file, "mapped_bytes", plan.mapped_bytes());
  agree(file, "cut_bytes", plan.cut_bytes());
  const JsonArray& shards = file.array("shards");
  for (std::size_t index = 0; index < shards.size(); ++index) {
    const JsonFields shard = element(shards, "shards", index);
    const Shard& follows = plan.shards()[index];
    agree(shard, "node", follows.node);
    agree(shard, "bytes", follows.bytes);
    agree(shard, "pages", follows.pages);
    agree(shard, "cut_bytes", follows.cut_bytes);
  }
  const JsonArray& cuts = file.array("cuts");
  if (cuts.size() != plan.cuts().size())
    throw FormatError(
        text("plan.cuts has ", cuts.size(), " cuts, and from the shards follow ", plan.cuts().size()));
  for (std::size_t index = 0; index < cuts.size(); ++index) {
    const JsonFields cut = element(cuts, "cuts", index);
    agree(cut, "page", plan.cuts()[index].page);
    agree(cut, "owner", plan.cuts()[index].owner);
    agree(cut, "cut_bytes", plan.cuts()[index].cut_bytes);
  }
}

void check_identity(const JsonFields& file, const Topology& topology) {
  if (file.string("schema") != schema)
    throw FormatError(
        text("plan.schema is ", quoted(file.string("schema")), "; this library reads ", schema));
  if (file.string("fingerprint") != topology.fingerprint())
    throw PlacementError(text("Plan::from_json: the plan is for a machine with fingerprint ",
                              quoted(file.string("fingerprint")), ", and ", topology.origin(), " has ",
                              quoted(topology.fingerprint()), "; make a plan for this one"));
}

}  // namespace

std::string Plan::to_json() const {
  JsonWriter json(2);
  json.begin_object();
  write_header(json, *this);
  json.key("shards");
  json.begin_array();
  for (const Shard& shard : shards_) write_shard(json, shard);
  json.end_array();
  json.key("cuts");
  json.begin_array();
  for (const Cut& cut : cuts_) write_cut(json, cut);
  json.end_array();
  write_remedy(json, remedy_);
  json.end_object();
  return json.take();
}

Plan Plan::from_json(std::string_view text, const Topology& topology) try {
  const JsonValue document = base::parse_json(text);
  const JsonFields file(document, "plan");
  check_identity(file, topology);
  PlanParts parts = read_header(file);
  read_partition(file.array("shards"), topology, parts);
  Plan plan(topology, parts);
  check_agreement(file, plan);
  return plan;
} catch (const FormatError& error) {
  throw FormatError(base::text("Plan::from_json: ", error.what()));
} catch (const InvalidArgument& error) {
  throw FormatError(base::text("Plan::from_json: ", error.what()));
}

}  // namespace nodewise
