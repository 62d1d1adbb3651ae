// How a buffer gets its place: mapped, bound before any touch, populated from the right nodes, all at once.
#pragma once

#include <vector>

#include <nodewise/buffer.hpp>

namespace nodewise {

/// Memory whose pages are there, and what became of what the plan wanted.
struct PlacedMemory {
  Pages pages;
  std::byte* data = nullptr;  ///< The first byte of the dataset, inside `pages`.
  PlacingRung rung = PlacingRung::none;
  std::vector<Degradation> degradations;
};

/// New memory of `kind`, placed as `plan` says and filled by `fill`, if given. Throws as Buffer::allocate.
PlacedMemory place(const Plan& plan, const Team& team, PageKind kind, const Buffer::Fill& fill);

/// The same for memory that is mapped and untouched.
PlacedMemory place(const Plan& plan, const Team& team, Pages pages, const Buffer::Fill& fill);

}  // namespace nodewise
