// nodewise doctor: what hurts placement here, with evidence and remedy.
#include "doctor/doctor.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/flags.hpp"
#include "parts/json.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {

std::string_view to_string(Level level) noexcept {
  switch (level) {
    case Level::ok:
      return "ok";
    case Level::note:
      return "note";
    case Level::warning:
      return "warning";
    case Level::problem:
      return "problem";
  }
  return {};
}

namespace {

struct Options {
  bool json = false;
  std::string fail_on;
};

Level worst_of(const std::vector<Finding>& findings) {
  Level worst = Level::ok;
  for (const Finding& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

std::string json_of(const std::vector<Finding>& findings, const Topology& topology) {
  Json rows = Json::array();
  for (const Finding& finding : findings)
    rows.push_back({{"name", finding.name},
                    {"level", to_string(finding.level)},
                    {"evidence", finding.evidence},
                    {"remedy", finding.remedy}});
  const Json report = {{"schema", "nodewise.doctor/1"},
                       {"host", host_name()},
                       {"fingerprint", topology.fingerprint()},
                       {"worst", to_string(worst_of(findings))},
                       {"findings", rows}};
  return report.text();
}

Ink ink_of(Level level) {
  switch (level) {
    case Level::ok:
      return Ink::good;
    case Level::note:
      return Ink::plain;
    case Level::warning:
      return Ink::fair;
    case Level::problem:
      break;
  }
  return Ink::bad;
}

std::string text_of(const std::vector<Finding>& findings, const Topology& topology) {
  const Screen screen = tools::screen();
  std::string text = machine_text(topology) + "\n\n";
  std::size_t counts[4] = {};
  for (const Finding& finding : findings) {
    ++counts[static_cast<std::size_t>(finding.level)];
    text += inked(screen, ink_of(finding.level), fmt::format("{:<8}", to_string(finding.level)));
    text += fmt::format(" {}: {}\n", finding.name, finding.evidence);
    if (!finding.remedy.empty()) text += fmt::format("         remedy: {}\n", finding.remedy);
  }
  return text + fmt::format("\n{}, {}, {}, {} ok\n", counted(counts[3], "problem"),
                            counted(counts[2], "warning"), counted(counts[1], "note"), counts[0]);
}

Exit examine(const Options& options) {
  const Topology topology = Topology::this_machine();
  auto findings = examine_machine(topology);
  for (Finding& finding : examine_sharing()) findings.push_back(std::move(finding));
  for (Finding& finding : examine_process(topology)) findings.push_back(std::move(finding));
  findings = with_kernel_files(std::move(findings));
  print(options.json ? json_of(findings, topology) : text_of(findings, topology));
  if (options.fail_on.empty()) return Exit::done;
  if (worst_of(findings) < parse<Level>(options.fail_on)) return Exit::done;
  throw Failure(Exit::unmet, fmt::format("--fail-on={}: the worst finding is a {}", options.fail_on,
                                         to_string(worst_of(findings))));
}

}  // namespace

Subcommand doctor_subcommand() {
  const auto options = std::make_shared<Options>();
  return {.name = "doctor",
          .help = "find settings of this machine that harm placement, with evidence and remedy",
          .flags = {json_flag(options->json, "nodewise.doctor/1"),
                    {.name = "--fail-on",
                     .help = "exit with 1 if a finding has this level or a worse one; by default, findings "
                             "do not change the exit code",
                     .target = &options->fail_on,
                     .type = "note|warning|problem",
                     .choices = {"note", "warning", "problem"}}},
          .footer = R"(Examples
  nodewise doctor
  nodewise doctor --fail-on=problem)",
          .run = [options] { return examine(*options); }};
}

}  // namespace nodewise::tools
