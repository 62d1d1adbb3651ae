// The memory of a buffer before it is touched: mapped, in pages of the requested kind.
#pragma once

#include <string>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/error.hpp>

namespace nodewise {

/// Memory for a plan; it is neither bound nor touched.
struct MappedMemory {
  Pages pages;
  std::byte* data = nullptr;    ///< The first byte of the dataset, inside `pages`; null if there is none.
  std::size_t slice_bytes = 0;  ///< Two workers must not populate parts of the same slice of this size.
  /// The bytes that are populated before they are filled; the caches hold them.
  std::size_t piece_bytes = 0;
};

/// Maps memory for `plan`, in pages of `kind`; if there are none, in pages of the next best kind, which is
/// recorded as a degradation. Throws PlacementError if the binding is required and there are no pages of
/// `kind`, and SystemError if there is no memory at all.
MappedMemory map_memory(const Plan& plan, const Topology& topology, PageKind kind,
                        std::vector<Degradation>& degradations);

/// Maps memory that no pool gives, for a plan that is for the pages of a pool. Throws PlacementError if the
/// machine has no room for it, and SystemError if it cannot be mapped.
MappedMemory map_without_pool(const Plan& plan, const Topology& topology,
                              std::vector<Degradation>& degradations);

/// The message of an error of this library, without the name of a call that the user did not make.
std::string without_call(const SystemError& error);

/// Takes memory that the caller has mapped and not touched.
MappedMemory use_memory(const Plan& plan, Pages pages, std::vector<Degradation>& degradations);

/// Whether each shard of `plan` must be a mapping of its own. This is so if the kernel does not answer for
/// single pages, because then its sums for each mapping are used.
bool needs_separate_shards(const Plan& plan);

/// Makes the kernel keep neighbouring shards of `plan` at `data`, and the `border` bytes behind them, as
/// separate mappings, so that it counts the pages of each shard. Returns 0 or an errno.
int separate_shards(const Plan& plan, std::byte* data, std::size_t border);

/// The same; a refusal is recorded as a degradation.
void separate_shards(const Plan& plan, std::byte* data, std::size_t border,
                     std::vector<Degradation>& degradations);

}  // namespace nodewise
