// Per-batch means: the same bits from any number of workers and nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/dtype.hpp>
#include <nodewise/export.hpp>
#include <nodewise/stream.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

/// The name of the definition of a mean in docs/means.md: "exact-1", because the sum is exact and so has no
/// order.
NODEWISE_PUBLIC std::string_view sum_order() noexcept;

/// Consecutive elements that one worker read, as a range of bytes counted from the dataset's first byte,
/// wherever in memory they were.
struct ReadRange {
  unsigned worker = 0;
  ByteRange bytes;
};

/// The means of a computation, and which worker read which bytes.
struct Means {
  std::vector<double> values;  ///< One for each batch.
  std::vector<Worker>
      team;  ///< Each worker, with the node and CPU where it really ran, as the kernel reported them.
  std::vector<ReadRange> reads;    ///< Disjoint, covering all batches that were read.
  bool on_calling_thread = false;  ///< True in a forked child, where no parallel region can be formed.
};

/// Means over all elements of each batch of `buffer`, read by the workers of `team`: the exact sum divided by
/// the count, rounded once. An empty dataset has no means. NaN results are the canonical quiet NaN. Cost: one
/// pass over the data. Thread class: any thread.
NODEWISE_PUBLIC Means batch_means(const Buffer& buffer, const Team& team);

/// The same, but the means are written to memory of the caller, which a loop can reuse; `values` of the
/// result stays empty. Throws InvalidArgument unless `values` has one element for each batch.
NODEWISE_PUBLIC Means batch_means(const Buffer& buffer, const Team& team, std::span<double> values);

/// The same for the batches that `stream` gives from where it stands to its end, wherever each lies. A run
/// (consecutive batches in contiguous memory, see BatchLease) is read by the workers of its node, or by all
/// workers if its node is not known. A mean is stored by the number of its batch. For a batch that the stream
/// does not give, the first overload returns NaN; the second leaves its element of `values` unchanged. All
/// runs that are ready are leased together, at most 1024; these leases end before the next runs are leased.
/// Throws what the stream throws; `values` then holds the means of all batches that the stream gave before.
/// Throws InvalidArgument where the stream gives batches that its dataset does not have, and OutOfRange where
/// it names a node that the team's machine does not have. Cost: one pass over the data; a call of the team
/// each time that runs are leased.
NODEWISE_PUBLIC Means batch_means(BatchStream& stream, const Team& team);
NODEWISE_PUBLIC Means batch_means(BatchStream& stream, const Team& team, std::span<double> values);

/// The mean of `count` elements at `data`, on the calling thread: by definition the same bits as
/// batch_means. An empty range gives NaN. `data` needs no alignment. Thread class: any thread.
NODEWISE_PUBLIC double mean(const void* data, DType dtype, std::uint64_t count);

/// As Python's round(value, 4): the exact binary value is rounded to four decimals, ties to even; the result
/// is the double nearest to that decimal. Infinities and NaN stay as they are. Thread class: any thread.
NODEWISE_PUBLIC double round_to_4(double value) noexcept;

}  // namespace nodewise
