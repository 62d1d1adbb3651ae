// What every subcommand is made of: how the command line names it, and how it ends.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "parts/failure.hpp"
#include "parts/flags.hpp"

namespace nodewise::tools {

/// A subcommand: how the command line names it, and what it does once that is parsed.
struct Subcommand {
  std::string name;
  std::string help;
  Flags flags;
  std::string footer;  ///< Of its help: examples.
  std::function<Exit()> run;
  std::vector<Subcommand> subcommands = {};  ///< Of its own; it runs itself where none of them is named.
};

Subcommand topology_subcommand();
Subcommand plan_subcommand();
Subcommand run_subcommand();
Subcommand generate_subcommand();
Subcommand placement_subcommand();
Subcommand segments_subcommand();
Subcommand doctor_subcommand();
Subcommand count_subcommand();

/// The command line as its user typed it, so that what it suggests can be pasted: the program first.
const std::vector<std::string>& typed_words();

}  // namespace nodewise::tools
