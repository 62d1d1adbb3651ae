// What is free on a node now.
#pragma once

#include <cstdint>
#include <optional>

#include <nodewise/topology.hpp>

namespace nodewise {

/// Free and cheaply reclaimable bytes of a node; nothing where the system does not say.
std::optional<std::uint64_t> free_bytes_now(const Node& node);
/// Those of them that nothing uses, not even the page cache, and that the kernel gives without turning to
/// another node first.
std::optional<std::uint64_t> unused_bytes_now(const Node& node);
/// Free bytes in a node's pool of pages of `page_bytes`; nothing where there is no such pool.
std::optional<std::uint64_t> free_pool_bytes_now(const Node& node, std::size_t page_bytes);

}  // namespace nodewise
