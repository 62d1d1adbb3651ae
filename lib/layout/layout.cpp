#include <nodewise/layout.hpp>

#include <nodewise/expects.hpp>

#include <algorithm>
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

#include <nodewise/node_pools.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "kernels/dispatch.hpp"
#include "layout/conversion.hpp"
#include "team/run.hpp"

namespace nodewise {
namespace {

// What is less is likely to be used while the caches still have it.
constexpr std::uint64_t least_past_caches = std::uint64_t{4} << 20;
// In place a batch has just been read, and is in the caches itself.
constexpr std::uint64_t least_past_caches_in_place = std::uint64_t{1} << 20;

[[maybe_unused]] bool is_aligned(const void* at, std::size_t bytes) {  // for an assertion
  return reinterpret_cast<std::uintptr_t>(at) % bytes == 0;
}

bool overlap(const void* a, const void* b, std::uint64_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(a), second = reinterpret_cast<std::uintptr_t>(b);
  return first < second ? second - first < bytes : first - second < bytes;
}

void check_alike(const Plan& from, const Plan& to) {
  const auto described = [](const Dataset& dataset) {
    return base::text(dataset.shape().samples, " x ", dataset.shape().features, " elements of ",
                      dtype_name(dataset.dtype()), " in batches of ", dataset.batch_size());
  };
  if (from.dataset() != to.dataset())
    throw InvalidArgument(base::text("convert_layout: ", described(from.dataset()), " do not become ",
                                     described(to.dataset()),
                                     "; make both buffers of the same shape, type and batch size"));
}

// Each shard's bytes, divided among its readers by pages.
void give_bytes(const Plan& plan, const Team& team, WorkShares& shares) {
  constexpr std::uint64_t unit = 4096;
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    const ByteRange bytes = plan.shards()[shard].bytes;
    const auto readers = team.readers(plan, shard);
    for (std::size_t i = 0; i < readers.size() && bytes.bytes() > 0; ++i) {
      const auto part = base::split((bytes.bytes() - 1) / unit + 1, readers.size(), i);
      if (part.size() == 0) continue;
      shares.give(readers[i], shard,
                  {bytes.begin + part.begin * unit, std::min(bytes.begin + part.end * unit, bytes.end)},
                  std::max<std::uint64_t>(part.size() / pieces_to_steal, 1) * unit);
    }
  }
}

// Where both layouts have all elements in the same places.
void copy_bytes(const Buffer& from, const Buffer& to, const Team& team, const LayoutConversion& conversion) {
  WorkShares shares(team);
  give_bytes(to.plan(), team, shares);
  run_team(team, [&](unsigned worker, bool own_threads) {
    while (const auto piece = shares.take(worker, own_threads))
      conversion.copy(from.data() + piece->units.begin, to.data() + piece->units.begin, piece->units.size());
    conversion.fence();
  });
}

void convert_blocks(const Buffer& from, const Buffer& to, const Team& team,
                    const LayoutConversion& conversion) {
  const Plan& plan = to.plan();
  const std::uint64_t cols = plan.dataset().shape().features;
  const std::uint64_t batch_bytes = plan.dataset().most_batch_bytes();
  const LayoutBlocks blocks(plan.dataset(), conversion.shape(plan.dataset().most_batch_rows(), cols),
                            conversion.order());
  WorkShares shares(team);
  blocks.give(plan, team, shares);
  run_team(team, [&](unsigned worker, bool own_threads) {
    LayoutConversion::Scratch scratch;
    while (const auto piece = shares.take(worker, own_threads))
      for (std::uint64_t number = piece->units.begin; number < piece->units.end; ++number) {
        const LayoutBlock block = blocks.block(number);
        const std::uint64_t offset = block.batch * batch_bytes;
        conversion.convert(block, cols, from.data() + offset, to.data() + offset, scratch);
      }
    conversion.done(scratch);
  });
}

// Memory of a resource, given back at the end.
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

std::string_view to_string(Layout layout) noexcept {
  switch (layout) {
    case Layout::rows:
      return "rows";
    case Layout::columns:
      return "columns";
    case Layout::tiles:
      return "tiles";
  }
  return {};
}

void convert_layout(const Buffer& from, Layout from_layout, const Buffer& to, Layout to_layout,
                    const Team& team) {
  const Plan& plan = to.plan();
  check_alike(from.plan(), plan);
  if (from.plan().fingerprint() != plan.fingerprint())
    throw PlacementError("convert_layout: the two buffers were planned for different machines");
  if (plan.dataset().total_bytes() == 0) return;
  if (overlap(from.data(), to.data(), plan.dataset().total_bytes()))
    throw InvalidArgument(base::text("convert_layout: two buffers of ", plan.dataset().total_bytes(),
                                     " bytes overlap; to convert in place, give one buffer and pools"));
  const bool past_caches = plan.dataset().total_bytes() >= least_past_caches;
  const LayoutConversion conversion(from_layout, to_layout, dtype_bytes(plan.dataset().dtype()), past_caches,
                                    *best_kernels().layouts);
  if (same_places(from_layout, to_layout, plan.dataset().most_batch_rows(), plan.dataset().shape().features))
    copy_bytes(from, to, team, conversion);
  else
    convert_blocks(from, to, team, conversion);
}

void convert_layout(const Buffer& buffer, Layout from_layout, Layout to_layout, const Team& team,
                    const NodePools& pools) {
  const Plan& plan = buffer.plan();
  const std::uint64_t cols = plan.dataset().shape().features;
  if (plan.dataset().total_bytes() == 0 ||
      same_places(from_layout, to_layout, plan.dataset().most_batch_rows(), cols))
    return;
  const std::uint64_t batch_bytes = plan.dataset().most_batch_bytes();
  WorkShares shares(team);
  std::vector<std::optional<Room>> rooms(team.workers().size());
  for (const unsigned worker : give_units(plan, team, 1, shares))
    rooms[worker].emplace(pools.on(pools.nearest_with_memory(team.workers()[worker].node)), batch_bytes);
  const LayoutKernels& kernels = *best_kernels().layouts;
  const LayoutConversion conversion(from_layout, to_layout, dtype_bytes(plan.dataset().dtype()), false,
                                    kernels);
  const LayoutConversion back(to_layout, to_layout, dtype_bytes(plan.dataset().dtype()),
                              batch_bytes >= least_past_caches_in_place, kernels);
  run_team(team, [&](unsigned worker, bool own_threads) {
    if (!rooms[worker]) return;  // nothing is its own, and without room it cannot help
    LayoutConversion::Scratch scratch;
    std::byte* const room = rooms[worker]->data();
    while (const auto piece = shares.take(worker, own_threads))
      for (std::uint64_t batch = piece->units.begin; batch < piece->units.end; ++batch) {
        const ByteRange bytes = plan.dataset().batch_bytes(batch);
        conversion.convert(buffer.data() + bytes.begin, room, plan.dataset().batch_rows(batch).count(), cols,
                           scratch);
        back.copy(room, buffer.data() + bytes.begin, bytes.bytes());
      }
    back.done(scratch);
  });
}

void convert_batch(const void* from, Layout from_layout, void* to, Layout to_layout, DType dtype,
                   std::uint64_t rows, std::uint64_t cols) {
  const std::size_t width = dtype_bytes(dtype);
  const auto elements = base::checked_mul(rows, cols);
  const auto bytes = elements ? base::checked_mul(*elements, width) : std::nullopt;
  if (!bytes)
    throw InvalidArgument(base::text("convert_batch: ", rows, " x ", cols, " elements of ", width,
                                     " bytes are more than 2^64 bytes"));
  if (*bytes == 0) return;
  NODEWISE_EXPECTS(is_aligned(from, width) && is_aligned(to, width));
  if (overlap(from, to, *bytes))
    throw InvalidArgument(base::text("convert_batch: the ", *bytes,
                                     " bytes of one layout overlap those of the other; give them room"));
  const LayoutConversion conversion(from_layout, to_layout, width, *bytes >= least_past_caches,
                                    *best_kernels().layouts);
  LayoutConversion::Scratch scratch;
  conversion.convert(static_cast<const std::byte*>(from), static_cast<std::byte*>(to), rows, cols, scratch);
  conversion.done(scratch);
}

}  // namespace nodewise
