// What a loader does with layouts: its dataset arranged while it is filled, or rearranged where it lies.
#pragma once

#include <nodewise/buffer.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

class NodePools;

/// As convert_layout in place, of memory that no other process reads: a segment may be converted until it is
/// published.
void convert_in_place(Buffer& buffer, Layout layout, const Team& team, const NodePools& pools);

/// Whether batches in `layout` have every element where Layout::rows has it, so that placing can fill them.
bool is_filled_as_rows(const Plan& plan, Layout layout) noexcept;

/// Fills placed memory batch by batch with the rows that `fill` gives, arranged by the buffer's layout. Each
/// worker has room for one batch. What `fill` throws is thrown here, the first one, if several.
void fill_arranged(Buffer& buffer, const Buffer::Fill& fill, const Team& team);

}  // namespace nodewise
