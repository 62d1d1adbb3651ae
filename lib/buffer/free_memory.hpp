// The free memory of a node now.
#pragma once

#include <cstdint>
#include <optional>

#include <nodewise/topology.hpp>

namespace nodewise {

/// The free and cheaply reclaimable bytes of a node. Empty if the system does not state them.
std::optional<std::uint64_t> free_bytes_now(const Node& node);
/// The bytes among them that nothing uses, not even the page cache, and that the kernel gives before it turns
/// to another node.
std::optional<std::uint64_t> unused_bytes_now(const Node& node);
/// The free bytes in a node's pool of pages of `page_bytes`. Empty if there is no such pool.
std::optional<std::uint64_t> free_pool_bytes_now(const Node& node, std::size_t page_bytes);

}  // namespace nodewise
