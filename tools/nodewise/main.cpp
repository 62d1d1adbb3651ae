// The nodewise command: from the command line to a subcommand, and from how it ended to an exit code.
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/version.hpp>

#include "base/text.hpp"
#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

std::vector<std::string>& kept_words() {
  static std::vector<std::string> words = {"nodewise"};
  return words;
}

std::string version_text() {
  const BuildInfo build = build_info();
  return base::text("nodewise ", build.version, "\ncompiler         ", build.compiler, "\nOpenMP           ",
                    build.openmp, "\nhwloc            ", build.hwloc, "\nvector dispatch  ",
                    build.vector_dispatch, "\nfeatures         npy");
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
    case ErrorKind::placement:
    case ErrorKind::owner_died:
    case ErrorKind::broken_barrier:
    case ErrorKind::out_of_memory:
    case ErrorKind::foreign:
      break;
  }
  return Exit::machine_cannot;
}

Exit code_of(const std::exception& error) {
  if (const auto* failure = dynamic_cast<const Failure*>(&error)) return failure->code();
  return code_of(kind_of(error));
}

std::string message_of(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "not enough memory";
  return without_call(error.what());
}

class CommandLine {
 public:
  CommandLine() : app_("A dataset's pages on the NUMA nodes that read them, and the proof.", "nodewise") {
    app_.set_version_flag("--version", version_text, "what this build is");
    app_.require_subcommand(1);
    app_.failure_message(nullptr);
    for (const auto add : {add_topology, add_plan, add_run, add_generate, add_placement, add_segments,
                           add_doctor, add_count_command})
      subcommands_.push_back(add(app_));
    app_.footer(
        R"(Exit codes: 0 done, 1 a stated requirement is not met, 2 wrong usage or bad input,
3 this machine cannot do it.
Begin with
  nodewise run FILE.npy --batch-size 32
`nodewise SUBCOMMAND --help` has examples.)");
  }

  Exit run(int count, char** words) {
    std::string name = "nodewise";
    try {
      check_subcommand(count, words);
      app_.parse(count, words);
      for (const Subcommand& subcommand : subcommands_) {
        if (!subcommand.app->parsed()) continue;
        name += ' ' + subcommand.app->get_name();
        return subcommand.run();
      }
    } catch (const CLI::Success& wanted) {  // --help, --version
      return explain(wanted);
    } catch (const CLI::ParseError& error) {
      const std::string about = "nodewise" + (begun().empty() ? "" : ' ' + begun());
      complain(base::text(about, ": ", error.what(), "; see ", about, " --help"));
      return Exit::bad_input;
    } catch (const std::exception& error) {
      complain(base::text(name, ": ", message_of(error)));
      return code_of(error);
    }
    return Exit::bad_input;
  }

 private:
  // The parser would only say that a subcommand is required.
  void check_subcommand(int count, char** words) const {
    if (count < 2 || words[1][0] == '-') return;
    std::string known;
    for (const Subcommand& subcommand : subcommands_) {
      if (subcommand.app->get_name() == words[1]) return;
      known += (known.empty() ? "" : ", ") + subcommand.app->get_name();
    }
    throw Failure(Exit::bad_input,
                  base::text("there is no subcommand \"", words[1], "\"; there are ", known));
  }

  // The subcommand that parsing had reached, if any.
  std::string begun() const {
    const auto reached = app_.get_subcommands();
    return reached.empty() ? "" : reached.front()->get_name();
  }

  Exit explain(const CLI::Success& wanted) {
    std::ostringstream out;
    std::ostringstream err;
    app_.exit(wanted, out, err);
    try {
      print(out.str());
    } catch (const Failure& failure) {
      complain(base::text("nodewise: ", failure.what()));
      return failure.code();
    }
    return Exit::done;
  }

  CLI::App app_;
  std::vector<Subcommand> subcommands_;
};

}  // namespace

const std::vector<std::string>& typed_words() {
  return kept_words();
}

Exit run_command(int count, char** words) {
  if (count > 0) kept_words().assign(words, words + count);
  return CommandLine().run(count, words);
}

}  // namespace nodewise::tools

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away ends the output, not the run
  try {
    return static_cast<int>(nodewise::tools::run_command(count, words));
  } catch (const std::exception& error) {
    nodewise::tools::complain(std::string("nodewise: ") + error.what());
  } catch (...) {
    nodewise::tools::complain("nodewise: an unknown error");
  }
  return static_cast<int>(nodewise::tools::Exit::machine_cannot);
}
