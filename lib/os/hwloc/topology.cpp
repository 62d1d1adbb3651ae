#include "os/hwloc/topology.hpp"

#include <hwloc.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/file.hpp"
#include "os/hwloc/describe.hpp"
#include "os/hwloc/synthetic_check.hpp"
#include "os/hwloc/xml_check.hpp"
#include "os/os.hpp"

namespace nodewise::os {
namespace {

constexpr std::size_t usual_page_bytes = 4096;

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Handle = std::unique_ptr<hwloc_topology, Destroy>;

// The errno of a call that may fail without setting it.
int errno_or(int otherwise) noexcept {
  return errno != 0 ? errno : otherwise;
}

Handle new_topology() {
  hwloc_topology_t topology = nullptr;
  errno = 0;
  if (hwloc_topology_init(&topology) != 0) throw SystemError("hwloc_topology_init", errno_or(ENOMEM));
  return Handle(topology);
}

// A file with its CPUs in the wrong order. Before hwloc warns about it, it looks up whether it may print.
void make_hwloc_consult_its_environment() {
  static constexpr char xml[] =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
      "<topology version=\"2.0\">\n"
      "  <object type=\"Machine\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\" "
      "allowed_cpuset=\"0x3\""
      " nodeset=\"0x1\" complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\" gp_index=\"1\">\n"
      "    <object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\" nodeset=\"0x1\""
      " complete_nodeset=\"0x1\" gp_index=\"2\"/>\n"
      "    <object type=\"PU\" os_index=\"1\" cpuset=\"0x2\" complete_cpuset=\"0x2\" nodeset=\"0x1\""
      " complete_nodeset=\"0x1\" gp_index=\"3\"/>\n"
      "    <object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x1\""
      " complete_nodeset=\"0x1\" gp_index=\"4\"/>\n"
      "  </object>\n"
      "</topology>\n";
  const Handle topology = new_topology();
  if (hwloc_topology_set_xmlbuffer(topology.get(), xml, sizeof xml) == 0) hwloc_topology_load(topology.get());
}

// hwloc prints what it finds wrong, unless an environment variable forbids it. It reads this variable once.
// So during that moment it gets an environment of ours. The environment of the process is not written to,
// other threads find in ours everything that they would have found, and children inherit nothing.
void quiet_hwloc() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::getenv("HWLOC_HIDE_ERRORS") != nullptr || std::getenv("HWLOC_SHOW_ERRORS") != nullptr) return;
    static char hide[] = "HWLOC_HIDE_ERRORS=2";
    static std::vector<char*> variables;  // static, because another thread may still be reading it afterwards
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
      variables.push_back(*variable);
    variables.push_back(hide);
    variables.push_back(nullptr);
    char** const own = environ;
    environ = variables.data();
    make_hwloc_consult_its_environment();
    if (environ == variables.data()) environ = own;  // otherwise another thread has replaced it meanwhile
  });
}

Handle configured_topology() {
  quiet_hwloc();
  Handle topology = new_topology();
  // Also objects that are not allowed: a cpuset must not change the numbers of nodes or the fingerprint.
  hwloc_topology_set_flags(topology.get(), HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  hwloc_topology_set_io_types_filter(topology.get(), HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
  // Vendors' libraries would start their drivers, which takes seconds and memory. "x86" would move the
  // calling thread from CPU to CPU and ask each of them what /sys says too. hwloc ignores unknown names.
  for (const char* component : {"cuda", "nvml", "opencl", "rsmi", "levelzero", "gl", "x86"})
    hwloc_topology_set_components(topology.get(), HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, component);
  return topology;
}

std::string refused(const std::string& what, int error) {
  return base::text(what, ": hwloc ", hwloc_version(), " refuses it (", base::errno_text(error), ")");
}

std::string version_info(hwloc_topology_t topology) {
#if HWLOC_API_VERSION >= 0x00030000
  const char* version = hwloc_get_info_by_name(hwloc_topology_get_infos(topology), "hwlocVersion");
#else
  const char* version = hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology), "hwlocVersion");
#endif
  return version == nullptr ? "" : version;
}

// hwloc reads /sys by a handful of files at a time. Where it cannot open one, it leaves out what the file
// would say, such as a node's memory, without an error.
void check_descriptors() {
  constexpr std::size_t at_once = 8;
  std::vector<File> files;
  while (files.size() < at_once) {
    const auto opened = real().open_file("/dev/null");
    if (opened.error == EMFILE || opened.error == ENFILE)
      throw SystemError("hwloc cannot describe this machine", opened.error);
    if (!opened.ok()) return;
    files.emplace_back(opened, real());
  }
}

unsigned hwloc_major() {
  return hwloc_get_api_version() >> 16;
}

// The text of a topology file, checked: hwloc crashes on some files that are not as it wrote them.
std::string checked_xml(const std::string& path) {
  auto text = current().read_text(path);
  if (text.error == EOVERFLOW)
    throw FormatError("topology file " + path + " is too long: it has no end, or is no XML");
  if (text.error == ETIMEDOUT) throw FormatError("topology file " + path + " is a pipe that gives nothing");
  if (!text.ok()) throw SystemError("topology file " + path, text.error);
  if (text.value.size() >= INT_MAX) throw FormatError(refused("topology file " + path, EFBIG));
  if (const auto fault = fault_in_xml(text.value, hwloc_major()))
    throw FormatError(base::text("topology file ", path, ": ", *fault));
  return std::move(text.value);
}

std::string refused_synthetic(const std::string& description) {
  return refused(base::text("synthetic topology ", base::quoted(description)), errno_or(EINVAL)) +
         "; one that it takes is \"pack:2 numa:2 core:4 pu:2\"";
}

void check_synthetic(const std::string& description) {
  if (const auto fault = fault_in_synthetic(description))
    throw FormatError(base::text("synthetic topology ", base::quoted(description), ": ", *fault));
}

// hwloc ignores a variable whose description it cannot read. It accepts or refuses it here, before it builds
// anything.
void set_synthetic(hwloc_topology_t topology, const std::string& description) {
  check_synthetic(description);
  errno = 0;
  if (hwloc_topology_set_synthetic(topology, description.c_str()) != 0)
    throw FormatError(refused_synthetic(description));
}

// Variables by which hwloc is given another machine. Where several are set, it takes the last one.
constexpr const char* machine_variables[] = {"HWLOC_FSROOT", "HWLOC_CPUID_PATH", "HWLOC_SYNTHETIC",
                                             "HWLOC_XMLFILE"};

void check_folder(const std::string& path) {
  const auto status = current().path_status(path);
  if (!status.ok()) throw SystemError("directory " + path, status.error);
  if (!status.value.folder) throw SystemError("directory " + path, ENOTDIR);
}

// Throws if hwloc's environment names something that hwloc would ignore, or a file or a description on
// which hwloc would crash or take minutes.
void check_environment() {
  const char* variable = nullptr;
  try {
    for (const char* name : {"HWLOC_FSROOT", "HWLOC_CPUID_PATH"})
      if (const char* path = std::getenv(variable = name)) check_folder(path);
    variable = "HWLOC_SYNTHETIC";
    if (const char* description = std::getenv(variable))
      set_synthetic(configured_topology().get(), description);
    variable = "HWLOC_XMLFILE";
    const char* path = std::getenv(variable);
    if (path != nullptr && std::string_view(path) == "-")
      throw FormatError("\"-\" is standard input, which belongs to the program; name a file");
    if (path != nullptr) checked_xml(path);
  } catch (const Error& error) {
    throw FormatError(
        base::text(variable, ": ", error.what(), "; correct the variable ", variable, " or unset it"));
  }
}

[[noreturn]] void throw_undescribed(int error) {
  const char* named = nullptr;
  for (const char* variable : machine_variables)
    if (std::getenv(variable) != nullptr) named = variable;
  if (named == nullptr) throw SystemError("hwloc cannot describe this machine", error);
  throw FormatError(base::text(named, ": hwloc ", hwloc_version(), " refuses ",
                               base::quoted(std::getenv(named)), " (", base::errno_text(error),
                               "); correct the variable ", named, " or unset it"));
}

}  // namespace

MachineData hwloc_this_machine() {
  check_descriptors();
  check_environment();
  const Handle topology = configured_topology();
  errno = 0;
  if (hwloc_topology_load(topology.get()) != 0) throw_undescribed(errno_or(EIO));
  auto data = describe(topology.get(), static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
  data.is_this_machine = hwloc_topology_is_thissystem(topology.get()) != 0;
  data.origin = data.is_this_machine ? "this machine" : "hwloc's environment variables";
  return data;
}

MachineData hwloc_xml(const std::string& path) {
  const std::string text = checked_xml(path);
  const Handle topology = configured_topology();
  const int bytes = static_cast<int>(text.size() + 1);  // hwloc counts the terminating zero too
  errno = 0;
  if (hwloc_topology_set_xmlbuffer(topology.get(), text.c_str(), bytes) != 0 ||
      hwloc_topology_load(topology.get()) != 0)
    throw FormatError(refused("topology file " + path, errno_or(EINVAL)) +
                      "; `lstopo --of xml FILE` writes one that it takes");
  auto data = describe(topology.get(), usual_page_bytes);
  data.origin = path;
  return data;
}

MachineData hwloc_synthetic(const std::string& description) {
  const Handle topology = configured_topology();
  set_synthetic(topology.get(), description);
  errno = 0;
  if (hwloc_topology_load(topology.get()) != 0) throw FormatError(refused_synthetic(description));
  auto data = describe(topology.get(), usual_page_bytes);
  data.origin = description;
  return data;
}

std::string hwloc_version() {
  const Handle topology = configured_topology();
  if (hwloc_topology_set_synthetic(topology.get(), "pu:1") == 0 && hwloc_topology_load(topology.get()) == 0)
    if (auto version = version_info(topology.get()); !version.empty()) return version;
  const unsigned api = hwloc_get_api_version();
  return base::text(api >> 16, '.', api >> 8 & 0xff);
}

}  // namespace nodewise::os
