#include "count/counted.hpp"

#include <istream>
#include <sstream>
#include <string>
#include <string_view>

#include "parts/parse.hpp"

namespace nodewise::tools {
namespace {

constexpr std::string_view data_prefix = "data:";

template <class Wanted>
LoadsAndStores sum(const Traffic& traffic, Wanted wanted) {
  LoadsAndStores sum;
  for (const auto& [nodes, accesses] : traffic.between)
    if (wanted(nodes.first, nodes.second)) sum += accesses;
  return sum;
}

Traffic* group_of(Counted& counted, const std::string& name) {
  if (name == "outside") return &counted.outside;
  if (name == "kernel") return &counted.kernel;
  if (name == "program") return &counted.program;
  if (!name.starts_with(data_prefix)) return nullptr;
  const auto label = parse_count(name.substr(data_prefix.size()));
  return label ? &counted.data[static_cast<unsigned>(*label)] : nullptr;
}

bool take_line(const std::string& line, Counted& counted) {
  std::istringstream words(line);
  std::string group, kind;
  int cpu = 0, memory = 0;
  Accesses accesses;
  words >> group >> cpu >> memory >> kind >> accesses.count >> accesses.bytes;
  Traffic* traffic = group_of(counted, group);
  if (!words || traffic == nullptr) return false;
  auto& cell = traffic->between[{cpu, memory}];
  (kind == "load" ? cell.loads : cell.stores) += accesses;
  return true;
}

}  // namespace

Accesses& operator+=(Accesses& left, const Accesses& right) {
  left.count += right.count;
  left.bytes += right.bytes;
  return left;
}

LoadsAndStores& operator+=(LoadsAndStores& left, const LoadsAndStores& right) {
  left.loads += right.loads;
  left.stores += right.stores;
  return left;
}

LoadsAndStores Traffic::local() const {
  return sum(*this, [](int cpu, int memory) { return cpu >= 0 && cpu == memory; });
}

LoadsAndStores Traffic::remote() const {
  return sum(*this, [](int cpu, int memory) { return cpu >= 0 && memory >= 0 && cpu != memory; });
}

LoadsAndStores Traffic::devices() const {
  return sum(*this, [](int, int memory) { return memory == device_node; });
}

LoadsAndStores Traffic::unknown() const {
  return sum(*this, [](int cpu, int memory) {
    return memory == unknown_node || (memory >= 0 && cpu == unknown_node);
  });
}

Traffic Counted::total() const {
  Traffic total = outside;
  for (const Traffic* part : {&kernel, &program})
    for (const auto& [nodes, accesses] : part->between) total.between[nodes] += accesses;
  return total;
}

Counted read_counted(std::istream& report) {
  Counted counted;
  bool understood = true;
  for (std::string line; std::getline(report, line);) {
    if (line == "complete") {
      counted.complete = understood;
    } else if (!take_line(line, counted)) {
      understood = false;
    }
  }
  counted.complete = counted.complete && understood;
  return counted;
}

}  // namespace nodewise::tools
