#include "parts/terminal.hpp"

#include <fmt/core.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

#include "command.hpp"
#include "parts/system.hpp"

namespace nodewise::tools {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// The colours that the command and the text functions of the library use, and the end of each.
constexpr std::string_view colours[] = {"\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[33m"};

std::string_view first_colour(std::string_view text) {
  for (const std::string_view colour : colours)
    if (text.starts_with(colour)) return colour;
  return {};
}

// Characters that could steer a terminal or turn the order of what it shows: controls (C0, DEL and C1), line
// separators, and marks of direction.
bool steers(char32_t c) {
  constexpr std::pair<char32_t, char32_t> ranges[] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},
                                                      {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](const auto& range) { return range.first <= c && c <= range.second; });
}

std::string escape(char32_t c) {
  return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
}

struct Character {
  std::size_t bytes = 1;
  std::optional<char32_t> point = {};  // nothing: no UTF-8
};

// Overlong forms and surrogates are no UTF-8. Precondition: `text` is not empty.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {1, lead};
  const int bytes = std::countl_one(lead);
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (bytes < 2 || bytes > 4 || text.size() < static_cast<std::size_t>(bytes)) return {};
  char32_t point = lead & (0x7fU >> bytes);
  for (int i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[static_cast<std::size_t>(i)]);
    if (next >> 6 != 2) return {};
    point = point << 6 | (next & 0x3fU);
  }
  if (point < least[bytes] || (point >= 0xd800 && point < 0xe000) || point > 0x10ffff) return {};
  return {static_cast<std::size_t>(bytes), point};
}

// `text` with its lines and, on a screen with colours, ours. Every other character that steers a terminal is
// written as JSON writes it, so that JSON stays what it is.
std::string cleaned(std::string_view text, bool with_colours) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::string_view colour = with_colours ? first_colour(text) : std::string_view();
    const Character next = first_character(text);
    const std::size_t bytes = colour.empty() ? next.bytes : colour.size();
    if (!next.point)
      clean += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    else if (colour.empty() && *next.point != '\n' && steers(*next.point))
      clean += escape(*next.point);
    else
      clean += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return clean;
}

// 0, or an errno.
int put(std::FILE* file, std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return written && std::fflush(file) == 0 ? 0 : errno;
}

}  // namespace

Screen screen() {
  constexpr std::size_t narrowest = 40;
  constexpr std::size_t widest = 160;
  Screen screen;
  if (::isatty(STDOUT_FILENO) == 0) return screen;
  const char* terminal = std::getenv("TERM");
  screen.colour = !is_set("NO_COLOR") && terminal != nullptr && std::string_view(terminal) != "dumb";
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    screen.width = std::clamp<std::size_t>(size.ws_col, narrowest, widest);
  return screen;
}

std::string inked(const Screen& screen, Ink ink, std::string_view text) {
  if (!screen.colour || ink == Ink::plain || text.empty()) return std::string(text);
  const char* code = ink == Ink::strong ? "1" : ink == Ink::good ? "32" : ink == Ink::fair ? "33" : "31";
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

void print(std::string_view text) {
  const int refused = put(stdout, cleaned(text, screen().colour));
  if (refused == 0 || refused == EPIPE) return;
  throw Failure(Exit::machine_cannot, "standard output cannot be written: " + errno_text(refused));
}

void print_error(std::string_view text) {
  put(stderr, cleaned(text, false));
}

std::string printable(std::string_view text) {
  std::string line = cleaned(text, false);
  for (auto at = line.find('\n'); at != std::string::npos; at = line.find('\n', at))
    line.replace(at, 1, escape('\n'));
  return line;
}

void complain(std::string_view line) {
  put(stderr, printable(line) + '\n');
}

}  // namespace nodewise::tools
