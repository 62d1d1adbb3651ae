#include "parts/terminal.hpp"

#include <fmt/core.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "command.hpp"
#include "parts/system.hpp"

namespace nodewise::tools {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
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
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  const int refused = written && std::fflush(stdout) == 0 ? 0 : errno;
  if (refused == 0 || refused == EPIPE) return;
  throw Failure(Exit::machine_cannot, "standard output cannot be written: " + errno_text(refused));
}

std::string printable(std::string_view text) {
  std::string shown(text);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\177'; },
      '?');
  return shown;
}

void complain(std::string_view line) {
  const std::string text = printable(line) + '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace nodewise::tools
