// The nodewise command: from the command line to a subcommand, and from how it ended to an exit code.
#include <csignal>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <nodewise/allowance.hpp>
#include <nodewise/error.hpp>
#include <nodewise/version.hpp>

#include "command.hpp"
#include "command_line.hpp"
#include "parts/describe.hpp"
#include "parts/interrupt.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

std::vector<std::string>& kept_words() {
  static std::vector<std::string> words = {"nodewise"};
  return words;
}

std::string version_text() {
  const BuildInfo build = build_info();
  return "nodewise " + build.version + "\ncompiler         " + build.compiler + "\nOpenMP           " +
         build.openmp + "\nhwloc            " + build.hwloc + "\nvector dispatch  " + build.vector_dispatch +
         "\nfeatures         npy";
}

Program program() {
  return {
      .help = "Places the pages of a dataset on the NUMA nodes that read them, and verifies where they lie.",
      .footer = R"(Exit codes: 0 done, 1 a requirement is not met, 2 wrong usage or bad input,
3 this machine cannot do it.
Begin with
  nodewise run FILE.npy --batch-size 32
`nodewise SUBCOMMAND --help` has examples.)",
      .version = version_text,
      .subcommands = {topology_subcommand(), plan_subcommand(), run_subcommand(), generate_subcommand(),
                      placement_subcommand(), segments_subcommand(), doctor_subcommand(),
                      count_subcommand()}};
}

// The exit code of each kind of error. A subcommand that knows better, as that a requirement was stated or
// that its user named a file wrongly, throws a Failure with a code of its own.
Exit code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::out_of_range:
    case ErrorKind::invalid_argument:
    case ErrorKind::format:
      return Exit::bad_input;
    case ErrorKind::system:
    case ErrorKind::threads:
    case ErrorKind::placement:
    case ErrorKind::owner_died:
    case ErrorKind::broken_barrier:
    case ErrorKind::out_of_memory:
    case ErrorKind::stopped:
    case ErrorKind::foreign:
      break;
  }
  return Exit::machine_cannot;
}

Exit code_of(const std::exception& error) {
  if (const auto* failure = dynamic_cast<const Failure*>(&error)) return failure->code();
  return code_of(kind_of(error));
}

// Reading the limits takes memory too, which may be missing.
std::string not_enough_memory(const std::bad_alloc& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) return without_call(error.what());
  std::string message = "not enough memory";
  try {
    if (const std::string limits = memory_limits(); !limits.empty()) message += "; limits here: " + limits;
  } catch (const std::bad_alloc&) {
    return message;
  }
  return message;
}

std::string message_of(const std::exception& error) {
  if (const int signal = interrupting_signal(); signal != 0)
    return "interrupted by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ')';
  if (const auto* full = dynamic_cast<const std::bad_alloc*>(&error)) return not_enough_memory(*full);
  return without_call(error.what());
}

}  // namespace

const std::vector<std::string>& typed_words() {
  return kept_words();
}

Exit run_command(int count, char** words) {
  if (count > 0) kept_words().assign(words, words + count);
  const Request request = request_of(program(), count, words);
  try {
    return request.run();
  } catch (const std::exception& error) {
    complain(request.about + ": " + message_of(error));
    return code_of(error);
  }
}

}  // namespace nodewise::tools

int main(int count, char** words) {
  using namespace nodewise::tools;
  open_missing_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away ends the output, not the run
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error, which names the limit
  auto code = Exit::machine_cannot;
  try {
    code = run_command(count, words);
  } catch (const std::exception& error) {
    complain(std::string("nodewise: ") + error.what());
  } catch (...) {
    complain("nodewise: an unknown error");
  }
  if (const int signal = interrupting_signal(); signal != 0) die_by(signal);
  return static_cast<int>(code);
}
