// Goal: a topology file or description that is not what it says is refused by name, whatever is wrong with
// it, and nothing is printed on the way. Method: stored files damaged in one place, each with what the
// message must say; then many at random.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/topology.hpp>

#include "support/files.hpp"

using namespace nodewise;
using test::contains;
using test::message_of;
using test::TemporaryFile;
using test::text_of;

// hwloc loses the object that it was reading where a file breaks off.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:hwloc_alloc_setup_object\n";
}

namespace {

const std::filesystem::path stored = std::filesystem::path(NODEWISE_TEST_DATA) / "topologies";

// What `fn` writes to standard output and standard error.
template <class Fn>
std::string printed_by(Fn fn) {
  const TemporaryFile file("");
  std::fflush(nullptr);
  const int target = ::open(file.path().c_str(), O_WRONLY | O_CLOEXEC);
  const int saved[] = {::dup(1), ::dup(2)};
  ::dup2(target, 1);
  ::dup2(target, 2);
  fn();
  std::fflush(nullptr);
  ::dup2(saved[0], 1);
  ::dup2(saved[1], 2);
  for (const int descriptor : {target, saved[0], saved[1]}) ::close(descriptor);
  return text_of(file.path());
}

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

// Taken before anything of hwloc is loaded, by whichever test comes first.
const std::vector<std::string> environment_at_start = environment();

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto position = text.find(from);
  REQUIRE_MESSAGE(position != std::string::npos, from);
  return text.replace(position, from.size(), to);
}

}  // namespace

TEST_CASE("a file that is no topology is refused by name") {
  const auto whole = text_of(stored / "4x2.xml");
  const std::pair<std::string, std::string> cases[] = {
      {"", "no <topology>"},
      {"garbage", "no <topology>"},
      {"<topology>", "hwloc 1"},
      {"<topology version=\"2.0\">", "ends within <topology>"},
      {"<topology version=\"2.0\"></topology>", "no <topology> with objects"},
      {"<topology version=\"2.0\">\n<object type=\"Machine\"/></topology>", "line 2: Machine has no cpuset"},
      {"<?xml version=\"1.0\"?>\n<html><body/></html>\n", "line 2: <html> is not a topology"},
      {whole.substr(0, whole.size() / 2), "line 74: not XML"},
      {whole.substr(0, whole.size() - 12), "ends within <topology>"},
      {replaced(whole, "version=\"2.0\"", "version=\"9.0\""), "hwloc "},
  };
  for (const auto& [text, said] : cases) {
    const TemporaryFile file(text);
    const auto message = message_of<FormatError>([&] { Topology::from_xml(file.path()); });
    CHECK_MESSAGE(contains(message, file.path()), message);
    CHECK_MESSAGE(contains(message, said), message);
  }
}

TEST_CASE("a damaged file is refused before it does damage") {
  const auto whole = text_of(stored / "snc.xml");
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"<object type=\"PU\" os_index=\"1\" cpuset", "<object type=\"PU\" os_index=\"1\"cpuset", "not XML"},
      {"os_index=\"1\" cpuset=\"0x00000002\"", "os_index=\"1\"", "PU has no cpuset"},
      {"complete_cpuset=\"0x00000002\"", "complete_cpuset=\"0x00000008\"", "not within its Core's"},
      {"cpuset=\"0x00000002\"", "cpuset=\"7x00000002\"", "\"7x00000002\" is not a set"},
      {"cpuset=\"0x00000002\"", "cpuset=\"0xf...f\"", "is not a set"},
      {"allowed_cpuset=\"0x0000ffff\"", "allowed_cpuset=\"\"", "allowed_cpuset \"\" is not a set"},
      {"type=\"PU\" os_index=\"1\"", "type=\"PU\" os_index=\"0\"", "os_index of PU is not its cpuset"},
      {"type=\"PU\" os_index=\"1\"", "type=\"PU\"", "os_index of PU"},
      {"type=\"NUMANode\" os_index=\"1\"", "type=\"NUMANode\" os_index=\"0\"", "os_index of NUMANode"},
      {"type=\"Core\" os_index=\"1\" cpuset=\"0x0000000c\" complete_cpuset=\"0x0000000c\"",
       "type=\"Core\" os_index=\"1\" cpuset=\"0x0000000e\" complete_cpuset=\"0x0000000e\"",
       "Core shares CPUs"},
      {"gp_index=\"4\"", "gp_index=\"3\"", "gp_index 3 is zero or taken"},
      {"gp_index=\"4\"", "gp_index=\"0\"", "gp_index 0 is zero"},
      {"<object type=\"Core\"", "<object", "without a type"},
      {"<object type=\"Core\"", "<object type=\"Machine\"", "Machine within Group"},
      {"<object type=\"Core\"", "<object type=\"PU\"", "os_index of PU is not its cpuset"},
      {"<object type=\"Machine\"", "<object type=\"Package\"", "instead of one Machine"},
      {"<object type=\"OSDev\"", "<object type=\"OSDev\" cpuset=\"0x1\"", "OSDev has a cpuset"},
      {"<distances2", "<distances2 <", "not XML"},
      {"</distances2>", "</distances>", "closes what is not open"},
      {"<distances2", "<!-- <distances2", "not XML"},
  };
  for (const auto& [from, to, said] : cases) {
    const TemporaryFile file(replaced(whole, from, to));
    const auto message = message_of<FormatError>([&] { Topology::from_xml(file.path()); });
    CHECK_MESSAGE(contains(message, said), message);
  }
}

TEST_CASE("a file that has a node twice is refused") {
  const auto two =
      "os_index=\"2\" cpuset=\"0x0000000f\" complete_cpuset=\"0x0000000f\" nodeset=\"0x00000004\" "
      "complete_nodeset=\"0x00000004\"";
  const auto none =
      "os_index=\"0\" cpuset=\"0x0000000f\" complete_cpuset=\"0x0000000f\" nodeset=\"0x00000001\" "
      "complete_nodeset=\"0x00000001\"";
  const TemporaryFile file(replaced(text_of(stored / "hbm.xml"), two, none));
  const auto message = message_of<FormatError>([&] { Topology::from_xml(file.path()); });
  CHECK_MESSAGE(contains(message, "NUMANode 0 is there twice"), message);
}

TEST_CASE("a file of a later hwloc is refused with the flag that writes an earlier one") {
  const TemporaryFile file(replaced(text_of(stored / "4x2.xml"), "version=\"2.0\"", "version=\"3.0\""));
  const auto refusal = [&] { return message_of<FormatError>([&] { Topology::from_xml(file.path()); }); };
  if (const auto message = refusal(); !message.empty())  // hwloc 3 reads it
    CHECK_MESSAGE(contains(message,
                           "written for hwloc 3, but the one in use is hwloc 2; "
                           "`lstopo --of xml --export-xml-flags V2 FILE`"),
                  message);
}

TEST_CASE("a device may lie within a CPU, as `lstopo --merge` writes it") {
  auto text = text_of(stored / "4x2.xml");
  const auto cpu = text.find("<object type=\"PU\"");
  const auto end = text.find("/>", cpu);
  REQUIRE((cpu != std::string::npos && end != std::string::npos));
  text.replace(end, 2,
               "><object type=\"Bridge\" gp_index=\"1001\" bridge_type=\"0-1\" depth=\"0\""
               " bridge_pci=\"0000:[00-00]\"><object type=\"PCIDev\" gp_index=\"1002\""
               " pci_busid=\"0000:00:03.0\" pci_type=\"0200 [1af4:1000] [1af4:0001] 00\""
               " pci_link_speed=\"0.000000\"/></object></object>");
  const TemporaryFile file(text);
  const Topology machine = Topology::from_xml(file.path());
  CHECK(machine.nodes().size() == 4);
}

TEST_CASE("a file that is nested deeper than any machine is refused before hwloc recurses into it") {
  const std::string sets = " cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x1\" complete_nodeset=\"0x1\"";
  const auto nested = [&sets](unsigned levels) {
    std::string text = "<topology version=\"2.0\"><object type=\"Machine\" os_index=\"0\"" + sets +
                       "><object type=\"NUMANode\" os_index=\"0\"" + sets + " local_memory=\"4096\"/>";
    for (unsigned level = 0; level < levels; ++level) text += "<object type=\"Group\"" + sets + ">";
    text += "<object type=\"PU\" os_index=\"0\"" + sets + "/>";
    for (unsigned level = 0; level < levels; ++level) text += "</object>";
    return text + "</object></topology>";
  };
  const TemporaryFile shallow(nested(30));
  const Topology machine = Topology::from_xml(shallow.path());
  CHECK(machine.nodes().size() == 1);
  for (const unsigned levels : {1500U, 20000U}) {
    const TemporaryFile deep(nested(levels));
    const auto message = message_of<FormatError>([&] { Topology::from_xml(deep.path()); });
    CHECK_MESSAGE(contains(message, "within 128 others"), message);
  }
}

TEST_CASE("a description of more CPUs or nodes than Linux supports is refused at once") {
  const std::pair<const char*, const char*> cases[] = {
      {"numa:4096 core:8 pu:1", "more than 1024 nodes"},
      {"numa:99999999", "more than 8192 CPUs"},
      {"pu:100000", "more than 8192 CPUs"},
      {"numa:1025 pu:1", "more than 1024 nodes"},
      {"pack:1025 [numa] pu:1", "more than 1024 nodes"},
      {"4 64 64", "more than 8192 CPUs"},
      {"NUMANode:0x401 pu:1", "more than 1024 nodes"},
      {"pu:18446744073709551615", "more than 8192 CPUs"},
      {"numa:2(memory=1 size=2) core:99 pu:99", "more than 8192 CPUs"}};
  for (const auto& [text, said] : cases) {
    const std::string description = text;
    const auto message = message_of<FormatError>([&] { Topology::from_synthetic(description); });
    CHECK_MESSAGE(contains(message, said), message);
    CHECK_MESSAGE(contains(message, text), message);
  }
  const Topology two = Topology::from_synthetic("pack:2 [numa(memory=1GB)] core:2 pu:2");
  CHECK(two.nodes().size() == 2);
  const Topology many = Topology::from_synthetic("numa:64 core:4 pu:2");
  CHECK(many.nodes().size() == 64);
}

TEST_CASE("files damaged at random are read or refused, and nothing else") {
  std::mt19937 random(11);
  unsigned read = 0, refused = 0;
  for (const char* name : {"snc", "hmat"}) {
    const auto whole = text_of(stored / (std::string(name) + ".xml"));
    for (int round = 0; round < 400; ++round) {
      auto text = whole;
      const auto digit = text.find_first_of("0123456789", random() % text.size());
      if (round % 4 == 0)
        text.erase(random() % text.size(), 1 + random() % 60);
      else if (digit != std::string::npos)
        text[digit] = "0123456789abcdef"[random() % 16];
      const TemporaryFile file(text);
      try {
        Topology::from_xml(file.path());
        ++read;
      } catch (const FormatError&) {
        ++refused;
      }
    }
  }
  CHECK(read > 100);
  CHECK(refused > 100);
}

TEST_CASE("a file that cannot be read is a system error that names it") {
  for (const auto& [path, code] : {std::pair("/no/such/topology.xml", ENOENT), std::pair("/", EISDIR)}) {
    try {
      Topology::from_xml(path);
      FAIL("nothing thrown");
    } catch (const SystemError& error) {
      CHECK(error.code() == code);
      CHECK(contains(error.what(), path));
    }
  }
}

TEST_CASE("a description that hwloc does not know is refused and repeated") {
  for (const char* text : {"", "nonsense", "pack:0 pu:1", "pack:2 bogus:3", "pu", "numa:2 numa:2 pu:1"}) {
    const auto message = message_of<FormatError>([&] { Topology::from_synthetic(text); });
    CHECK_MESSAGE(contains(message, std::string("\"") + text + "\""), message);
  }
}

TEST_CASE("nothing is printed, and the environment is as it was") {
  auto text = text_of(stored / "holes.xml");  // with two packages in the wrong order, hwloc has a lot to say
  const auto first = text.find("    <object type=\"Package\" os_index=\"0\"");
  const auto second = text.find("    <object type=\"Package\" os_index=\"1\"");
  const auto end = text.find("  </object>\n</topology>");
  REQUIRE((first < second && second < end && end != std::string::npos));
  text = text.substr(0, first) + text.substr(second, end - second) + text.substr(first, second - first) +
         text.substr(end);
  const TemporaryFile disorderly(text);
  CHECK(printed_by([&] {
          CHECK(Topology::from_xml(disorderly.path()).fingerprint() ==
                Topology::from_xml((stored / "holes.xml").string()).fingerprint());
          CHECK_THROWS_AS(Topology::from_synthetic("nonsense"), FormatError);
        }).empty());
  CHECK(environment() == environment_at_start);
}
