#include "layout/arranging.hpp"

#include <algorithm>
#include <memory>
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/node_pools.hpp>

#include "kernels/dispatch.hpp"
#include "layout/blocks.hpp"
#include "layout/conversion.hpp"
#include "team/run.hpp"

namespace nodewise {
namespace {

// A batch has just been read; a smaller one is probably still in the caches.
constexpr std::uint64_t least_past_caches = std::uint64_t{1} << 20;

bool same_places_in(const Plan& plan, Layout a, Layout b) noexcept {
  return same_places(a, b, plan.dataset().most_batch_rows(), plan.dataset().shape().features);
}

// Memory from a resource, which is given back in the destructor.
class Room {
 public:
  Room(std::pmr::memory_resource& resource, std::size_t bytes)
      : resource_(&resource), bytes_(bytes), data_(static_cast<std::byte*>(resource.allocate(bytes, 64))) {}
  Room(Room&& other) noexcept
      : resource_(other.resource_), bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  Room& operator=(Room&&) = delete;
  ~Room() {
    if (data_ != nullptr) resource_->deallocate(data_, bytes_, 64);
  }
  std::byte* data() const noexcept { return data_; }

 private:
  std::pmr::memory_resource* resource_;
  std::size_t bytes_;
  std::byte* data_;
};

}  // namespace

bool is_filled_as_rows(const Plan& plan, Layout layout) noexcept {
  return same_places_in(plan, Layout::rows, layout);
}

void convert_in_place(Buffer& buffer, Layout layout, const Team& team, const NodePools& pools) {
  const Plan& plan = buffer.plan();
  const Layout before = buffer.layout();
  if (plan.dataset().total_bytes() == 0 || same_places_in(plan, before, layout))
    return buffer.assume_layout(layout);
  const std::uint64_t cols = plan.dataset().shape().features;
  const std::uint64_t batch_bytes = plan.dataset().most_batch_bytes();
  WorkShares shares(team);
  std::vector<std::optional<Room>> rooms(team.workers().size());
  for (const unsigned worker : give_units(plan, team, 1, shares))
    rooms[worker].emplace(pools.on(pools.nearest_with_memory(team.workers()[worker].node)), batch_bytes);
  const LayoutKernels& kernels = *best_kernels().layouts;
  const LayoutConversion conversion(before, layout, dtype_bytes(plan.dataset().dtype()), false, kernels);
  const LayoutConversion back(layout, layout, dtype_bytes(plan.dataset().dtype()),
                              batch_bytes >= least_past_caches, kernels);
  run_team(team, [&](unsigned worker, bool own_threads) {
    if (!rooms[worker])
      return;  // the worker has no batch of its own, and without room it cannot take those of others
    LayoutConversion::Scratch scratch;
    std::byte* const room = rooms[worker]->data();
    while (const auto piece = shares.take(worker, own_threads))
      for (std::uint64_t batch = piece->units.begin; batch < piece->units.end; ++batch) {
        const ByteRange bytes = plan.dataset().batch_bytes(batch);
        std::byte* const at = buffer.address_of(bytes.begin);
        conversion.convert(at, room, plan.dataset().batch_rows(batch).count(), cols, scratch);
        back.copy(room, at, bytes.bytes());
      }
    back.done(scratch);
  });
  buffer.assume_layout(layout);
}

void fill_arranged(Buffer& buffer, const Buffer::Fill& fill, const Team& team) {
  const Plan& plan = buffer.plan();
  if (plan.dataset().total_bytes() == 0) return;
  const std::uint64_t batch_bytes = plan.dataset().most_batch_bytes();
  WorkShares shares(team);
  give_units(plan, team, 1, shares);
  const LayoutConversion conversion(Layout::rows, buffer.layout(), dtype_bytes(plan.dataset().dtype()),
                                    batch_bytes >= least_past_caches, *best_kernels().layouts);
  run_team(team, [&](unsigned worker, bool own_threads) {
    LayoutConversion::Scratch scratch;
    std::unique_ptr<std::byte[]> rows;  // made by a worker that has batches, so that it lies near the worker
    while (const auto piece = shares.take(worker, own_threads)) {
      if (!rows) rows = std::make_unique_for_overwrite<std::byte[]>(batch_bytes);
      for (std::uint64_t batch = piece->units.begin; batch < piece->units.end; ++batch) {
        const ByteRange bytes = plan.dataset().batch_bytes(batch);
        fill(rows.get(), bytes);
        conversion.convert(rows.get(), buffer.address_of(bytes.begin),
                           plan.dataset().batch_rows(batch).count(), plan.dataset().shape().features,
                           scratch);
      }
    }
    conversion.done(scratch);
  });
}

}  // namespace nodewise
