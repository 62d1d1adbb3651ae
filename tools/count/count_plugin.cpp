// The counter: QEMU loads it, and it counts every load and store of the machine by the node of the CPU and
// the node of the memory.
//
//     -plugin count_plugin.so,node_mib=256,report=FILE[,all=off]
//
// `all=off` counts while the program runs alone, and is some times faster. count.py describes the report.
// Which CPU and which memory belong to which node it learns from the machine itself, by marks
// (count_marks.hpp). QEMU 7 gives an address in memory as twice where its node's block begins, plus the
// offset in the block; other versions as the physical address. Either way an address divided by the size of a
// node names a slot, and a mark on each node says whose it is. Counters are kept for each CPU by the one
// thread that runs it.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "count_marks.hpp"
#include "qemu_plugin.hpp"

namespace nodewise::count {
namespace {

constexpr std::size_t max_cpus = 256;
constexpr std::size_t slots =
    130;  // two for each of 64 nodes; the last but one: other memory; the last: devices
constexpr std::size_t other_slot = slots - 2;
constexpr std::size_t device_slot = slots - 1;

struct Tally {
  std::uint64_t accesses = 0;
  std::uint64_t bytes = 0;
};

// Whose accesses: all outside of the program's time; in it, the kernel's and the program's; and those of the
// program's that are to its dataset, which are counted among the program's too.
enum Group : std::size_t { outside, kernel, program, data, groups = data + max_labels };

struct alignas(128) Cpu {
  Tally tallies[groups][slots][2];  // loads, stores
};

struct Counter {
  std::string report;
  std::uint64_t node_bytes = 0;
  std::vector<Cpu> cpus = std::vector<Cpu>(max_cpus);
  std::atomic<int> cpu_node[max_cpus];
  std::atomic<int> slot_node[slots];
  bool all = true;                         // also outside of the program's time
  bool ended = false;                      // the program has
  std::atomic<bool> contradicted = false;  // two marks disagree
  std::atomic<bool> running = false;       // the program is
  std::atomic<std::uint64_t> data_first = 1;
  std::atomic<std::uint64_t> data_last = 0;  // below the first: there is no dataset
  std::uint64_t announced_first = 0;
  std::atomic<std::size_t> label = 0;  // below max_labels
};

// QEMU's callbacks have no room for it. Never destroyed: QEMU reports after destructors have run.
Counter* counter = nullptr;

std::size_t slot_of(qemu_plugin_meminfo_t access, std::uint64_t address) {
  const auto* where = qemu_plugin_get_hwaddr(access, address);
  if (where == nullptr) return other_slot;
  if (qemu_plugin_hwaddr_is_io(where)) return device_slot;
  return std::min<std::uint64_t>(qemu_plugin_hwaddr_phys_addr(where) / counter->node_bytes, other_slot);
}

void add(Tally& tally, std::uint64_t bytes) {
  ++tally.accesses;
  tally.bytes += bytes;
}

template <bool of_kernel>
void count_access(unsigned cpu, qemu_plugin_meminfo_t access, std::uint64_t address, void*) {
  const bool running = counter->running.load(std::memory_order_relaxed);
  if ((!running && !counter->all) || cpu >= max_cpus) return;
  const auto bytes = std::uint64_t{1} << qemu_plugin_mem_size_shift(access);
  const auto slot = slot_of(access, address);
  const auto kind = qemu_plugin_mem_is_store(access) ? 1 : 0;
  auto& tallies = counter->cpus[cpu].tallies;
  add(tallies[!running ? outside : of_kernel ? kernel : program][slot][kind], bytes);
  if (running && !of_kernel && address >= counter->data_first.load(std::memory_order_relaxed) &&
      address <= counter->data_last.load(std::memory_order_relaxed))
    add(tallies[data + counter->label.load(std::memory_order_relaxed)][slot][kind], bytes);
}

void learn(std::atomic<int>& node, std::uint64_t told) {
  int unknown = -1;
  const auto value = static_cast<int>(told);
  if (!node.compare_exchange_strong(unknown, value) && unknown != value) counter->contradicted = true;
}

void hear(unsigned cpu, qemu_plugin_meminfo_t access, std::uint64_t address, void* data) {
  switch (static_cast<Mark>(reinterpret_cast<std::uintptr_t>(data))) {
    case Mark::cpu_node:
      if (cpu < max_cpus) learn(counter->cpu_node[cpu], address % page_bytes);
      break;
    case Mark::memory_node:
      learn(counter->slot_node[slot_of(access, address)], address % page_bytes);
      break;
    case Mark::begin:
      counter->running = true;
      break;
    case Mark::end:
      counter->ended = counter->running.exchange(false);
      break;
    case Mark::data_label:
      counter->label = std::min(address % page_bytes, max_labels - 1);
      break;
    case Mark::data_first:
      counter->announced_first = address;
      break;
    case Mark::data_last:
      counter->data_first = counter->announced_first;
      counter->data_last = address;
      break;
    case Mark::data_done:
      counter->data_last = 0;
      counter->data_first = 1;
      break;
    case Mark::number_of_marks:
      break;
  }
}

// The mark that an instruction is, or number_of_marks.
Mark mark_of(const qemu_plugin_insn* instruction) {
  std::uint8_t bytes[sizeof opcode + sizeof magic];
  if (qemu_plugin_insn_size(instruction) != sizeof bytes) return Mark::number_of_marks;
  std::memcpy(bytes, qemu_plugin_insn_data(instruction), sizeof bytes);
  std::uint32_t displacement = 0;
  std::memcpy(&displacement, bytes + sizeof opcode, sizeof displacement);
  if (std::memcmp(bytes, opcode, sizeof opcode) != 0 || displacement < magic) return Mark::number_of_marks;
  const auto mark = displacement - magic;
  return static_cast<Mark>(std::min(mark, static_cast<std::uint32_t>(Mark::number_of_marks)));
}

void watch(qemu_plugin_insn* instruction) {
  const auto mark = mark_of(instruction);
  const bool of_kernel = qemu_plugin_insn_vaddr(instruction) >> 63 != 0;
  const auto callback = mark != Mark::number_of_marks ? hear
                        : of_kernel                   ? count_access<true>
                                                      : count_access<false>;
  qemu_plugin_register_vcpu_mem_cb(instruction, callback, qemu_plugin_no_registers,
                                   qemu_plugin_loads_and_stores,
                                   reinterpret_cast<void*>(static_cast<std::uintptr_t>(mark)));
}

void watch_block(qemu_plugin_id_t, qemu_plugin_tb* block) {
  const auto count = qemu_plugin_tb_n_insns(block);
  for (std::size_t i = 0; i < count; ++i) watch(qemu_plugin_tb_get_insn(block, i));
}

std::string group_name(std::size_t group) {
  constexpr const char* names[] = {"outside", "kernel", "program"};
  return group < data ? names[group] : "data:" + std::to_string(group - data);
}

// A line for each tally that is not zero. Nodes: -1 is unknown, -2 a device.
void write_cpu(std::FILE* file, std::size_t cpu) {
  for (std::size_t group = 0; group < groups; ++group)
    for (std::size_t slot = 0; slot < slots; ++slot)
      for (const int kind : {0, 1}) {
        const Tally& tally = counter->cpus[cpu].tallies[group][slot][kind];
        if (tally.accesses == 0) continue;
        const int memory = slot == device_slot ? -2 : counter->slot_node[slot].load();
        std::fprintf(file, "%s %d %d %s %llu %llu\n", group_name(group).c_str(),
                     counter->cpu_node[cpu].load(), memory, kind == 0 ? "load" : "store",
                     static_cast<unsigned long long>(tally.accesses),
                     static_cast<unsigned long long>(tally.bytes));
      }
}

void write_report(qemu_plugin_id_t, void*) {
  std::FILE* file = std::fopen(counter->report.c_str(), "w");
  if (file == nullptr) return;
  for (std::size_t cpu = 0; cpu < max_cpus; ++cpu) write_cpu(file, cpu);
  if (counter->ended && !counter->contradicted) std::fputs("complete\n", file);
  std::fclose(file);
}

bool take(const std::string& word) {
  const auto equals = std::min(word.find('='), word.size() - 1);
  const auto name = word.substr(0, equals);
  const auto value = word.substr(equals + 1);
  if (name == "all") return (counter->all = value == "on") || value == "off";
  if (name == "report") return !(counter->report = value).empty();
  if (name == "node_mib") return (counter->node_bytes = std::strtoull(value.c_str(), nullptr, 10) << 20) != 0;
  return false;
}

}  // namespace
}  // namespace nodewise::count

const int qemu_plugin_version = 1;

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int count, char** words) {
  using namespace nodewise::count;
  counter = new Counter;
  for (auto& node : counter->cpu_node) node = -1;
  for (auto& node : counter->slot_node) node = -1;
  for (int i = 0; i < count; ++i)
    if (!take(words[i])) return 1;
  if (counter->report.empty() || counter->node_bytes == 0) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, watch_block);
  qemu_plugin_register_atexit_cb(id, write_report, nullptr);
  return 0;
}
