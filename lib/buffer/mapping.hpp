// A buffer's memory before anybody has touched it: mapped, in pages of the kind that was asked for.
#pragma once

#include <vector>

#include <nodewise/buffer.hpp>

namespace nodewise {

/// Memory for a plan that is neither bound nor touched.
struct MappedMemory {
  Pages pages;
  std::byte* data = nullptr;    ///< The first byte of the dataset, inside `pages`; null: no bytes.
  std::size_t slice_bytes = 0;  ///< No two workers may populate parts of one slice of this size.
  std::size_t piece_bytes = 0;  ///< How much is populated before it is filled: what the caches hold.
};

/// New memory for `plan`, of `kind` or, with a degradation, of the next best one. Throws PlacementError
/// where a required binding does not get the kind, SystemError where there is no memory at all.
MappedMemory map_memory(const Plan& plan, const Topology& topology, PageKind kind,
                        std::vector<Degradation>& degradations);

/// Memory that the caller has mapped, and that is untouched.
MappedMemory use_memory(const Plan& plan, Pages pages, std::vector<Degradation>& degradations);

/// Whether each shard of `plan` must be a mapping of its own: where pages cannot be asked about one by one,
/// the kernel's sums for each mapping have to do.
bool needs_separate_shards(const Plan& plan);

/// Has the kernel keep neighbouring shards of `plan` at `data` as separate mappings, so that it sums up the
/// pages of each shard; `border` bytes behind them too. 0, or an errno.
int separate_shards(const Plan& plan, std::byte* data, std::size_t border);

/// The same; a refusal becomes a degradation.
void separate_shards(const Plan& plan, std::byte* data, std::size_t border,
                     std::vector<Degradation>& degradations);

}  // namespace nodewise
