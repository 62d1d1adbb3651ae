#include "huge_pages.hpp"

#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {

TransparentPages transparent_pages() {
  const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
  const auto enabled = os::current().read_text(folder + "enabled");
  TransparentPages result;
  result.page_bytes = os::number_in(folder + "hpage_pmd_size").value_or(0);
  result.allowed =
      enabled.ok() && result.page_bytes > 0 && enabled.value.find("[never]") == std::string::npos;
  return result;
}

std::size_t default_hugetlb_page_bytes() {
  return os::meminfo_bytes(os::current().read_text("/proc/meminfo").value, "Hugepagesize:");
}

}  // namespace nodewise
