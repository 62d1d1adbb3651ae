#include "pages/huge_pages.hpp"

#include <cerrno>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/limits.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {

namespace {

TransparentPages by_switch(const std::string& name) {
  const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
  const auto chosen = os::current().read_text(folder + name);
  TransparentPages result;
  result.page_bytes = os::number_in(folder + "hpage_pmd_size").value_or(0);
  result.allowed = chosen.ok() && result.page_bytes > 0 &&
                   chosen.value.find("[never]") == std::string::npos &&
                   chosen.value.find("[deny]") == std::string::npos;
  return result;
}

}  // namespace

TransparentPages transparent_pages() {
  return by_switch("enabled");
}

TransparentPages shared_transparent_pages() {
  return by_switch("shmem_enabled");
}

std::size_t default_hugetlb_page_bytes() {
  return os::meminfo_bytes(os::current().read_text("/proc/meminfo").value, "Hugepagesize:");
}

std::string huge_pages_limited(std::uint64_t bytes, std::size_t page_bytes) {
  const auto room = os::huge_page_room(page_bytes);
  if (!room || room->bytes >= bytes) return {};
  return base::text("the control group's ", room->limit, " is ", base::human_bytes(room->limit_bytes), " (",
                    base::human_bytes(room->used_bytes), " in use) and leaves ",
                    base::human_bytes(room->bytes), "; raise it, or ask for transparent pages");
}

std::string why_no_huge_pages(std::uint64_t bytes, std::size_t page_bytes) {
  if (std::string limited = huge_pages_limited(bytes, page_bytes); !limited.empty()) return limited;
  const std::string limits = os::memory_limits();
  return base::text("the pools do not hold ", bytes / page_bytes, " free huge pages of ",
                    base::human_bytes(page_bytes), limits.empty() ? "" : " (or a limit is reached: ", limits,
                    limits.empty() ? "" : ")", "; enlarge the pool (/sys/kernel/mm/hugepages/hugepages-",
                    page_bytes / 1024, "kB/nr_hugepages) or ask for transparent pages");
}

void throw_no_hugetlb(const char* call) {
  const auto meminfo = os::current().read_text("/proc/meminfo");
  if (!meminfo.ok())
    throw SystemError(base::text(call,
                                 ": the size of hugetlb pages is not known, because /proc/meminfo cannot "
                                 "be read; mount /proc, or ask for transparent pages"),
                      meminfo.error);
  throw SystemError(base::text(call, ": this kernel has no hugetlb pages; ask for transparent pages"),
                    ENOSYS);
}

}  // namespace nodewise
