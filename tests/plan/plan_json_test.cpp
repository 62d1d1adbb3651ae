// Goal: plans mean the same in a year: what is saved reads back equal, what contradicts itself is refused,
// and the plans of known machines stay what they are. Method: golden files in data/plans and, as seeds for
// fuzzing, in fuzz/corpus/plan (NODEWISE_UPDATE_GOLDENS=1 rewrites both); then saved plans with one thing
// changed.
#include <nodewise/plan.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nodewise/error.hpp>

#include "fuzz/fuzz_machine.hpp"
#include "support/files.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::MiB;
using test::text_of;

namespace {

const std::filesystem::path data = NODEWISE_TEST_DATA;

void check_golden(const std::filesystem::path& path, const std::string& text) {
  if (std::getenv("NODEWISE_UPDATE_GOLDENS") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  CAPTURE(path.string());
  CHECK(text_of(path) == text);
}

void check_plan(const std::string& name, const Topology& topology, Shape shape, std::uint64_t batch_size,
                const PlanOptions& options = {}) {
  const Plan plan(topology, {shape, DType::f64, batch_size}, options);
  check_golden(data / "plans" / (name + ".json"), plan.to_json());
  CHECK(Plan::from_json(plan.to_json(), topology) == plan);
}

Topology stored(const std::string& name) {
  return Topology::from_xml((data / "topologies" / (name + ".xml")).string());
}

Topology built(const std::vector<test::NodeSpec>& specs) {
  return Topology::from_data(test::machine(specs));
}

/// `json` without white space; no string of a plan has any.
std::string dense(const std::string& json) {
  std::string result;
  for (const char character : json)
    if (character != ' ' && character != '\n') result += character;
  return result;
}

/// `text` with its first `before` replaced.
std::string changed(std::string text, std::string_view before, std::string_view after) {
  const std::size_t position = text.find(before);
  REQUIRE_MESSAGE(position != text.npos, before);
  return text.replace(position, before.size(), after);
}

const Topology& machine() {
  static const Topology topology = test::fuzz_machine();
  return topology;
}

Plan example(const PlanOptions& options = {}) {
  return Plan(machine(), {{100, 3}, DType::u16, 7}, options);
}

template <class E>
std::string error_of(const std::string& json) {
  try {
    Plan::from_json(json, machine());
  } catch (const E& error) {
    return error.what();
  } catch (const Error& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

/// What is said about the example with `before` replaced by `after`.
std::string refused(std::string_view before, std::string_view after) {
  return error_of<FormatError>(changed(example().to_json(), before, after));
}

}  // namespace

TEST_CASE("golden plans") {
  const Shape digits{1797, 64};
  check_plan("one-node", Topology::from_synthetic("numa:1 core:4 pu:1"), digits, 100);
  check_plan("two-nodes", Topology::from_synthetic("numa:2 core:4 pu:1"), digits, 100);
  check_plan("eight-nodes", stored("8x1"), digits, 64);
  check_plan("sub-numa-clusters", stored("snc"), digits, 100);
  check_plan("nodes-without-memory", built({{0, 4, 0, true}, {1, 4, 64 * MiB, true}, {2, 4, 64 * MiB, true}}),
             digits, 100);
  check_plan("nodes-without-cpus", stored("2x2+1mem"), digits, 100);
  check_plan("memory-only-by-name", stored("hbm"), digits, 100, {.targets = {1, 3}});
  check_plan("holes-in-numbering", stored("holes"), digits, 100);
  check_plan("asymmetric-distances", stored("4-asym"), digits, 100);
  check_plan("cpuset-of-half", stored("4x2-cpuset"), digits, 100);
  check_plan("more-nodes-than-batches", stored("8x1"), digits, 800);
  check_plan("one-sample", stored("4x2"), {1, 64}, 100);
  check_plan("zero-samples", stored("4x2"), {0, 64}, 100);
  check_plan("one-page", stored("4x2"), {16, 2}, 1);
  check_plan("batch-larger-than-node", built({{0, 2, MiB, true}, {1, 2, MiB, true}}), {1000, 512}, 1000);
  check_plan("interleaved", stored("4x2"), digits, 100, {.policy = Policy::interleaved});
  check_plan("by-cpus", built({{0, 6, MiB, true}, {1, 2, MiB, true}}), digits, 10,
             {.weights = Weights::cpus});
  check_plan("by-capacity", stored("hbm"), digits, 10,
             {.weights = Weights::capacity, .targets = {0, 1, 2, 3}});
  check_plan("given-weights", stored("4x2"), digits, 10,
             {.weights = Weights::given, .given_weights = {1, 2.5, 0, 1}});
  check_plan("huge-pages-and-offset", stored("4x2"), {100000, 64}, 1024,
             {.page_bytes = 2 * MiB, .base_offset = 4096});
}

TEST_CASE("golden refusal") {
  const Topology topology = built({{0, 2, MiB, true}, {1, 2, MiB, true}});
  std::string said = "nothing";
  try {
    Plan(topology, {{1000, 512}, DType::f64, 1000}, {.binding = Binding::required});
  } catch (const PlacementError& error) {
    said = error.what();
  }
  check_golden(data / "plans" / "batch-larger-than-node-required.txt", said + "\n");
}

TEST_CASE("golden seeds for fuzzing") {
  const auto seed = [](const std::string& name, const std::string& json) {
    check_golden(data / ".." / "fuzz" / "corpus" / "plan" / name, json);
    CHECK_NOTHROW(Plan::from_json(json, machine()));
  };
  const auto plan = [](Shape shape, DType dtype, std::uint64_t batch_size, const PlanOptions& options) {
    return Plan(machine(), {shape, dtype, batch_size}, options).to_json();
  };
  seed("cuts", example().to_json());
  seed("offset", example({.targets = {3, 1, 0, 2}, .page_bytes = 64, .base_offset = 5}).to_json());
  seed("small", plan({9, 1}, DType::u8, 2, {.page_bytes = 4}));
  seed("dense", dense(plan({2, 1}, DType::u8, 1, {.page_bytes = 1})));
  seed("one-node", plan({1, 1}, DType::bf16, 1, {.binding = Binding::required, .targets = {0}}));
  seed("interleaved", example({.policy = Policy::interleaved}).to_json());
  seed("given", example({.weights = Weights::given, .given_weights = {1, 2}}).to_json());
  seed("spill", plan({5000, 8}, DType::f64, 50, {.weights = Weights::capacity}));
  seed("none", plan({0, 1}, DType::f16, 1, {}));
  seed("unknown-fields",
       changed(example({.weights = Weights::cpus}).to_json(), "{",
               R"({"unknown": ["\ud83d\ude00\u00e9\n", "é€😀", -1, 0.5e-3, 1e+300, true, null, {"a": {}}],)"));
}

TEST_CASE("a plan for this machine reads back equal, however it is spaced and whatever else it says") {
  const Plan plan = example();
  CHECK(Plan::from_json(plan.to_json(), machine()) == plan);
  const std::string close = dense(plan.to_json());
  CHECK(Plan::from_json(close, machine()) == plan);
  CHECK(Plan::from_json(changed(close, "{", R"({"later": {"schema": 1}, )"), machine()) == plan);
  CHECK(Plan::from_json(changed(close, R"({"node":0)", R"({"host":"a","node":0)"), machine()) == plan);
}

TEST_CASE("a saved partition is kept, whatever the machine of the moment would give") {
  auto before = test::machine({{0, 2, 10 * MiB, true}, {1, 2, 30 * MiB, true}});
  auto after = test::machine({{0, 2, 20 * MiB, true}, {1, 2, 4096, true}});
  const PlanOptions options{.weights = Weights::capacity};
  const Plan saved(Topology::from_data(before), {{100, 100}, DType::f64, 1}, options);
  const Topology topology = Topology::from_data(after);
  REQUIRE(topology.fingerprint() == saved.fingerprint());
  const Plan replayed = Plan::from_json(saved.to_json(), topology);
  CHECK(replayed.shards()[0].batches == BatchRange{0, 25});
  CHECK(replayed.shards()[1].pages == saved.shards()[1].pages);
  CHECK(replayed.cuts() == saved.cuts());
  CHECK(saved.spill_bytes() == 0);
  CHECK_MESSAGE(replayed.spill_bytes() == saved.shards()[1].pages.bytes() - 4096, "spilling is of today");
  CHECK(replayed != Plan(topology, {{100, 100}, DType::f64, 1}, options));
  const std::string required = changed(saved.to_json(), "preferred", "required");
  CHECK_THROWS_AS(Plan::from_json(required, topology), PlacementError);
  CHECK(Plan::from_json(required, Topology::from_data(before)).binding() == Binding::required);
}

TEST_CASE("plans that promise different remedies differ") {
  auto described = test::machine({{0, 2, MiB, true}, {1, 2, MiB, true}});
  const auto plan = [&] {
    return Plan(Topology::from_data(described), {{10, 256}, DType::u8, 1}, {.page_bytes = 1024});
  };
  const Plan without = plan();
  described.nodes[0].pools.insert(described.nodes[0].pools.begin(), {256, 1, 0});
  CHECK(plan().fingerprint() == without.fingerprint());
  CHECK(plan() != without);
}

TEST_CASE("the documentation shows what is written") {
  const std::string documented = text_of(data / ".." / ".." / "docs" / "json.md");
  CHECK(documented.find("```json\n" + example().to_json() + "```\n") != std::string::npos);
}

TEST_CASE("another machine, another schema") {
  const std::string fingerprint = machine().fingerprint();
  CHECK(error_of<PlacementError>(changed(example().to_json(), fingerprint, "0123456789abcdef")) ==
        "Plan::from_json: the plan is for a machine with fingerprint \"0123456789abcdef\", and the machine "
        "of the "
        "seeds has \"" +
            fingerprint + "\"; make a plan for this one");
  CHECK(refused("nodewise.plan/1", "nodewise.plan/2") ==
        "Plan::from_json: plan.schema is \"nodewise.plan/2\"; this library reads nodewise.plan/1");
  CHECK(refused("nodewise.plan/1", "\\u001b[31m" + std::string(100, 'x')) ==
        "Plan::from_json: plan.schema is \"\\x1b[31m" + std::string(35, 'x') +
            "\"...; this library reads nodewise.plan/1");
  CHECK(error_of<PlacementError>(changed(example({.targets = {2}}).to_json(), "preferred", "required"))
            .find("may not allocate on node 16") != std::string::npos);
}

TEST_CASE("what is malformed is refused by name") {
  CHECK(error_of<FormatError>("") == "Plan::from_json: JSON, line 1, byte 1: expected a value");
  CHECK(error_of<FormatError>("[]") == "Plan::from_json: plan is not an object");
  CHECK(error_of<FormatError>("{}") == "Plan::from_json: plan.schema is missing");
  CHECK(refused("\"samples\": 100", "\"samples\": \"100\"") ==
        "Plan::from_json: plan.samples is not an integer from 0 to 2^64 - 1");
  CHECK(refused("\"samples\": 100", "\"samples\": 1e2").ends_with("not an integer from 0 to 2^64 - 1"));
  CHECK(refused("\"u16\"", "\"u12\"") == "Plan::from_json: plan.dtype is \"u12\", which is no element type");
  CHECK(refused("\"u16\"", "\"uint16\"").ends_with("is \"uint16\", which is no element type"));
  CHECK(refused("\"blocked\"", "\"Blocked\"") ==
        "Plan::from_json: plan.policy is \"Blocked\", which is no policy");
  CHECK(refused("\"preferred\"", "\"\"") == "Plan::from_json: plan.binding is \"\", which is no binding");
  CHECK(refused("\"equal\"", "null") == "Plan::from_json: plan.weights is not a string");
  CHECK(refused("\"batch_size\": 7", "\"batch_size\": 0") ==
        "Plan::from_json: Dataset: a batch has at least one sample, not 0");
  CHECK(refused("\"page_bytes\": 256", "\"page_bytes\": 255").ends_with("it must be a power of two"));
  CHECK(refused("\"samples\": 100", "\"samples\": 18446744073709551615")
            .ends_with("more than 64 bits can count"));
  CHECK(refused("\"shards\": [", "\"shards\": 1, \"x\": [") ==
        "Plan::from_json: plan.shards is not an array");
  CHECK(refused("{\"node\": 1", "[{\"node\": 1}], {\"node\": 1") ==
        "Plan::from_json: plan.shards[1] is not an object");
  for (const char* range : {"[]", "[0]", "[0, 294, 0]", "[294, 0]", "[-1, 294]", "[0, \"294\"]"})
    CHECK(refused("\"bytes\": [0, 294]", std::string("\"bytes\": ") + range) ==
          "Plan::from_json: plan.shards[0].bytes is no range [begin, end]");
}

TEST_CASE("what contradicts itself is refused") {
  CHECK(example().to_json().find("\"first_batch\": 7, \"num_batches\": 8") != std::string::npos);
  CHECK(refused("\"num_batches\": 15", "\"num_batches\": 16") ==
        "Plan::from_json: plan.num_batches says 16, and from the rest of the plan follows 15");
  CHECK(refused("\"samples\": 100", "\"samples\": 106") ==
        "Plan::from_json: plan.shards has batches up to 15, and the dataset has 16");
  CHECK(refused("\"first_batch\": 7, \"num_batches\": 8", "\"first_batch\": 8, \"num_batches\": 7") ==
        "Plan::from_json: plan.shards[1].first_batch says 8, and from the rest of the plan follows 7");
  CHECK(refused("\"first_batch\": 7, \"num_batches\": 8", "\"first_batch\": 7, \"num_batches\": 9") ==
        "Plan::from_json: plan.shards has batches up to 16, and the dataset has 15");
  CHECK(refused("\"first_batch\": 7, \"num_batches\": 8",
                "\"first_batch\": 7, \"num_batches\": 18446744073709551615") ==
        "Plan::from_json: plan.shards[1].num_batches is more than 64 bits can count");
  CHECK(refused("\"first_batch\": 0, \"num_batches\": 7", "\"first_batch\": 0, \"num_batches\": 6") ==
        "Plan::from_json: plan.shards[1].first_batch says 7, and from the rest of the plan follows 6");
  CHECK(refused("\"os_index\": 1", "\"os_index\": 0") == "Plan::from_json: plan.shards names a node twice");
  CHECK(refused("\"os_index\": 1", "\"os_index\": 2") ==
        "Plan::from_json: plan.shards[1].os_index is 2, and there is no such node");
  CHECK(refused("\"os_index\": 1", "\"os_index\": 4294967297").ends_with("and there is no such node"));
  CHECK(refused("\"node\": 1", "\"node\": 0").find("plan.shards[1].node says 0") != std::string::npos);
  CHECK(refused("\"bytes\": [0, 294]", "\"bytes\": [0, 293]").find("plan.shards[0].bytes says 293") !=
        std::string::npos);
  const auto says = [](std::string_view name, std::string_view before, std::string_view after) {
    const std::string said = refused(before, after);
    const std::string expected = "Plan::from_json: plan." + std::string(name) + " says ";
    CHECK_MESSAGE(said.starts_with(expected), said);
  };
  says("total_bytes", "\"total_bytes\": 600", "\"total_bytes\": 601");
  says("mapped_bytes", "\"mapped_bytes\": 768", "\"mapped_bytes\": 1024");
  says("cut_bytes", "\"cut_bytes\": 38,\n", "\"cut_bytes\": 37,\n");
  says("shards[0].pages", "\"pages\": [0, 256]", "\"pages\": [0, 512]");
  says("shards[1].pages", "\"pages\": [256, 768]", "\"pages\": [512, 768]");
  says("shards[0].cut_bytes", "\"cut_bytes\": 38, ", "\"cut_bytes\": 0, ");
  says("cuts[0].page", "\"page\": 256", "\"page\": 0");
  says("cuts[0].cut_bytes", "\"cut_bytes\": 38}", "\"cut_bytes\": 39}");
  CHECK(refused("\"cuts\": [", "\"cuts\": [], \"x\": [") ==
        "Plan::from_json: plan.cuts has 0 cuts, and from the shards follow 1");
  CHECK(refused("\"owner\": 1", "\"owner\": 0").find("plan.cuts[0].owner says 0") != std::string::npos);
  CHECK(refused("\"shards\": [", "\"shards\": [], \"x\": [") ==
        "Plan::from_json: plan.shards has batches up to 0, and the dataset has 15");
  CHECK(refused("\"shards\": [", "\"shards\": [0, 0, 0, 0, 0], \"x\": [") ==
        "Plan::from_json: plan.shards has 5 shards, and there are 4 nodes");
}
