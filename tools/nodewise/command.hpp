// What every subcommand is made of: how it is added to the command line, and how it ends.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace nodewise::tools {

/// Exit codes, the same for every subcommand.
enum class Exit : int {
  done = 0,
  unmet = 1,           ///< A stated requirement is not met.
  bad_input = 2,       ///< Wrong usage, or input that is not what it should be.
  machine_cannot = 3,  ///< This machine cannot do it.
};

/// Ends the command with one line on standard error.
class Failure : public std::runtime_error {
 public:
  Failure(Exit code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Exit code() const noexcept { return code_; }

 private:
  Exit code_;
};

/// A subcommand on the command line, and what it does once that is parsed.
struct Subcommand {
  CLI::App* app = nullptr;
  std::function<Exit()> run;
};

Subcommand add_topology(CLI::App& root);
Subcommand add_plan(CLI::App& root);
Subcommand add_run(CLI::App& root);
Subcommand add_generate(CLI::App& root);
Subcommand add_placement(CLI::App& root);
Subcommand add_segments(CLI::App& root);
Subcommand add_doctor(CLI::App& root);
Subcommand add_count_command(CLI::App& root);

/// The command line as its user typed it, so that what it suggests can be pasted: the program first.
const std::vector<std::string>& typed_words();

}  // namespace nodewise::tools
