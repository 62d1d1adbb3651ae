#include <nodewise/c/plan.h>

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

nw_range range_of(const BatchRange& range) {
  return {range.start, range.stop};
}
nw_range range_of(const ByteRange& range) {
  return {range.begin, range.end};
}

}  // namespace

nw_error nw_plan_make(nw_topology topology, const nw_dataset* dataset, const nw_plan_options* options,
                      nw_plan* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_plan>(
        Plan(*object(topology, call), dataset_of(dataset, call), plan_options_of(options, call)));
  });
}

nw_error nw_plan_from_json(const char* json, nw_topology topology, nw_plan* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(json, call, "json");
    *out = make_handle<nw_plan>(Plan::from_json(json, *object(topology, call)));
  });
}

nw_error nw_plan_to_json(nw_plan plan, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(plan, call)->to_json());
  });
}

nw_error nw_plan_dataset(nw_plan plan, nw_dataset* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = number_of(object(plan, call)->dataset()); });
}

nw_error nw_plan_num_shards(nw_plan plan, std::size_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(plan, call)->shards().size(); });
}

nw_error nw_plan_shard(nw_plan plan, std::size_t shard, nw_shard* out) {
  return run(__func__, [&](const char* call) {
    const auto whole = object(plan, call);
    if (shard >= whole->shards().size())
      throw OutOfRange(
          base::text(call, ": there is no shard ", shard, "; the plan has ", whole->shards().size()));
    const Shard& from = whole->shards()[shard];
    nw_shard result{};
    result.node = from.node;
    result.os_index = from.os_index;
    result.batches = range_of(from.batches);
    result.bytes = range_of(from.bytes);
    result.pages = range_of(from.pages);
    result.cut_bytes = from.cut_bytes;
    result.spill_bytes = from.spill_bytes;
    write_result(out, result, call);
  });
}

nw_error nw_plan_shard_of(nw_plan plan, std::uint64_t batch, std::size_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(plan, call)->shard_of(batch); });
}

nw_error nw_plan_cut_bytes(nw_plan plan, std::uint64_t* out) {
  return run(__func__, [&](const char* call) { needed(out, call, "out") = object(plan, call)->cut_bytes(); });
}

nw_error nw_plan_page_bytes(nw_plan plan, std::size_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(plan, call)->page_bytes(); });
}
