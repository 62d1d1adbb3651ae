// Asking where every page is, beside a bare loop of move_pages.
//
//   placement/pages:base/mib:M         pages that are there
//   placement/reserved_gib:G           addresses that nobody touched: memory must not grow with them
//   placement/reserved_tib:1           the same
//   placement/sample:N/mib:M           N bytes of pages that are there, drawn at random
//   placement/sample:N/reserved_tib:1  the same where nobody touched: time must not grow with the size
#include <nodewise/placement.hpp>

#include <numaif.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "support/counted_heap.hpp"
#include "support/data.hpp"
#include "support/mapping.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::Buffer;
using nodewise::Placement;

nodewise::Plan plan_of(std::uint64_t bytes) {
  constexpr std::uint64_t features = 128;
  return {machine(), {{bytes / features, features}, nodewise::DType::u8, (4 << 20) / features}};
}

/// Present for as long as somebody asks.
std::shared_ptr<const Buffer> present(std::size_t bytes) {
  static std::weak_ptr<const Buffer> kept;
  auto buffer = kept.lock();
  if (!buffer)
    buffer =
        std::make_shared<const Buffer>(Buffer::allocate(plan_of(bytes), team(1), nodewise::PageKind::base));
  kept = buffer;
  return buffer;
}

std::shared_ptr<const Buffer> reserved(std::size_t bytes) {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  auto pages = nodewise::Pages::adopt(data, bytes, [bytes](void* mapped) { ::munmap(mapped, bytes); });
  return std::make_shared<const Buffer>(Buffer::adopt(plan_of(bytes), machine(), std::move(pages)));
}

/// Where each page is, as the kernel says it, counted by node; `at_once` pages in a call.
Work bare_loop(std::shared_ptr<const Buffer> buffer, std::size_t at_once) {
  return [=, pages = std::vector<void*>(at_once), data = const_cast<std::byte*>(buffer->data()),
          status = std::vector<int>(at_once),
          on_node = std::vector<std::uint64_t>(machine().nodes().size())]() mutable {
    const std::size_t count = buffer->plan().mapped_bytes() / base_page_bytes;
    for (std::size_t first = 0; first < count; first += at_once) {
      const std::size_t now = std::min(at_once, count - first);
      for (std::size_t i = 0; i < now; ++i) pages[i] = data + (first + i) * base_page_bytes;
      if (::move_pages(0, now, pages.data(), nullptr, status.data(), 0) != 0)
        throw std::system_error(errno, std::generic_category(), "move_pages");
      for (std::size_t i = 0; i < now; ++i)
        if (status[i] >= 0 && static_cast<std::size_t>(status[i]) < on_node.size())
          ++on_node[static_cast<std::size_t>(status[i])];
    }
    benchmark::DoNotOptimize(on_node.data());
  };
}

using Ways = std::initializer_list<std::size_t>;

/// `at_once`: pages in a call, for each bare loop.
void add_ways(const std::string& name, const std::function<std::shared_ptr<const Buffer>()>& buffer,
              Ways at_once, int least) {
  const auto heap = std::make_shared<double>(0);
  add(name, "nodewise",
      [=]() -> Work {
        return [asked = buffer(), heap] {
          *heap = heap_bytes_of([&] { benchmark::DoNotOptimize(Placement::of(*asked).total()); });
        };
      },
      {.least = least, .figures = [heap]() -> Figures {
         return {{"heap_bytes", *heap}};
       }});
  for (const std::size_t pages : at_once)
    add(name, fmt::format("move_pages_{}", pages), [=] { return bare_loop(buffer(), pages); },
        {.least = least});
}

/// `drawn` bytes instead of all, others each time.
void add_sample(const std::string& where, const std::function<std::shared_ptr<const Buffer>()>& buffer,
                std::uint64_t drawn) {
  add(fmt::format("placement/sample:{}/{}", drawn, where), "nodewise", [=]() -> Work {
    return [=, asked = buffer(), seed = std::uint64_t{0}]() mutable {
      benchmark::DoNotOptimize(sample_placement(*asked, drawn, seed++).drawn);
    };
  });
}

void add_cases() {
  const std::size_t bytes = large_mib() << 20;
  add_ways(
      fmt::format("placement/pages:base/mib:{}", large_mib()), [bytes] { return present(bytes); },
      {512, 4096, 16384, 65536}, 3);
  for (const std::size_t gib : {16U, 64U})
    add_ways(
        fmt::format("placement/reserved_gib:{}", gib), [gib] { return reserved(gib << 30); }, {16384}, 1);
  // A bare loop would take half a minute.
  add_ways(
      "placement/reserved_tib:1", [] { return reserved(std::size_t{1} << 40); }, {}, 1);
  for (const std::uint64_t drawn : {1000U, 10000U, 100000U}) {
    add_sample(
        fmt::format("mib:{}", large_mib()), [bytes] { return present(bytes); }, drawn);
    add_sample(
        "reserved_tib:1", [] { return reserved(std::size_t{1} << 40); }, drawn);
  }
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
