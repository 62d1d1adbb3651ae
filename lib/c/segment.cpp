#include <nodewise/c/segment.h>

#include <nodewise/segment.hpp>

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"
#include "c/times.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

static_assert(is_number<SegmentKind::dataset, NW_SEGMENT_DATASET> &&
              is_number<SegmentKind::objects, NW_SEGMENT_OBJECTS> &&
              is_number<SegmentKind::ring, NW_SEGMENT_RING>);
static_assert(is_number<SegmentOwner::State::alive, NW_OWNER_ALIVE> &&
              is_number<SegmentOwner::State::dead, NW_OWNER_DEAD> &&
              is_number<SegmentOwner::State::unknown, NW_OWNER_UNKNOWN>);

double seconds_since_1970(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void describe_owner(const SegmentOwner& owner, SegmentOwner::State state, nw_segment_info& result) {
  result.pid = owner.pid;
  result.uid = owner.uid;
  result.start_ticks = owner.start_ticks;
  result.pid_namespace = owner.pid_namespace;
  result.owner = static_cast<nw_owner_state>(state);
}

nw_segment_info info_of(const Segment& segment) {
  nw_segment_info result{};
  result.name = segment.name().c_str();
  result.path = segment.path().c_str();
  result.origin = segment.origin().name.c_str();
  result.fault = "";
  result.data_bytes = segment.pages().size_bytes();
  result.created = seconds_since_1970(segment.created());
  describe_owner(segment.owner(), owner_state(segment.owner()), result);
  result.kind = static_cast<nw_segment_kind>(segment.kind());
  result.access = static_cast<nw_access>(segment.access());
  result.kept = segment.kept() ? 1 : 0;
  result.published = 1;
  result.held = 1;
  result.attached = -1;
  result.descriptor = segment.descriptor();
  if (segment.kind() != SegmentKind::dataset) return result;
  result.dataset = number_of(segment.dataset());
  result.layout = static_cast<nw_layout>(segment.layout());
  return result;
}

nw_segment_info info_of(const SegmentInfo& info) {
  nw_segment_info result{};
  result.name = info.name.c_str();
  result.path = info.path.c_str();
  result.origin = info.origin.name.c_str();
  result.fault = info.fault.c_str();
  result.file_bytes = info.bytes;
  result.created = seconds_since_1970(info.created);
  describe_owner(info.owner, info.owner_state, result);
  result.kind = static_cast<nw_segment_kind>(info.kind);
  result.kept = info.kept ? 1 : 0;
  result.published = info.published ? 1 : 0;
  result.held = info.held ? 1 : 0;
  result.attached = info.attached ? static_cast<std::int32_t>(*info.attached) : -1;
  result.descriptor = -1;
  if (!info.published || !info.fault.empty() || info.kind != SegmentKind::dataset) return result;
  result.dataset = number_of(info.dataset);
  result.layout = static_cast<nw_layout>(info.layout);
  return result;
}

CollectOptions collect_options_of(const nw_collect_options* options, const char* call) {
  const nw_collect_options given = read_options(options, call);
  CollectOptions result;
  result.dry_run = flag_of(given.dry_run, call, "dry_run");
  if (flag_of(given.kept, call, "kept")) {
    result.older_than = limit_of(given.older_than, call, "older_than");
    if (!result.older_than) throw InvalidArgument(base::text(call, ": `older_than` is negative"));
  } else if (given.older_than != 0) {
    throw InvalidArgument(base::text(call, ": `older_than` needs `kept` to be 1"));
  }
  return result;
}

}  // namespace

const char* nw_segment_kind_name(nw_segment_kind kind) {
  return name_of<SegmentKind>(kind);
}

nw_error nw_segment_open(const char* name, nw_access access, double patience, nw_segment* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_segment>(
        Segment::open(name, access_of(access, call), limit_of(patience, call, "patience")));
  });
}

nw_error nw_segment_open_descriptor(std::int32_t descriptor, nw_access access, nw_segment* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_segment>(Segment::open_descriptor(descriptor, access_of(access, call)));
  });
}

nw_error nw_segment_describe(nw_segment segment, nw_segment_info* out) {
  return run(__func__, [&](const char* call) { write_result(out, info_of(*object(segment, call)), call); });
}

nw_error nw_segment_num_batches(nw_segment segment, std::uint64_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(segment, call)->num_batches(); });
}

nw_error nw_segment_batch(nw_segment segment, std::uint64_t batch, nw_view* out) {
  return run(__func__, [&](const char* call) {
    const auto whole = object(segment, call);
    const AnyBatchView view = whole->get_batch(batch);
    needed(out, call, "out") = view_of(view, view.access());
  });
}

nw_error nw_segment_pages(nw_segment segment, nw_pages* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto whole = object(segment, call);
    *out = make_handle<nw_pages>(Pages(whole->pages()));
  });
}

nw_error nw_segment_plan_json(nw_segment segment, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(segment, call)->plan_json());
  });
}

nw_error nw_segment_loader(nw_segment segment, const nw_loader_options* options, nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out =
        make_handle<nw_loader>(BatchLoader::open(*object(segment, call), loader_options_of(options, call)));
  });
}

nw_error nw_segment_remove(nw_segment segment) {
  return run(__func__, [&](const char* call) { object(segment, call)->remove(); });
}

nw_error nw_segment_list_all(nw_segment_list* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_segment_list>(list_segments());
  });
}

nw_error nw_segment_collect(const nw_collect_options* options, nw_segment_list* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_segment_list>(collect_segments(collect_options_of(options, call)));
  });
}

nw_error nw_segment_list_count(nw_segment_list list, std::size_t* out) {
  return run(__func__, [&](const char* call) { needed(out, call, "out") = object(list, call)->size(); });
}

nw_error nw_segment_list_describe(nw_segment_list list, std::size_t index, nw_segment_info* out) {
  return run(__func__, [&](const char* call) {
    const auto segments = object(list, call);
    if (index >= segments->size())
      throw OutOfRange(
          base::text(call, ": there is no segment ", index, "; the list has ", segments->size()));
    write_result(out, info_of((*segments)[index]), call);
  });
}
