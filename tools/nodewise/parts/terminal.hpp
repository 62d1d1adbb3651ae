// Standard output and standard error as people see them.
#pragma once

#include <string>
#include <string_view>

#include <nodewise/text.hpp>

namespace nodewise::tools {

using Screen = TextStyle;

/// What standard output can show: colours where it is a terminal, unless NO_COLOR is set or TERM is "dumb";
/// the terminal's width, or 80.
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
