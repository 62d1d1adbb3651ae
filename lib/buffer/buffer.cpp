#include <nodewise/buffer.hpp>

#include <nodewise/error.hpp>
#include <nodewise/expects.hpp>

#include "base/text.hpp"
#include "buffer/mapping.hpp"
#include "buffer/placing.hpp"
#include "pages/huge_pages.hpp"
#include "pages/parts.hpp"

namespace nodewise {

std::string_view to_string(PlacingRung rung) noexcept {
  switch (rung) {
    case PlacingRung::mbind:
      return "mbind";
    case PlacingRung::first_touch:
      return "first_touch";
    case PlacingRung::none:
      return "none";
  }
  return {};
}

std::string_view to_string(AskingRung rung) noexcept {
  switch (rung) {
    case AskingRung::move_pages:
      return "move_pages";
    case AskingRung::numa_maps:
      return "numa_maps";
    case AskingRung::none:
      return "none";
  }
  return {};
}

Buffer::Buffer(Plan plan, Topology topology, PlacedMemory memory)
    : plan_(std::move(plan)),
      topology_(std::move(topology)),
      pages_(std::move(memory.pages)),
      data_(memory.data),
      placing_rung_(memory.rung),
      degradations_(std::move(memory.degradations)) {}

std::byte* Buffer::data() {
  if (!pages_.writable())
    throw InvalidArgument(
        "Buffer::data: this memory may only be read; ask a const Buffer for its address, open the segment "
        "with "
        "Access::read_write, or adopt memory that may be written");
  return data_;
}

const std::byte* Buffer::address_of(std::uint64_t byte) const noexcept {
  NODEWISE_EXPECTS(byte <= plan_.dataset().total_bytes());
  return data_ + byte;
}

std::byte* Buffer::address_of(std::uint64_t byte) {
  NODEWISE_EXPECTS(byte <= plan_.dataset().total_bytes());
  return data() + byte;
}

AnyBatchView Buffer::view(std::uint64_t batch) const {
  const Dataset& dataset = plan_.dataset();
  const RowRange rows = dataset.batch_rows(batch);
  const std::uint64_t cols = dataset.shape().features;
  const Access access = pages_.writable() ? Access::read_write : Access::read_only;
  return {data_ + dataset.bytes(rows).begin, {dataset.dtype(), layout_, access}, rows.count(), cols, cols};
}

Buffer Buffer::allocate(const Plan& plan, const Team& team, PageKind kind) {
  return allocate(plan, team, kind, {});
}

void Buffer::check_machine(const char* call, const Plan& plan, const Topology& topology) {
  if (plan.fingerprint() != topology.fingerprint())
    throw PlacementError(base::text(call, ": the plan is for machine ", plan.fingerprint(), ", and this is ",
                                    topology.fingerprint()));
}

void Buffer::check_memory(const char* call, const Plan& plan, const Pages& pages) {
  const auto address = reinterpret_cast<std::uintptr_t>(pages.data());
  if (plan.dataset().total_bytes() > 0 && address % plan.page_bytes() != plan.base_offset())
    throw InvalidArgument(base::text(call, ": the memory begins ", address % plan.page_bytes(),
                                     " bytes into a page, and base_offset of the plan is ",
                                     plan.base_offset()));
  if (pages.size_bytes() < plan.dataset().total_bytes())
    throw InvalidArgument(base::text(call, ": the plan needs ", plan.dataset().total_bytes(),
                                     " bytes, the memory has ", pages.size_bytes()));
}

Buffer Buffer::allocate(const Plan& plan, const Team& team, PageKind kind, const Fill& fill) {
  if (plan.base_offset() != 0)
    throw InvalidArgument(base::text("Buffer::allocate: base_offset of the plan is ", plan.base_offset(),
                                     ", and new memory begins at a page border; make the plan with 0"));
  check_machine("Buffer::allocate", plan, team.topology());
  if (kind == PageKind::hugetlb && plan.page_bytes() <= team.topology().page_bytes()) {
    if (default_hugetlb_page_bytes() == 0) throw_no_hugetlb("Buffer::allocate");
    throw InvalidArgument(base::text(
        "Buffer::allocate: hugetlb pages need a plan for their page size, and this one is for pages of ",
        plan.page_bytes(), " bytes"));
  }
  return Buffer(plan, team.topology(), nodewise::place(plan, team, kind, fill));
}

Buffer Buffer::place(const Plan& plan, const Team& team, Pages pages, const Fill& fill) {
  check_machine("Buffer::place", plan, team.topology());
  check_memory("Buffer::place", plan, pages);
  if (plan.base_offset() != 0 || plan.page_bytes() != pages.page_bytes())
    throw InvalidArgument(base::text("Buffer::place: the plan has pages of ", plan.page_bytes(),
                                     " bytes and base_offset ", plan.base_offset(),
                                     "; the memory has pages of ", pages.page_bytes(),
                                     " bytes, and base_offset must be 0"));
  return Buffer(plan, team.topology(), nodewise::place(plan, team, std::move(pages), fill));
}

Buffer Buffer::adopt(const Plan& plan, const Topology& topology, Pages pages) {
  Buffer buffer = adopt_placed(plan, topology, std::move(pages), PlacingRung::none);
  buffer.degradations_.push_back(
      {DegradationKind::adopted, "the memory existed already and is left where it is", 0});
  return buffer;
}

Buffer Buffer::adopt_placed(const Plan& plan, const Topology& topology, Pages pages, PlacingRung rung) {
  check_machine("Buffer::adopt", plan, topology);
  check_memory("Buffer::adopt", plan, pages);
  std::byte* const data = PagesParts::address(pages);
  const bool file = pages.backing() == Backing::segment || pages.backing() == Backing::memfd;
  if (file && needs_separate_shards(plan)) separate_shards(plan, data, 0);
  return Buffer(plan, topology, {std::move(pages), data, rung, {}});
}

}  // namespace nodewise
