// The steps by which a buffer is placed: map, bind before any touch, populate on all nodes at once.
#pragma once

#include <vector>

#include <nodewise/buffer.hpp>

namespace nodewise {

/// Placed memory: every page is present. The degradations say what of the plan was lost.
struct PlacedMemory {
  Pages pages;
  std::byte* data = nullptr;  ///< The first byte of the dataset, inside `pages`.
  PlacingRung rung = PlacingRung::none;
  std::vector<Degradation> degradations;
};

/// Maps memory of `kind`, places it by `plan`, and fills it with `fill`, if given. Throws as
/// Buffer::allocate.
PlacedMemory place(const Plan& plan, const Team& team, PageKind kind, const Buffer::Fill& fill);

/// The same for memory that is already mapped, and untouched.
PlacedMemory place(const Plan& plan, const Team& team, Pages pages, const Buffer::Fill& fill);

}  // namespace nodewise
