// The part of QEMU's plugin interface, version 1, that the counter uses. QEMU documents it and exports these
// symbols to what it loads; Debian packages no header for it.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct qemu_plugin_tb;      // a block of translated code
struct qemu_plugin_insn;    // an instruction in it
struct qemu_plugin_hwaddr;  // where an access went
struct qemu_info_t;

using qemu_plugin_id_t = std::uint64_t;
using qemu_plugin_meminfo_t = std::uint32_t;
using qemu_plugin_tb_callback = void (*)(qemu_plugin_id_t id, qemu_plugin_tb* block);
using qemu_plugin_memory_callback = void (*)(unsigned cpu, qemu_plugin_meminfo_t access,
                                             std::uint64_t address, void* data);
using qemu_plugin_exit_callback = void (*)(qemu_plugin_id_t id, void* data);

enum qemu_plugin_registers : int { qemu_plugin_no_registers = 0 };
enum qemu_plugin_kinds : int { qemu_plugin_loads_and_stores = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_tb_callback callback);
void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn* instruction, qemu_plugin_memory_callback callback,
                                      qemu_plugin_registers registers, qemu_plugin_kinds kinds, void* data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, qemu_plugin_exit_callback callback, void* data);

std::size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb* block);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb* block, std::size_t index);
const void* qemu_plugin_insn_data(const qemu_plugin_insn* instruction);
std::size_t qemu_plugin_insn_size(const qemu_plugin_insn* instruction);
std::uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn* instruction);

unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t access);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t access);
qemu_plugin_hwaddr* qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t access, std::uint64_t address);
bool qemu_plugin_hwaddr_is_io(const qemu_plugin_hwaddr* where);
std::uint64_t qemu_plugin_hwaddr_phys_addr(const qemu_plugin_hwaddr* where);

// What QEMU looks for in a plugin.
__attribute__((visibility("default"))) extern const int qemu_plugin_version;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t* machine, int count,
                                                               char** words);
}
