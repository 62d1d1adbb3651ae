// Text for people: tables, and what a screen can show.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/export.hpp>

namespace nodewise {

/// What the reader's screen can show. The caller states this, because it prints the text; the library
/// examines no terminal.
struct TextStyle {
  std::size_t width = 80;  ///< In columns.
  bool colour = false;     ///< With the escape sequences of ECMA-48.
};

/// A table: one line for each row, with aligned columns, two spaces apart. All rows have the same length.
/// `alignment` has one character for each column: 'l' (left) or 'r' (right). Thread class: any thread.
NODEWISE_PUBLIC std::string draw_table(const std::vector<std::vector<std::string>>& rows,
                                       std::string_view alignment);

}  // namespace nodewise
