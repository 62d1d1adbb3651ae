// How many workers a test wants, and how they share their work.
#pragma once

#include <nodewise/team.hpp>

namespace nodewise::test {

inline TeamOptions workers(unsigned count, Scheduling scheduling = Scheduling::local) {
  TeamOptions options;
  options.workers = count;
  options.scheduling = scheduling;
  return options;
}

}  // namespace nodewise::test
