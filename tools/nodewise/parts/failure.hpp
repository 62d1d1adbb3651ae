// How the command ends.
#pragma once

#include <stdexcept>
#include <string>

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

}  // namespace nodewise::tools
