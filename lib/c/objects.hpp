// Which object each kind of handle names.
#pragma once

#include <memory>
#include <optional>

#include <nodewise/batch_ring.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/node_pools.hpp>
#include <nodewise/pages.hpp>
#include <nodewise/placement.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/shared_objects.hpp>
#include <nodewise/source.hpp>
#include <nodewise/stop.hpp>
#include <nodewise/stream.hpp>
#include <nodewise/team.hpp>
#include <nodewise/topology.hpp>

#include "c/handles.hpp"
#include "c/shared_data.hpp"

namespace nodewise::c {

using SegmentInfos = std::vector<SegmentInfo>;
using PoolsOwner = std::unique_ptr<NodePools>;
using StreamOwner = std::unique_ptr<BatchStream>;

/// A loan, unless it was published, and its producer, which must be destroyed later.
struct HeldLoan {
  std::shared_ptr<RingProducer> producer;
  std::optional<RingLoan> loan;
};
/// A lease, and its consumer, which must be destroyed later.
struct HeldLease {
  std::shared_ptr<RingConsumer> consumer;
  RingLease lease;
};

// clang-format off
template <> struct ObjectOf<nw_topology> : Named<Topology> { static constexpr auto noun = "topology"; };
template <> struct ObjectOf<nw_plan> : Named<Plan> { static constexpr auto noun = "plan"; };
template <> struct ObjectOf<nw_source> : Named<Source> { static constexpr auto noun = "source"; };
template <> struct ObjectOf<nw_stop> : Named<Stop> { static constexpr auto noun = "stop token"; };
template <> struct ObjectOf<nw_team> : Named<Team> { static constexpr auto noun = "team"; };
template <> struct ObjectOf<nw_loader> : Named<BatchLoader> { static constexpr auto noun = "loader"; };
template <> struct ObjectOf<nw_pages> : Named<Pages> { static constexpr auto noun = "owner of pages"; };
template <> struct ObjectOf<nw_stream> : Named<StreamOwner> { static constexpr auto noun = "stream"; };
template <> struct ObjectOf<nw_placement> : Named<Placement> { static constexpr auto noun = "placement"; };
template <> struct ObjectOf<nw_segment> : Named<Segment> { static constexpr auto noun = "segment"; };
template <> struct ObjectOf<nw_objects> : Named<SharedObjects> { static constexpr auto noun = "objects"; };
template <> struct ObjectOf<nw_value> : Named<HeldValue> { static constexpr auto noun = "value"; };
template <> struct ObjectOf<nw_array> : Named<HeldArray> { static constexpr auto noun = "array"; };
template <> struct ObjectOf<nw_mutex> : Named<SharedMutex> { static constexpr auto noun = "mutex"; };
template <> struct ObjectOf<nw_event> : Named<SharedEvent> { static constexpr auto noun = "event"; };
template <> struct ObjectOf<nw_barrier> : Named<SharedBarrier> { static constexpr auto noun = "barrier"; };
template <> struct ObjectOf<nw_ring> : Named<BatchRing> { static constexpr auto noun = "ring"; };
template <> struct ObjectOf<nw_ring_loan> : Named<HeldLoan> { static constexpr auto noun = "loan"; };
template <> struct ObjectOf<nw_pools> : Named<PoolsOwner> { static constexpr auto noun = "pools"; };
// clang-format on
template <>
struct ObjectOf<nw_ring_producer> : Named<RingProducer> {
  static constexpr auto noun = "producer";
};
template <>
struct ObjectOf<nw_ring_consumer> : Named<RingConsumer> {
  static constexpr auto noun = "consumer";
};
template <>
struct ObjectOf<nw_ring_lease> : Named<HeldLease> {
  static constexpr auto noun = "lease of a ring";
};

template <>
struct ObjectOf<nw_segment_list> : Named<SegmentInfos> {
  static constexpr auto noun = "list of segments";
};

/// A lease of a stream, and the layout of its batches.
struct HeldRun {
  BatchLease lease;
  Layout layout;
};
template <>
struct ObjectOf<nw_lease> : Named<HeldRun> {
  static constexpr auto noun = "lease";
};

}  // namespace nodewise::c
