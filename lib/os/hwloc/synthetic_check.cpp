#include "os/hwloc/synthetic_check.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/text.hpp"
#include "os/hwloc/limits.hpp"

namespace nodewise::os {
namespace {

// hwloc knows a level of nodes by either name, in any case.
bool is_node(std::string_view word) {
  std::string name(word.substr(0, 4));
  for (char& letter : name) letter = static_cast<char>(letter | 0x20);
  return name == "numa" || name == "node";
}

// The count of a level: 4 in "pack:4(memory=1GB)", and in "4". 1 where there is none.
std::uint64_t count_of(std::string_view word) {
  const auto colon = word.find(':');
  const std::string digits(word.substr(colon == std::string_view::npos ? 0 : colon + 1));
  return std::max<std::uint64_t>(1, std::strtoull(digits.c_str(), nullptr, 0));
}

// The end of the word that begins the text. Blanks within brackets do not end it.
std::size_t word_end(std::string_view text) {
  int open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(' || text[i] == '[') ++open;
    if (text[i] == ')' || text[i] == ']') --open;
    if (text[i] == ' ' && open <= 0) return i;
  }
  return text.size();
}

}  // namespace

std::optional<std::string> fault_in_synthetic(std::string_view description) {
  std::uint64_t objects = 1;  // of the level so far; the last level is that of the CPUs
  std::uint64_t nodes = 0;
  while (!description.empty()) {
    const std::string_view word = description.substr(0, word_end(description));
    description.remove_prefix(std::min(word.size() + 1, description.size()));
    const bool attached = word.starts_with('[');  // as "[numa]": one node for each object of the level before
    if (!attached && !word.starts_with('(')) {
      const std::uint64_t count = count_of(word.substr(0, word.find('(')));
      if (count > most_cpus || objects * count > most_cpus)
        return base::text("it has more than ", most_cpus, " CPUs or other objects", beyond_linux);
      objects *= count;
    }
    if (attached || is_node(word)) nodes += objects;
    if (nodes > most_nodes) return base::text("it has more than ", most_nodes, " nodes", beyond_linux);
  }
  return std::nullopt;
}

}  // namespace nodewise::os
