// The parts of the crash test.
#pragma once

#include <random>

#include "killing.hpp"

namespace nodewise::crash {

void crash_rings(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                 std::mt19937& random);
void crash_segments(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                    std::mt19937& random);
void crash_objects(Outcome& outcome, unsigned kills_at_each_mark, unsigned kills_anywhere,
                   std::mt19937& random);

}  // namespace nodewise::crash
