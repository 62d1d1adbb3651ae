// Standard output and standard error as people see them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nodewise::tools {

/// What standard output can show.
struct Screen {
  bool colour = false;     ///< Only a terminal, and not where NO_COLOR is set or TERM is "dumb".
  std::size_t width = 80;  ///< Columns: the terminal's, or 80.
};
Screen screen();

enum class Ink { plain, strong, good, fair, bad };
/// `text`, coloured where the screen has colours.
std::string inked(const Screen& screen, Ink ink, std::string_view text);

/// Control characters replaced, so that a name cannot steer a terminal or fake a second line.
std::string printable(std::string_view text);

/// Writes to standard output. A reader that has gone away is no error; a full disk is: throws Failure.
void print(std::string_view text);

/// One printable line on standard error.
void complain(std::string_view line);

}  // namespace nodewise::tools
