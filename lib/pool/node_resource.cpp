#include <nodewise/node_resource.hpp>

#include <algorithm>
#include <cstdint>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "buffer/free_memory.hpp"
#include "pages/huge_pages.hpp"
#include "pool/check_node.hpp"

namespace nodewise {
namespace {

// `pool_page_bytes`: of the huge pages that were asked for; 0 if they were not.
[[noreturn]] void throw_out_of_memory(const Node& node, std::size_t bytes, std::size_t pool_page_bytes,
                                      const std::string& why) {
  const auto free = pool_page_bytes != 0 ? free_pool_bytes_now(node, pool_page_bytes) : free_bytes_now(node);
  throw OutOfMemory(base::text("NodeResource: node ", node.os_index, " is to give ", base::human_bytes(bytes),
                               " (", bytes, " bytes) and has ",
                               free ? base::text(base::human_bytes(*free), " (", *free, " bytes)")
                                    : std::string("an unknown number of bytes"),
                               pool_page_bytes != 0 ? " of huge pages" : "",
                               " free; ask for less, take another node, or let pools spill: ", why));
}

// Writes something into each page. If Linux (from 6.12 on) splits a huge page in order to move it, it drops
// the parts that are all zero. A later write to such a part would need a new page, which a full node may not
// have.
void mark_pages(std::byte* at, std::size_t bytes, std::size_t page_bytes) {
  for (std::size_t page = 0; page < bytes; page += page_bytes) at[page] = std::byte{1};
}

}  // namespace

NodeResource::NodeResource(const Team& team, unsigned node, PageKind pages)
    : team_(team), node_(node), pages_(pages) {
  check_node("NodeResource", node, team.topology());
}

NodeResource::~NodeResource() = default;

std::size_t NodeResource::page_bytes() const {
  const std::size_t base = team_.topology().page_bytes();
  return pages_ == PageKind::hugetlb ? std::max(base, default_hugetlb_page_bytes()) : base;
}

// A dataset whose rows are pages; all of them are one batch.
Plan NodeResource::plan_of(std::size_t bytes) const {
  PlanOptions options;
  options.binding = Binding::required;
  options.targets = {node_};
  options.page_bytes = page_bytes();
  const std::uint64_t rows = (bytes - 1) / options.page_bytes + 1;
  return Plan(team_.topology(), {{rows, options.page_bytes}, DType::u8, rows}, options);
}

// Each block is verified before it is returned. If a page of it lies on another node, it is unmapped at once.
Buffer NodeResource::place(std::size_t bytes) {
  const Node& node = team_.topology().node(node_);
  const std::size_t pool_page_bytes = pages_ == PageKind::hugetlb ? page_bytes() : 0;
  if (bytes > node.memory_bytes)
    throw_out_of_memory(node, bytes, pool_page_bytes,
                        base::text("it has ", node.memory_bytes, " bytes in all"));
  std::string why;
  try {
    const std::size_t base_page_bytes = team_.topology().page_bytes();
    Buffer block =
        Buffer::allocate(plan_of(bytes), team_, pages_, [base_page_bytes](std::byte* at, ByteRange range) {
          mark_pages(at, range.bytes(), base_page_bytes);
        });
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
  throw_out_of_memory(node, bytes, pool_page_bytes, why);
}

void NodeResource::keep(const std::vector<Degradation>& lost) {
  const std::lock_guard lock(mutex_);
  for (const Degradation& one : lost) degradations_.insert_or_assign(one.kind, one);
}

void* NodeResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (bytes > PTRDIFF_MAX)
    throw OutOfMemory(base::text("NodeResource: ", bytes, " bytes exceed the address space"));
  if (alignment > page_bytes())
    throw InvalidArgument(base::text("NodeResource: blocks are aligned to pages of ", page_bytes(),
                                     " bytes, and ", alignment, " is asked for"));
  auto block = std::make_shared<Buffer>(place(std::max<std::size_t>(bytes, 1)));
  void* const data = block->data();
  const std::lock_guard lock(mutex_);
  mapped_bytes_ += block->pages().size_bytes();
  blocks_.emplace(data, std::move(block));
  return data;
}

void NodeResource::do_deallocate(void* block, std::size_t, std::size_t) {
  decltype(blocks_)::node_type unmapped_outside_the_lock;
  const std::lock_guard lock(mutex_);
  unmapped_outside_the_lock = blocks_.extract(block);
  if (unmapped_outside_the_lock) mapped_bytes_ -= unmapped_outside_the_lock.mapped()->pages().size_bytes();
}

std::uint64_t NodeResource::mapped_bytes() const {
  const std::lock_guard lock(mutex_);
  return mapped_bytes_;
}

PlacementBytes NodeResource::placement() const {
  // Keeps the blocks alive until the kernel has been asked about them.
  std::vector<std::shared_ptr<const Buffer>> blocks;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [at, block] : blocks_) blocks.push_back(block);
  }
  PlacementBytes sum;
  for (const auto& block : blocks) sum += Placement::of(*block).total();
  return sum;
}

std::vector<Degradation> NodeResource::degradations() const {
  const std::lock_guard lock(mutex_);
  std::vector<Degradation> all;
  for (const auto& [kind, lost] : degradations_) all.push_back(lost);
  return all;
}

}  // namespace nodewise
