// Per-batch means, the same to the bit whoever computes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/dtype.hpp>
#include <nodewise/export.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

/// The name of the definition of a mean in docs/means.md: "exact-1", for the sum is exact and has no order.
NODEWISE_PUBLIC std::string_view sum_order() noexcept;

/// Elements that one worker read, in order: bytes counted as in ByteRange.
struct ReadRange {
  unsigned worker = 0;
  ByteRange bytes;
};

/// What a computation gave, and who read what.
struct Means {
  std::vector<double> values;      ///< One for each batch.
  std::vector<Worker> team;        ///< Each worker where it really ran: node and CPU as the kernel said.
  std::vector<ReadRange> reads;    ///< Disjoint, covering the dataset.
  bool on_calling_thread = false;  ///< In a forked child, where no parallel region can be formed.
};

/// Means over all elements of each batch of `buffer`, read by the workers of `team`: the exact sum divided by
/// the count, rounded once. An empty dataset gives none. NaN results are the canonical quiet NaN. Cost: one
/// pass over the data. Thread class: any thread.
NODEWISE_PUBLIC Means batch_means(const Buffer& buffer, const Team& team);

/// The same into memory of the caller, which a loop can use again and again; `values` of the result stays
/// empty. Throws InvalidArgument where `values` has not one element for each batch.
NODEWISE_PUBLIC Means batch_means(const Buffer& buffer, const Team& team, std::span<double> values);

/// The mean of `count` elements at `data`, on the calling thread: by definition the same bits as
/// batch_means. An empty range gives NaN. `data` needs no alignment. Thread class: any thread.
NODEWISE_PUBLIC double mean(const void* data, DType dtype, std::uint64_t count);

/// As Python's round(value, 4): the exact binary value rounded half to even, to the nearest double.
/// Infinities and NaN stay as they are. Thread class: any thread.
NODEWISE_PUBLIC double round_to_4(double value) noexcept;

}  // namespace nodewise
