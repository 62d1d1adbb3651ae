// A plan comes from a topology and a shape, or from a saved plan: an empty one does not exist.
// Error: private|no matching
#include <nodewise/plan.hpp>

#ifdef BROKEN
nodewise::Plan plan;
#else
nodewise::Plan (*load)(std::string_view, const nodewise::Topology&) = &nodewise::Plan::from_json;
#endif
