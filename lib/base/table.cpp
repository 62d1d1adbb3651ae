#include <nodewise/text.hpp>

#include <algorithm>

namespace nodewise {

std::string draw_table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment) {
  std::vector<std::size_t> widths(alignment.size());
  for (const auto& row : rows)
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], row[column].size());
  std::string table;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string space(widths[column] - row[column].size(), ' ');
      if (column > 0) line += "  ";
      line += alignment[column] == 'r' ? space + row[column] : row[column] + space;
    }
    if (alignment.back() == 'l') line.resize(line.find_last_not_of(' ') + 1);
    table += line + '\n';
  }
  return table;
}

}  // namespace nodewise
