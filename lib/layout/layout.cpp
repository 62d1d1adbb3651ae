#include <nodewise/layout.hpp>

#include <nodewise/expects.hpp>

#include <algorithm>
#include <optional>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "kernels/dispatch.hpp"
#include "layout/arranging.hpp"
#include "layout/conversion.hpp"
#include "team/run.hpp"

namespace nodewise {
namespace {

// A smaller result is likely to be used while it is still in the caches.
constexpr std::uint64_t least_past_caches = std::uint64_t{4} << 20;

[[maybe_unused]] bool is_aligned(const void* at, std::size_t bytes) {  // only for an assertion
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

// Divides the bytes of each shard by pages among the workers that read it.
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

// For two layouts that have all elements in the same places.
void copy_bytes(const Buffer& from, Buffer& to, const Team& team, const LayoutConversion& conversion) {
  WorkShares shares(team);
  give_bytes(to.plan(), team, shares);
  run_team(team, [&](unsigned worker, bool own_threads) {
    while (const auto piece = shares.take(worker, own_threads))
      conversion.copy(from.address_of(piece->units.begin), to.address_of(piece->units.begin),
                      piece->units.size());
    conversion.fence();
  });
}

void convert_blocks(const Buffer& from, Buffer& to, const Team& team, const LayoutConversion& conversion) {
  const Plan& plan = to.plan();
  const std::uint64_t cols = plan.dataset().shape().features;
  const LayoutBlocks blocks(plan.dataset(), conversion.shape(plan.dataset().most_batch_rows(), cols),
                            conversion.order());
  WorkShares shares(team);
  blocks.give(plan, team, shares);
  run_team(team, [&](unsigned worker, bool own_threads) {
    LayoutConversion::Scratch scratch;
    while (const auto piece = shares.take(worker, own_threads))
      for (std::uint64_t number = piece->units.begin; number < piece->units.end; ++number) {
        const LayoutBlock block = blocks.block(number);
        const std::uint64_t batch = plan.dataset().batch_bytes(block.batch).begin;
        conversion.convert(block, cols, from.address_of(batch), to.address_of(batch), scratch);
      }
    conversion.done(scratch);
  });
}

}  // namespace

void convert_layout(const Buffer& from, Buffer& to, Layout layout, const Team& team) {
  const Plan& plan = to.plan();
  check_alike(from.plan(), plan);
  if (from.plan().fingerprint() != plan.fingerprint())
    throw PlacementError("convert_layout: the two buffers were planned for different machines");
  if (overlap(from.data(), to.data(), plan.dataset().total_bytes()))
    throw InvalidArgument(base::text("convert_layout: two buffers of ", plan.dataset().total_bytes(),
                                     " bytes overlap; to convert in place, give one buffer and pools"));
  if (plan.dataset().total_bytes() > 0) {
    const bool past_caches = plan.dataset().total_bytes() >= least_past_caches;
    const LayoutConversion conversion(from.layout(), layout, dtype_bytes(plan.dataset().dtype()), past_caches,
                                      *best_kernels().layouts);
    if (same_places(from.layout(), layout, plan.dataset().most_batch_rows(), plan.dataset().shape().features))
      copy_bytes(from, to, team, conversion);
    else
      convert_blocks(from, to, team, conversion);
  }
  to.assume_layout(layout);
}

void convert_layout(Buffer& buffer, Layout layout, const Team& team, const NodePools& pools) {
  if (const Backing backing = buffer.pages().backing();
      backing == Backing::segment || backing == Backing::memfd)
    throw InvalidArgument(
        "convert_layout: the buffer is a segment, which others may be reading; make the segment in this "
        "layout (LoaderOptions::layout), or convert into another buffer");
  convert_in_place(buffer, layout, team, pools);
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
