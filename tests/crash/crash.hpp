// The parts of the crash test.
#pragma once

#include <random>
#include <string>

#include "killing.hpp"

namespace nodewise::crash {

/// Nothing whose name begins so stays once the dead have been collected.
void check_names(Outcome& outcome, const std::string& name);

void crash_rings(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                 std::mt19937& random);
void crash_segments(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                    std::mt19937& random);
void crash_objects(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                   std::mt19937& random);

}  // namespace nodewise::crash
