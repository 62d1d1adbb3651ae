#include "c/options.hpp"

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/times.hpp"

namespace nodewise::c {
namespace {

static_assert(is_number<Policy::blocked, NW_BLOCKED> && is_number<Policy::interleaved, NW_INTERLEAVED>);
static_assert(is_number<Binding::preferred, NW_PREFERRED - 1> &&
              is_number<Binding::required, NW_REQUIRED - 1>);
static_assert(is_number<Weights::equal, NW_WEIGHTS_EQUAL> && is_number<Weights::cpus, NW_WEIGHTS_CPUS> &&
              is_number<Weights::capacity, NW_WEIGHTS_CAPACITY> &&
              is_number<Weights::given, NW_WEIGHTS_GIVEN>);
static_assert(is_number<PageKind::automatic, NW_PAGES_AUTOMATIC - 1> &&
              is_number<PageKind::base, NW_PAGES_BASE - 1> &&
              is_number<PageKind::transparent, NW_PAGES_TRANSPARENT - 1> &&
              is_number<PageKind::hugetlb, NW_PAGES_HUGETLB - 1>);
static_assert(is_number<Scheduling::local, NW_SCHEDULING_LOCAL> &&
              is_number<Scheduling::stealing, NW_SCHEDULING_STEALING>);
static_assert(is_number<Layout::rows, NW_ROWS> && is_number<Layout::columns, NW_COLUMNS> &&
              is_number<Layout::tiles, NW_TILES>);
static_assert(is_number<Access::read_only, NW_READ_ONLY> && is_number<Access::read_write, NW_READ_WRITE>);

// In C, 0 is the default of these, and the others follow.
template <NamedEnum E>
std::optional<E> unless_default(std::int32_t number, const char* call, const char* what) {
  if (number == 0) return std::nullopt;
  if (number < 0 || number > 256 || to_string(static_cast<E>(number - 1)).empty())
    throw InvalidArgument(base::text(call, ": `", what, "` is ", number, ", which has no meaning"));
  return static_cast<E>(number - 1);
}

template <class T>
std::vector<T> list_of(const T* first, std::size_t count, const char* call, const char* what) {
  if (count > 0) check_pointer(first, call, what);
  return {first, first + count};
}

}  // namespace

bool flag_of(std::int32_t number, const char* call, const char* what) {
  if (number == 0 || number == 1) return number == 1;
  throw InvalidArgument(base::text(call, ": `", what, "` is ", number, "; it may be 0 or 1"));
}

void check_reserved(std::int32_t number, const char* call) {
  if (number != 0) throw InvalidArgument(base::text(call, ": the reserved member of the options is not 0"));
}

Layout layout_of(nw_layout layout, const char* call) {
  return enum_of<Layout>(layout, call, "layout");
}
Access access_of(nw_access access, const char* call) {
  return enum_of<Access>(access, call, "access");
}
std::optional<PageKind> pages_of(nw_page_kind pages, const char* call) {
  return unless_default<PageKind>(pages, call, "pages");
}
Scheduling scheduling_of(nw_scheduling scheduling, const char* call) {
  return enum_of<Scheduling>(scheduling, call, "scheduling");
}

PlanOptions plan_options_of(const nw_plan_options* options, const char* call) {
  const nw_plan_options given = read_options(options, call);
  check_reserved(given.reserved, call);
  PlanOptions result;
  result.policy = enum_of<Policy>(given.policy, call, "policy");
  result.binding = unless_default<Binding>(given.binding, call, "binding").value_or(Binding::preferred);
  result.weights = enum_of<Weights>(given.weights, call, "weights");
  result.given_weights = list_of(given.given_weights, given.num_given_weights, call, "given_weights");
  result.targets = list_of(given.targets, given.num_targets, call, "targets");
  result.page_bytes = given.page_bytes;
  result.base_offset = given.base_offset;
  return result;
}

LoaderOptions loader_options_of(const nw_loader_options* options, const char* call) {
  const nw_loader_options given = read_options(options, call);
  check_reserved(given.reserved, call);
  LoaderOptions result;
  result.policy = enum_of<Policy>(given.policy, call, "policy");
  result.binding = unless_default<Binding>(given.binding, call, "binding");
  result.weights = enum_of<Weights>(given.weights, call, "weights");
  result.pages = pages_of(given.pages, call);
  result.given_weights = list_of(given.given_weights, given.num_given_weights, call, "given_weights");
  result.targets = list_of(given.targets, given.num_targets, call, "targets");
  result.team.workers = given.workers;
  result.team.scheduling = scheduling_of(given.scheduling, call);
  result.layout = layout_of(given.layout, call);
  if (given.topology != nullptr) result.topology = *object(given.topology, call);
  const bool keep = flag_of(given.keep, call, "keep");
  const bool later = flag_of(given.publish_later, call, "publish_later");
  if (given.segment != nullptr) {
    result.segment = SegmentOptions{};
    result.segment->name = given.segment;
    result.segment->keep = keep;
    result.segment->publish = !later;
  } else if (later) {
    throw InvalidArgument(base::text(call, ": `publish_later` needs a `segment`"));
  }
  if (given.stop != nullptr) result.stop = *object(given.stop, call);
  if (given.patience != 0) result.patience = limit_of(given.patience, call, "patience");
  return result;
}

LoaderOptions adopting_options_of(const nw_loader_options* options, const char* call) {
  LoaderOptions result = loader_options_of(options, call);
  if (result.segment)
    throw InvalidArgument(
        base::text(call, ": the memory stays where it is, so it cannot lie in the segment \"",
                   result.segment->name, "\"; copy the data into a loader with that segment"));
  return result;
}

}  // namespace nodewise::c
