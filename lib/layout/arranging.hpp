// What a loader does with layouts: it arranges its dataset while it is filled, or rearranges it in place.
#pragma once

#include <nodewise/buffer.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

class NodePools;

/// As convert_layout in place, for memory that no other process reads; so a segment may be converted before
/// it is published.
void convert_in_place(Buffer& buffer, Layout layout, const Team& team, const NodePools& pools);

/// Whether batches in `layout` have each element in the same place as in Layout::rows. If so, they can be
/// filled while they are placed.
bool is_filled_as_rows(const Plan& plan, Layout layout) noexcept;

/// Fills placed memory batch by batch with the rows that `fill` writes, and arranges them in the layout of
/// the buffer. Each worker takes memory for one batch. The first exception that `fill` throws is rethrown
/// here.
void fill_arranged(Buffer& buffer, const Buffer::Fill& fill, const Team& team);

}  // namespace nodewise
