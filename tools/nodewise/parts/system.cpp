#include "parts/system.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace nodewise::tools {
namespace {

namespace fs = std::filesystem;

int write_to(const fs::path& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return errno;
  int error = std::fwrite(text.data(), 1, text.size(), file) == text.size() ? 0 : errno;
  if (std::fclose(file) != 0 && error == 0) error = errno;
  return error;
}

}  // namespace

std::string errno_text(int error) {
#if __GLIBC_PREREQ(2, 32)
  if (const char* name = strerrorname_np(error)) return fmt::format("{} ({})", strerrordesc_np(error), name);
#endif
  return fmt::format("{} (errno {})", std::strerror(error), error);
}

Text read_text(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {{}, errno};
  Text text;
  char piece[16384];
  ssize_t count = 0;
  while ((count = ::read(descriptor, piece, sizeof piece)) != 0) {
    if (count > 0) text.value.append(piece, static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) {
      text = {{}, errno};
      break;
    }
  }
  ::close(descriptor);
  return text;
}

int write_text(const std::string& path, const std::string& text) {
  std::error_code ignored;
  const fs::path target = fs::weakly_canonical(path, ignored);  // a link stays a link
  if (target.empty()) return ENOENT;
  if (fs::exists(target, ignored) && !fs::is_regular_file(target, ignored)) return write_to(target, text);
  const fs::path draft = fmt::format("{}.{}", target.string(), ::getpid());
  int error = write_to(draft, text);
  if (error == 0 && std::rename(draft.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) std::remove(draft.c_str());
  return error;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

unsigned user_id() {
  return ::geteuid();
}

}  // namespace nodewise::tools
