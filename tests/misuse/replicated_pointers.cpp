// What a copy holds must come to its node too: a std::vector's elements would stay where they were.
// Error: Replicable|constraint
#include <vector>

#include <nodewise/replicated.hpp>

#ifdef BROKEN
using Table = std::vector<double>;
#else
using Table = std::pmr::vector<double>;
#endif

double third(nodewise::NodePools& pools, const Table& table) {
  return nodewise::Replicated<Table>(pools, table).local()[2];
}
