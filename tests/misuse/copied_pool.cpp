// A pool is one: containers keep its address, and a copy would give the same blocks again.
// Error: deleted|use of
#include <nodewise/node_pools.hpp>

nodewise::PoolResource& pool_of(const nodewise::NodePools& pools) {
#ifdef BROKEN
  static nodewise::PoolResource pool = pools.local();
  return pool;
#else
  return pools.local();
#endif
}
