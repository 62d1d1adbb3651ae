#include "pages/huge_pages.hpp"

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

}  // namespace nodewise
