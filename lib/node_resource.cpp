#include <nodewise/node_resource.hpp>

#include <algorithm>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "huge_pages.hpp"
#include "preflight.hpp"

namespace nodewise {
namespace {

[[noreturn]] void throw_out_of_memory(const Node& node, std::size_t bytes, const std::string& why) {
  const auto free = free_bytes_now(node);
  throw OutOfMemory(base::text("NodeResource: node ", node.os_index, " is to give ", base::human_bytes(bytes),
                               " (", bytes, " bytes) and has ",
                               free ? base::text(base::human_bytes(*free), " (", *free, " bytes)")
                                    : std::string("an unknown number of bytes"),
                               " free: ", why));
}

// Something in each page. Where Linux splits a huge page in order to move it (from 6.12 on) it drops the
// parts that are all zero, and whoever writes to one later needs a page that a full node no longer has.
void mark_pages(std::byte* at, std::size_t bytes, std::size_t page_bytes) {
  for (std::size_t page = 0; page < bytes; page += page_bytes) at[page] = std::byte{1};
}

}  // namespace

NodeResource::NodeResource(const Team& team, unsigned node, PageKind pages)
    : team_(team), node_(team.topology().node(node).index), pages_(pages) {}

NodeResource::~NodeResource() = default;

// Rows of one page, all of them one batch.
Plan NodeResource::plan_of(std::size_t bytes) const {
  PlanOptions options;
  options.binding = Binding::required;
  options.targets = {node_};
  options.page_bytes = team_.topology().page_bytes();
  if (pages_ == PageKind::hugetlb)
    options.page_bytes = std::max(options.page_bytes, default_hugetlb_page_bytes());
  const std::uint64_t rows = (bytes - 1) / options.page_bytes + 1;
  return Plan(team_.topology(), {rows, options.page_bytes}, DType::u8, rows, options);
}

// Looked at before it is given: what is not where it should be goes back at once.
Buffer NodeResource::place(std::size_t bytes) {
  const Node& node = team_.topology().node(node_);
  std::string why;
  try {
    const std::size_t page_bytes = team_.topology().page_bytes();
    Buffer block = Buffer::allocate(
        plan_of(bytes), team_, pages_,
        [page_bytes](std::byte* at, ByteRange range) { mark_pages(at, range.bytes(), page_bytes); });
    const Placement placement = Placement::of(block);
    const PlacementBytes found = placement.total();
    if (found.misplaced_bytes + found.absent_bytes == 0) {
      keep(placement.degradations());
      return block;
    }
    why = base::text("of what was mapped ", found.misplaced_bytes, " bytes came from other nodes, and ",
                     found.absent_bytes, " did not come; it was given back");
  } catch (const InvalidArgument&) {
    throw;
  } catch (const Error& error) {
    why = error.what();
  }
  throw_out_of_memory(node, bytes, why);
}

void NodeResource::keep(const std::vector<Degradation>& lost) {
  const std::lock_guard lock(mutex_);
  for (const Degradation& one : lost) degradations_.insert_or_assign(one.name, one);
}

void* NodeResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  Buffer block = place(std::max<std::size_t>(bytes, 1));
  void* const data = block.data();
  if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0)
    throw InvalidArgument(base::text("NodeResource: a block is aligned to its page of ",
                                     block.pages().page_bytes(), " bytes, and ", alignment, " is asked for"));
  const std::lock_guard lock(mutex_);
  const auto kept = blocks_.emplace(data, std::move(block)).first;
  mapped_bytes_ += kept->second.pages().size_bytes();
  return data;
}

void NodeResource::do_deallocate(void* block, std::size_t, std::size_t) {
  decltype(blocks_)::node_type unmapped_outside_the_lock;
  const std::lock_guard lock(mutex_);
  unmapped_outside_the_lock = blocks_.extract(block);
  if (unmapped_outside_the_lock) mapped_bytes_ -= unmapped_outside_the_lock.mapped().pages().size_bytes();
}

std::uint64_t NodeResource::mapped_bytes() const {
  const std::lock_guard lock(mutex_);
  return mapped_bytes_;
}

PlacementBytes NodeResource::placement() const {
  const std::lock_guard lock(mutex_);
  PlacementBytes sum;
  for (const auto& [at, block] : blocks_) sum += Placement::of(block).total();
  return sum;
}

std::vector<Degradation> NodeResource::degradations() const {
  const std::lock_guard lock(mutex_);
  std::vector<Degradation> all;
  for (const auto& [name, lost] : degradations_) all.push_back(lost);
  return all;
}

}  // namespace nodewise
