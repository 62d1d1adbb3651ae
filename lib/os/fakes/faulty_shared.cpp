// The faulty system's part of memory between processes.
#include "os/fakes/faulty.hpp"

namespace nodewise::os {

template <class Answer, class Fn>
Answer Faulty::guarded(Call call, const Fn& made) {
  const int error = next(call);
  if constexpr (std::is_same_v<Answer, int>)
    return error != 0 ? error : made();
  else
    return error != 0 ? Answer{{}, error} : made();
}

template <class Fn>
Result<int> Faulty::opened(Call call, const Fn& made) {
  const auto result = guarded<Result<int>>(call, made);
  if (result.ok()) ++descriptors_;
  return result;
}

Result<int> Faulty::create_shared(const std::string& path) {
  return opened(Call::create_shared, [&] { return wrapped_.create_shared(path); });
}

Result<int> Faulty::open_shared(const std::string& path, bool writable) {
  return opened(Call::open_shared, [&] { return wrapped_.open_shared(path, writable); });
}

Result<int> Faulty::create_memfd(const std::string& label, std::size_t huge_page_bytes) {
  return opened(Call::create_memfd, [&] { return wrapped_.create_memfd(label, huge_page_bytes); });
}

Result<int> Faulty::reopen(int descriptor, bool writable) {
  return opened(Call::reopen, [&] { return wrapped_.reopen(descriptor, writable); });
}

Result<int> Faulty::duplicate(int descriptor) {
  return opened(Call::duplicate, [&] { return wrapped_.duplicate(descriptor); });
}

int Faulty::resize_file(int descriptor, std::uint64_t bytes) {
  return guarded<int>(Call::resize_file, [&] { return wrapped_.resize_file(descriptor, bytes); });
}

int Faulty::seal_size(int descriptor) {
  return guarded<int>(Call::seal_size, [&] { return wrapped_.seal_size(descriptor); });
}

Result<FileStatus> Faulty::file_status(int descriptor) {
  return guarded<Result<FileStatus>>(Call::file_status, [&] { return wrapped_.file_status(descriptor); });
}

Result<FileStatus> Faulty::path_status(const std::string& path) {
  return guarded<Result<FileStatus>>(Call::path_status, [&] { return wrapped_.path_status(path); });
}

Result<std::string> Faulty::real_path(const std::string& path) {
  return guarded<Result<std::string>>(Call::real_path, [&] { return wrapped_.real_path(path); });
}

Result<FileStatus> Faulty::entry_status(const std::string& path) {
  return guarded<Result<FileStatus>>(Call::entry_status, [&] { return wrapped_.entry_status(path); });
}

int Faulty::create_folder(const std::string& path) {
  return guarded<int>(Call::create_folder, [&] { return wrapped_.create_folder(path); });
}

int Faulty::remove_file(const std::string& path) {
  return guarded<int>(Call::remove_file, [&] { return wrapped_.remove_file(path); });
}

Result<std::vector<std::string>> Faulty::list_folder(const std::string& path) {
  return guarded<Result<std::vector<std::string>>>(Call::list_folder,
                                                   [&] { return wrapped_.list_folder(path); });
}

Result<Space> Faulty::space(const std::string& path) {
  return guarded<Result<Space>>(Call::space, [&] { return wrapped_.space(path); });
}

Result<void*> Faulty::map_shared(int descriptor, std::uint64_t offset, std::size_t bytes,
                                 std::size_t alignment, bool writable) {
  const auto result = guarded<Result<void*>>(
      Call::map_shared, [&] { return wrapped_.map_shared(descriptor, offset, bytes, alignment, writable); });
  if (result.ok()) ++mappings_;
  return result;
}

int Faulty::populate_shared(int descriptor, std::uint64_t offset, void* data, std::size_t bytes) {
  return guarded<int>(Call::populate_shared,
                      [&] { return wrapped_.populate_shared(descriptor, offset, data, bytes); });
}

int Faulty::lock_byte(int descriptor, std::uint64_t offset, Lock lock, bool wait) {
  return guarded<int>(Call::lock_byte, [&] { return wrapped_.lock_byte(descriptor, offset, lock, wait); });
}

int Faulty::unlock_byte(int descriptor, std::uint64_t offset) {
  return guarded<int>(Call::unlock_byte, [&] { return wrapped_.unlock_byte(descriptor, offset); });
}

Result<bool> Faulty::is_byte_locked(int descriptor, std::uint64_t offset) {
  return guarded<Result<bool>>(Call::is_byte_locked,
                               [&] { return wrapped_.is_byte_locked(descriptor, offset); });
}

int Faulty::barrier_everywhere() {
  return guarded<int>(Call::barrier_everywhere, [&] { return wrapped_.barrier_everywhere(); });
}

}  // namespace nodewise::os
