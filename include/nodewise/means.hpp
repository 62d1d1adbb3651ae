// Means of batches: the exact sum of the elements divided by their number, rounded once. So a mean has the
// same bits for any number of workers (pinned threads, team.hpp) and nodes.
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

/// The name of the definition of a mean that docs/means.md gives: "exact-1". An exact sum does not depend on
/// the order in which elements are added.
NODEWISE_PUBLIC std::string_view sum_order() noexcept;

/// Consecutive bytes that one worker read, as offsets from the first byte of the dataset. Offsets do not say
/// where in memory the batches lie.
struct ReadRange {
  unsigned worker = 0;
  ByteRange bytes;
};

/// The means of a computation, and which worker read which bytes.
struct Means {
  std::vector<double> values;    ///< One for each batch.
  std::vector<Worker> team;      ///< Each worker, with the node and CPU on which it ran, as the kernel said.
  std::vector<ReadRange> reads;  ///< Disjoint; they cover all batches that were read.
  bool on_calling_thread = false;  ///< True in a forked child, where the calling thread does all the work.
};

/// The mean of all elements of each batch of `buffer`, which the workers of `team` read. An empty dataset has
/// no means. A mean that is NaN is the canonical quiet NaN. Throws PlacementError if the buffer was planned
/// for another machine. Cost: one pass over the data. Thread class: any thread.
NODEWISE_PUBLIC Means batch_means(const Buffer& buffer, const Team& team);

/// As above, but writes the means to `values`, so that a loop can use the same memory again; Means::values
/// stays empty. Throws InvalidArgument unless `values` has one element for each batch.
NODEWISE_PUBLIC Means batch_means(const Buffer& buffer, const Team& team, std::span<double> values);

/// The means of the batches that `stream` gives, from its present position to its end. A run (consecutive
/// batches in contiguous memory, stream.hpp) is read by the workers of its node, or by all workers if its
/// node is not known. Means are stored by batch number. For a batch that the stream does not give,
/// Means::values has NaN. The overload with `values` leaves that batch's element unchanged.
///
/// Works in rounds: waits for a run, leases all runs that are ready (at most 1024), lets the team read them,
/// and ends their leases. Throws what the stream throws; `values` then has the means of the batches that the
/// stream gave before it threw. Throws InvalidArgument if the stream gives batches that its dataset does not
/// have, more batches than it has, or a run without data, and OutOfRange if it names a node that the machine
/// does not have. Cost: one pass over the data, and the calls of the team. Thread class: one thread at a time
/// for a stream.
NODEWISE_PUBLIC Means batch_means(BatchStream& stream, const Team& team);
NODEWISE_PUBLIC Means batch_means(BatchStream& stream, const Team& team, std::span<double> values);

/// The mean of `count` elements at `data`, computed on the calling thread, with the same bits as batch_means.
/// The mean of 0 elements is NaN. `data` needs no alignment. Thread class: any thread.
NODEWISE_PUBLIC double mean(const void* data, DType dtype, std::uint64_t count);

/// Rounds as Python's round(value, 4): the exact binary value is rounded to four decimals, ties to even, and
/// the result is the double nearest to that decimal number. Infinities and NaN are returned as they are.
/// Thread class: any thread.
NODEWISE_PUBLIC double round_to_4(double value) noexcept;

}  // namespace nodewise
