#include <nodewise/c/placement.h>

#include <limits>

#include "c/calls.hpp"
#include "c/objects.hpp"

using namespace nodewise;
using namespace nodewise::c;

nw_error nw_loader_placement(nw_loader loader, nw_placement* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_placement>(object(loader, call)->placement());
  });
}

nw_error nw_placement_total(nw_placement placement, nw_placement_bytes* out) {
  return run(__func__, [&](const char* call) {
    const PlacementBytes total = object(placement, call)->total();
    nw_placement_bytes result{};
    result.planned_bytes = total.planned_bytes;
    result.local_bytes = total.local_bytes;
    result.misplaced_bytes = total.misplaced_bytes;
    result.cut_bytes = total.cut_bytes;
    result.absent_bytes = total.absent_bytes;
    result.unknown_bytes = total.unknown_bytes;
    result.on_target_bytes = total.on_target_bytes;
    write_result(out, result, call);
  });
}

nw_error nw_placement_local_fraction(nw_placement placement, double* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") =
        object(placement, call)->local_fraction().value_or(std::numeric_limits<double>::quiet_NaN());
  });
}

nw_error nw_placement_require(nw_placement placement, double fraction) {
  return run(__func__, [&](const char* call) { object(placement, call)->require(fraction); });
}

nw_error nw_placement_to_json(nw_placement placement, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(placement, call)->to_json());
  });
}

nw_error nw_placement_summary(nw_placement placement, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(placement, call)->summary());
  });
}

nw_error nw_residency(nw_topology topology, const void* data, std::size_t bytes, std::uint64_t* bytes_on_node,
                      std::size_t nodes, std::uint64_t* absent_bytes, std::uint64_t* unknown_bytes) {
  return run(__func__, [&](const char* call) {
    const auto machine = object(topology, call);
    check_pointer(bytes_on_node, call, "bytes_on_node");
    check_pointer(absent_bytes, call, "absent_bytes");
    check_pointer(unknown_bytes, call, "unknown_bytes");
    if (bytes > 0) check_pointer(data, call, "data");
    if (nodes != machine->nodes().size())
      throw InvalidArgument(base::text(call, ": there is room for ", nodes, " nodes, and the topology has ",
                                       machine->nodes().size()));
    const Residency found = residency(*machine, data, bytes);
    std::ranges::copy(found.bytes_on_node, bytes_on_node);
    *absent_bytes = found.absent_bytes;
    *unknown_bytes = found.unknown_bytes;
  });
}
