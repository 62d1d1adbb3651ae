// Goal: a plan has default targets on every machine that has memory: the nodes with CPUs and memory, or the
// next best ones; memory that is not stated is not taken for none. Method: machines made by hand, and two
// stored files that differ only in whether they state the memory.
#include <doctest/doctest.h>

#include <string>

#include <nodewise/error.hpp>
#include <nodewise/plan.hpp>

#include "support/machines.hpp"

using namespace nodewise;

namespace {

Topology load(const std::string& name) {
  return Topology::from_xml(NODEWISE_TEST_DATA "/topologies/" + name + ".xml");
}

}  // namespace

TEST_CASE("a plan's default targets have memory, may allocate, and have a CPU that may work") {
  auto data = test::even_machine(4);
  data.nodes[0].allowed = false;
  data.nodes[1].allowed_cpus = {};
  data.nodes[3].memory_bytes = 0;
  CHECK(Topology::from_data(data).default_targets() == std::vector<unsigned>{2});
}

TEST_CASE("if no node has both CPUs and memory, the default targets are the nearest nodes with memory") {
  auto data = test::even_machine(4);
  data.distances = {10, 12, 21, 21, 12, 10, 21, 21, 21, 21, 10, 12, 21, 21, 12, 10};
  data.nodes[0].allowed = false;
  for (unsigned node = 1; node < 4; ++node) data.nodes[node].allowed_cpus = {};
  CHECK(Topology::from_data(data).default_targets() == std::vector<unsigned>{1});
  data.nodes[1].memory_bytes = 0;
  CHECK(Topology::from_data(data).default_targets() == std::vector<unsigned>{2, 3});
  data.nodes[0].allowed_cpus = {};  // there is no CPU to be near to
  CHECK(Topology::from_data(data).default_targets().empty());
}

TEST_CASE("memory that a file does not state is unknown, and not none") {
  const auto unknown = load("memory-unknown"), known = load("memory-known");
  CHECK(unknown.fingerprint() == known.fingerprint());
  CHECK(unknown.node(0).memory_unknown);
  CHECK_FALSE(known.node(0).memory_unknown);
  CHECK_FALSE(load("hole").node(1).memory_unknown);
  CHECK(unknown.default_targets() == std::vector<unsigned>{0});
  PlanOptions options;
  CHECK(Plan(unknown, {{1000000, 1000}, DType::f64, 100}, options).spill_bytes() == 0);
  options.binding = Binding::required;
  CHECK_NOTHROW(Plan(unknown, {{1000, 10}, DType::f64, 100}, options));
  options.weights = Weights::capacity;
  CHECK_THROWS_AS(Plan(unknown, {{1000, 10}, DType::f64, 100}, options), InvalidArgument);
}
