// Text for people: what their screen can show, and tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/export.hpp>

namespace nodewise {

/// What the reader's screen can show. The library does not examine any terminal; the caller that prints
/// states this.
struct TextStyle {
  std::size_t width = 80;  ///< In columns.
  bool colour = false;     ///< By the escape sequences of ECMA-48.
};

/// Rows of equal length in aligned columns, two spaces apart, a line each; `alignment` has 'l' (left) or 'r'
/// (right) for each column. Thread class: reentrant.
NODEWISE_PUBLIC std::string draw_table(const std::vector<std::vector<std::string>>& rows,
                                       std::string_view alignment);

}  // namespace nodewise
