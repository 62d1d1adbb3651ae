#include "base/text.hpp"

#include <cerrno>
#include <cstring>

namespace nodewise::base {

std::string quoted(std::string_view raw) {
  constexpr std::size_t longest = 40;
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char character : raw.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= ' ' && byte <= '~')
      out += character;
    else
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  }
  out += raw.size() > longest ? "\"..." : "\"";
  return out;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  std::uint64_t tenths = 0;
  std::uint64_t whole = bytes;
  while (whole >= 1024) {
    tenths = whole % 1024 * 10 / 1024;
    whole /= 1024;
    ++unit;
  }
  return tenths == 0 ? text(whole, ' ', units[unit]) : text(whole, '.', tenths, ' ', units[unit]);
}

std::string errno_text(int error) {
  const std::string_view limit = error == EMFILE ? "; the limit is `ulimit -n`" : "";
#if __GLIBC_PREREQ(2, 32)
  const char* description = strerrordesc_np(error);
  const char* name = strerrorname_np(error);
  if (description == nullptr || name == nullptr) return text("error ", error);
  return text(description, " (", name, ")", limit);
#else
  char buffer[128] = {};
  return text(strerror_r(error, buffer, sizeof buffer), " (errno ", error, ")", limit);
#endif
}

}  // namespace nodewise::base
