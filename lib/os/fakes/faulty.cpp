#include "os/fakes/faulty.hpp"

namespace nodewise::os {

const char* to_string(Call call) noexcept {
  static constexpr const char* names[] = {"map",
                                          "unmap",
                                          "advise",
                                          "bind",
                                          "interleave",
                                          "thread_policy",
                                          "populate",
                                          "pages_status",
                                          "check_mapped",
                                          "affinity",
                                          "set_affinity",
                                          "unlimit_affinity",
                                          "affinity_of_process",
                                          "current_cpu",
                                          "try_threads",
                                          "this_machine",
                                          "allowed_nodes",
                                          "read_text",
                                          "host_name",
                                          "open_module",
                                          "open_file",
                                          "file_bytes",
                                          "read_at",
                                          "close_file",
                                          "write_text",
                                          "write_error",
                                          "create_shared",
                                          "open_shared",
                                          "create_memfd",
                                          "reopen",
                                          "duplicate",
                                          "resize_file",
                                          "seal_size",
                                          "file_status",
                                          "path_status",
                                          "real_path",
                                          "entry_status",
                                          "remove_file",
                                          "create_folder",
                                          "list_folder",
                                          "space",
                                          "map_shared",
                                          "populate_shared",
                                          "lock_byte",
                                          "unlock_byte",
                                          "is_byte_locked",
                                          "barrier_everywhere"};
  static_assert(std::size(names) == call_kinds);
  return names[static_cast<unsigned>(call)];
}

void Faulty::fail(Call call, std::uint64_t nth, int error) noexcept {
  faults_[index(call)].error = error;
  faults_[index(call)].nth = counts_[index(call)] + nth;
}

void Faulty::refuse(Call call, int error) noexcept {
  faults_[index(call)].refusal = error;
}

int Faulty::next(Call call) noexcept {
  Fault& fault = faults_[index(call)];
  const std::uint64_t count = ++counts_[index(call)];
  return count == fault.nth ? fault.error.load() : fault.refusal.load();
}

Result<void*> Faulty::map(std::size_t bytes, std::size_t alignment, std::size_t hugetlb_page_bytes) {
  if (const int error = next(Call::map)) return {nullptr, error};
  auto result = wrapped_.map(bytes, alignment, hugetlb_page_bytes);
  if (result.ok()) ++mappings_;
  return result;
}

int Faulty::unmap(void* data, std::size_t bytes) noexcept {
  // If munmap is refused, a caller can do nothing about it. So it is counted as done, and done.
  const int error = next(Call::unmap);
  const int result = wrapped_.unmap(data, bytes);
  if (result == 0) --mappings_;
  return error != 0 ? error : result;
}

int Faulty::advise(void* data, std::size_t bytes, Advice advice) {
  const int error = next(Call::advise);
  return error != 0 ? error : wrapped_.advise(data, bytes, advice);
}

int Faulty::bind(void* data, std::size_t bytes, BindMode mode, unsigned node) {
  const int error = next(Call::bind);
  return error != 0 ? error : wrapped_.bind(data, bytes, mode, node);
}

int Faulty::interleave(void* data, std::size_t bytes, const IndexSet& nodes) {
  const int error = next(Call::interleave);
  return error != 0 ? error : wrapped_.interleave(data, bytes, nodes);
}

Result<ThreadPolicy> Faulty::thread_policy() {
  if (const int error = next(Call::thread_policy)) return {{}, error};
  return wrapped_.thread_policy();
}

int Faulty::populate(void* data, std::size_t bytes) {
  const int error = next(Call::populate);
  return error != 0 ? error : wrapped_.populate(data, bytes);
}

int Faulty::pages_status(std::span<void* const> pages, std::span<int> status) {
  const int error = next(Call::pages_status);
  return error != 0 ? error : wrapped_.pages_status(pages, status);
}

int Faulty::check_mapped(const void* data, std::size_t bytes) {
  const int error = next(Call::check_mapped);
  return error != 0 ? error : wrapped_.check_mapped(data, bytes);
}

Result<IndexSet> Faulty::affinity() {
  if (const int error = next(Call::affinity)) return {{}, error};
  return wrapped_.affinity();
}

int Faulty::set_affinity(const IndexSet& cpus) {
  const int error = next(Call::set_affinity);
  return error != 0 ? error : wrapped_.set_affinity(cpus);
}

int Faulty::unlimit_affinity() {
  const int error = next(Call::unlimit_affinity);
  return error != 0 ? error : wrapped_.unlimit_affinity();
}

Result<IndexSet> Faulty::affinity_of_process() {
  if (const int error = next(Call::affinity_of_process)) return {{}, error};
  return wrapped_.affinity_of_process();
}

Result<ModuleSymbol> Faulty::open_module(const std::string& file, const std::string& symbol) {
  if (const int error = next(Call::open_module)) return {{nullptr, "it was made to fail"}, error};
  return wrapped_.open_module(file, symbol);
}

Result<unsigned> Faulty::current_cpu() {
  if (const int error = next(Call::current_cpu)) return {0, error};
  return wrapped_.current_cpu();
}

Result<unsigned> Faulty::try_threads(unsigned count, std::size_t stack_bytes) {
  if (const int error = next(Call::try_threads)) return {0, error};
  return wrapped_.try_threads(count, stack_bytes);
}

Result<MachineData> Faulty::this_machine() {
  if (const int error = next(Call::this_machine)) return {{}, error};
  return wrapped_.this_machine();
}

Result<IndexSet> Faulty::allowed_nodes() {
  if (const int error = next(Call::allowed_nodes)) return {{}, error};
  return wrapped_.allowed_nodes();
}

Result<std::string> Faulty::read_text(const std::string& path) {
  if (const int error = next(Call::read_text)) return {{}, error};
  return wrapped_.read_text(path);
}

Result<std::string> Faulty::host_name() {
  if (const int error = next(Call::host_name)) return {{}, error};
  return wrapped_.host_name();
}

Result<int> Faulty::open_file(const std::string& path) {
  if (const int error = next(Call::open_file)) return {-1, error};
  auto result = wrapped_.open_file(path);
  if (result.ok()) ++descriptors_;
  return result;
}

Result<std::uint64_t> Faulty::file_bytes(int descriptor) {
  if (const int error = next(Call::file_bytes)) return {0, error};
  return wrapped_.file_bytes(descriptor);
}

Result<std::size_t> Faulty::read_at(int descriptor, void* data, std::size_t bytes, std::uint64_t offset) {
  if (const int error = next(Call::read_at)) return {0, error};
  return wrapped_.read_at(descriptor, data, bytes, offset);
}

int Faulty::close_file(int descriptor) noexcept {
  // Linux closes the descriptor even when close reports an error.
  const int error = next(Call::close_file);
  const int result = wrapped_.close_file(descriptor);
  --descriptors_;
  return error != 0 ? error : result;
}

int Faulty::write_text(const std::string& path, const std::string& text) {
  const int error = next(Call::write_text);
  return error != 0 ? error : wrapped_.write_text(path, text);
}

int Faulty::write_error(const std::string& text) {
  const int error = next(Call::write_error);
  return error != 0 ? error : wrapped_.write_error(text);
}

}  // namespace nodewise::os
