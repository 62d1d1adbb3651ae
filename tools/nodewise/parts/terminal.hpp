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

/// `text` as one line that cannot steer a terminal: control characters and marks of direction, line ends
/// among them, are written as JSON writes them.
std::string printable(std::string_view text);

/// Writes lines to standard output. Whatever the text holds, nothing in it steers the terminal but its lines
/// and, on a terminal with colours, the colours of Ink; the rest is escaped as by printable(), which leaves
/// JSON unchanged. A reader that has gone away is no error; another failure, such as a full disk, is: throws
/// Failure.
void print(std::string_view text);

/// Writes lines to standard error, cleaned as by print(), without colours.
void print_error(std::string_view text);

/// One printable line on standard error.
void complain(std::string_view line);

}  // namespace nodewise::tools
