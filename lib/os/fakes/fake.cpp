#include "os/fakes/fake.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <sstream>

#include "base/checked.hpp"

namespace nodewise::os {
namespace {
constexpr std::size_t page_bytes = 4096;

// Masks of the calling thread, by the number of the Fake. Masks by thread would not do: threads end, and
// their ids are used again.
thread_local std::map<std::uint64_t, IndexSet> masks;
std::atomic<std::uint64_t> fakes{0};

}  // namespace

Fake::Fake(MachineData machine) : machine_(std::move(machine)), number_(++fakes) {
  machine_.is_this_machine = true;
  machine_.page_bytes = page_bytes;
  for (const Node& node : machine_.nodes)
    free_bytes_[node.os_index] = node.free_bytes != 0 ? node.free_bytes : node.memory_bytes;
  for (const Node& node : machine_.nodes) cpuset_ |= node.allowed_cpus;
}

template <class Fn>
int Fake::for_pages(const void* data, std::size_t bytes, Fn fn) {
  const auto begin = base::round_down(reinterpret_cast<Address>(data), page_bytes);
  const auto end = reinterpret_cast<Address>(data) + bytes;
  for (Address address = begin; address < end; address += page_bytes) {
    const auto page = pages_.find(address);
    if (page == pages_.end()) return ENOMEM;
    if (const int error = fn(*page->second)) return error;
  }
  return 0;
}

void Fake::migrate(const void* data, std::size_t bytes, unsigned node) {
  const std::lock_guard lock(mutex_);
  for_pages(data, bytes, [&](Page& page) {
    if (page.node) page.node = node;
    return 0;
  });
}

void Fake::hide(const void* data, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  for_pages(data, bytes, [](Page& page) {
    page.hidden = true;
    return 0;
  });
}

void Fake::set_text(const std::string& path, std::string text) {
  texts_[path] = std::move(text);
}

std::optional<unsigned> Fake::populated_by_cpu(const void* data) const {
  const std::lock_guard lock(mutex_);
  const auto page = pages_.find(base::round_down(reinterpret_cast<Address>(data), page_bytes));
  if (page == pages_.end() || !page->second->node) return std::nullopt;
  return page->second->cpu;
}

Result<void*> Fake::map(std::size_t bytes, std::size_t alignment, std::size_t hugetlb_page_bytes) {
  if (hugetlb_page_bytes != 0 && !pools_filled_) return {nullptr, ENOMEM};
  auto mapped = real().map(bytes, alignment, 0);
  if (!mapped.ok()) return mapped;
  const std::lock_guard lock(mutex_);
  const auto begin = reinterpret_cast<Address>(mapped.value);
  for (Address address = begin; address < begin + bytes; address += page_bytes)
    pages_[address] = std::make_shared<Page>();
  return mapped;
}

Result<void*> Fake::map_shared(int descriptor, std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                               bool writable) {
  const auto file = file_status(descriptor);
  if (!file.ok()) return {nullptr, file.error};
  const auto mapped = RealShared::map_shared(descriptor, offset, bytes, alignment, writable);
  if (!mapped.ok()) return mapped;
  const std::lock_guard lock(mutex_);
  const auto begin = reinterpret_cast<Address>(mapped.value);
  for (std::size_t at = 0; at < bytes; at += page_bytes) {
    auto& page = files_[{file.value.device, file.value.inode, offset + at}];
    if (!page) page = std::make_shared<Page>();
    pages_[begin + at] = page;
  }
  return mapped;
}

int Fake::populate_shared(int descriptor, std::uint64_t offset, void* data, std::size_t bytes) {
  const int error = RealShared::populate_shared(descriptor, offset, data, bytes);
  return error != 0 ? error : populate(data, bytes);
}

Result<Space> Fake::space(const std::string& path) {
  const auto space = spaces_.find(path);
  return space != spaces_.end() ? Result<Space>{space->second, 0} : RealShared::space(path);
}

int Fake::remove_file(const std::string& path) {
  const auto file = path_status(path);
  const int error = RealShared::remove_file(path);
  if (error == 0 && file.ok()) {  // its number will be another file's
    const std::lock_guard lock(mutex_);
    std::erase_if(files_, [&](const auto& entry) {
      return std::get<0>(entry.first) == file.value.device && std::get<1>(entry.first) == file.value.inode;
    });
  }
  return error;
}

int Fake::unmap(void* data, std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  const auto begin = reinterpret_cast<Address>(data);
  for (Address address = begin; address < begin + bytes; address += page_bytes) {
    const auto page = pages_.find(address);
    if (page == pages_.end()) continue;
    // The pages of a file outlive its mappings.
    if (page->second.use_count() == 1 && page->second->node) free_bytes_[*page->second->node] += page_bytes;
    pages_.erase(page);
  }
  return real().unmap(data, bytes);
}

int Fake::advise(void* data, std::size_t bytes, Advice advice) {
  const std::lock_guard lock(mutex_);
  return for_pages(data, bytes, [&](Page& page) {
    if (advice == Advice::no_dump) page.dumped = false;
    return 0;
  });
}

int Fake::bind(void* data, std::size_t bytes, BindMode mode, unsigned node) {
  const std::lock_guard lock(mutex_);
  if (!free_bytes_.contains(node)) return EINVAL;
  const Policy policy{mode == BindMode::preferred ? Policy::Mode::preferred : Policy::Mode::strict, {node}};
  return for_pages(data, bytes, [&](Page& page) {
    page.policy = policy;
    const bool elsewhere = page.node && *page.node != node;
    if (mode != BindMode::strict_moving || !elsewhere || !take(node, true)) return 0;
    free_bytes_[*page.node] += page_bytes;
    page.node = node;
    return 0;
  });
}

int Fake::interleave(void* data, std::size_t bytes, const IndexSet& nodes) {
  const std::lock_guard lock(mutex_);
  return for_pages(data, bytes, [&](Page& page) {
    page.policy = {Policy::Mode::interleaved, nodes};
    return 0;
  });
}

bool Fake::take(unsigned node, bool reclaiming) {
  for (auto* bytes : {&free_bytes_, &cache_bytes_}) {
    const auto left = bytes->find(node);
    if (left == bytes->end() || left->second < page_bytes) {
      if (!reclaiming) return false;
      continue;
    }
    left->second -= page_bytes;
    return true;
  }
  return false;
}

void Fake::fill_with_cache(unsigned node, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  free_bytes_[node] -= bytes;
  cache_bytes_[node] += bytes;
}

std::optional<unsigned> Fake::place(const Page& page, unsigned local_node) {
  using Mode = Policy::Mode;
  unsigned wanted = local_node;
  if (page.policy.mode == Mode::preferred || page.policy.mode == Mode::strict)
    wanted = *page.policy.nodes.first();
  if (page.policy.mode == Mode::interleaved) {
    const auto nodes = page.policy.nodes.indices();
    wanted = nodes[pages_.size() % nodes.size()];
  }
  if (take(wanted, page.policy.mode == Mode::strict)) return wanted;
  if (page.policy.mode == Mode::strict) {
    killed_ = true;
    return std::nullopt;
  }
  for (const auto& [node, free] : free_bytes_)
    if (take(node)) return node;
  return std::nullopt;
}

int Fake::populate(void* data, std::size_t bytes) {
  const unsigned cpu = current_cpu().value;
  const std::lock_guard lock(mutex_);
  unsigned local_node = machine_.nodes.front().os_index;
  for (const Node& node : machine_.nodes)
    if (node.cpus.contains(cpu)) local_node = node.os_index;
  return for_pages(data, bytes, [&](Page& page) {
    if (page.node) return 0;
    page.node = place(page, local_node);
    page.cpu = cpu;
    return page.node ? 0 : ENOMEM;
  });
}

int Fake::pages_status(std::span<void* const> pages, std::span<int> status) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const auto page = pages_.find(base::round_down(reinterpret_cast<Address>(pages[i]), page_bytes));
    status[i] = page == pages_.end()   ? -EFAULT
                : page->second->hidden ? -EBUSY
                : page->second->node   ? static_cast<int>(*page->second->node)
                                       : -ENOENT;
  }
  return 0;
}

int Fake::check_mapped(const void* data, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  return for_pages(data, bytes, [](Page&) { return 0; });
}

Result<IndexSet> Fake::affinity() {
  const auto mask = masks.find(number_);
  const IndexSet own = mask != masks.end() ? mask->second : cpuset_;
  const IndexSet both = own & cpuset_;
  return {both.empty() ? own : both, 0};
}

int Fake::set_affinity(const IndexSet& cpus) {
  if (cpus.empty()) return EINVAL;
  masks[number_] = cpus;
  return 0;
}

int Fake::unlimit_affinity() {
  masks.erase(number_);
  return 0;
}

void Fake::set_cpuset(const IndexSet& cpus) {
  cpuset_ = cpus;
}

Result<unsigned> Fake::current_cpu() {
  const auto mask = affinity();
  return {mask.value.first().value_or(0), 0};
}

Result<MachineData> Fake::this_machine() {
  return {machine_, 0};
}

Result<IndexSet> Fake::allowed_nodes() {
  IndexSet nodes;
  for (const Node& node : machine_.nodes)
    if (node.allowed && node.memory_bytes > 0) nodes.insert(node.os_index);
  return {nodes, 0};
}

Result<std::string> Fake::read_text(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto text = texts_.find(path);
  if (text != texts_.end()) return {text->second, 0};
  if (path == "/proc/self/numa_maps") return {numa_maps(), 0};
  if (path == "/proc/self/maps") return {maps(), 0};
  if (auto answer = node_text(path)) return {*answer, 0};
  // The real system answers for processes.
  const bool of_process = path.ends_with("/stat") && path != "/proc/stat";
  if (of_process) return real().read_text(path);
  if (path.starts_with("/proc") || path.starts_with("/sys")) return {{}, ENOENT};
  return real().read_text(path);
}

std::optional<std::string> Fake::node_text(const std::string& path) const {
  unsigned node = 0;
  if (std::sscanf(path.c_str(), "/sys/devices/system/node/node%u/meminfo", &node) != 1) return std::nullopt;
  const auto free = free_bytes_.find(node);
  if (free == free_bytes_.end() || !path.ends_with("meminfo")) return std::nullopt;
  const auto cached = cache_bytes_.find(node);
  const std::uint64_t cache = cached == cache_bytes_.end() ? 0 : cached->second;
  const auto prefix = "Node " + std::to_string(node);
  return prefix + " MemTotal: " + std::to_string(free->second / 1024) + " kB\n" + prefix +
         " MemFree: " + std::to_string(free->second / 1024) + " kB\n" + prefix +
         " Inactive(file): " + std::to_string(cache / 1024) + " kB\n";
}

// As in the kernel, neighbouring pages without any difference are one mapping.
struct Fake::Run {
  Address begin = 0;
  Address end = 0;
  Policy policy;
  std::map<unsigned, std::uint64_t> pages_on_node;

  // The name as the kernel writes it.
  const char* policy_name() const {
    switch (policy.mode) {
      case Policy::Mode::local:
        return "default";
      case Policy::Mode::preferred:
        return "prefer:";
      case Policy::Mode::strict:
        return "bind:";
      case Policy::Mode::interleaved:
        return "interleave:";
    }
    return "";
  }
};

std::vector<Fake::Run> Fake::runs() const {
  std::vector<Run> runs;
  for (auto page = pages_.begin(); page != pages_.end();) {
    const Page& first = *page->second;
    Run run{page->first, page->first, first.policy, {}};
    for (; page != pages_.end() && page->first == run.end && page->second->policy == first.policy &&
           page->second->dumped == first.dumped;
         ++page, run.end += page_bytes)
      if (page->second->node) ++run.pages_on_node[*page->second->node];
    runs.push_back(run);
  }
  return runs;
}

std::string Fake::maps() const {
  std::ostringstream text;
  for (const Run& run : runs()) text << std::hex << run.begin << '-' << run.end << " rw-p 00000000 00:00 0\n";
  return text.str();
}

std::string Fake::numa_maps() const {
  std::ostringstream text;
  for (const Run& run : runs()) {
    text << std::hex << run.begin << std::dec << ' ' << run.policy_name() << run.policy.nodes.to_string()
         << " anon=1 dirty=1";
    for (const auto& [node, pages] : run.pages_on_node) text << " N" << node << '=' << pages;
    text << " kernelpagesize_kB=4\n";
  }
  return text.str();
}

}  // namespace nodewise::os
