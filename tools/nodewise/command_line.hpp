// From the words of a command line to what they ask for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "command.hpp"

namespace nodewise::tools {

/// The command as a whole.
struct Program {
  std::string help;
  std::string footer;
  std::string (*version)() = nullptr;  ///< What --version prints.
  std::vector<Subcommand> subcommands;
};

/// What the words ask for.
struct Request {
  std::string about;  ///< "nodewise", and the subcommand if it got that far: what a complaint begins with.
  std::function<Exit()> run;  ///< Where the words were wrong, it complains.
};
Request request_of(const Program& program, int count, const char* const* words);

}  // namespace nodewise::tools
