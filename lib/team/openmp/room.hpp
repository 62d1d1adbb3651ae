// Whether a region can have its threads.
#pragma once

namespace nodewise {

/// An OpenMP runtime ends the process if it cannot start a thread, and no program can catch that. So this
/// looks first, in the thread that is about to form a region of `threads` threads: it starts and ends as many
/// threads as the runtime would. Throws ThreadError, which names the limits. Cost: nothing if the last region
/// of the calling thread had as many threads, since the runtime keeps them; else some 50 us for each thread.
/// Threads that other processes, or regions of the program, take between this and the region can still be too
/// many.
void check_room_for_threads(unsigned threads);

}  // namespace nodewise
