// Signals that ask the command to end: it cleans up first, and then dies by the signal, so that a shell's
// loop ends too.
#pragma once

#include <nodewise/stop.hpp>

namespace nodewise::tools {

/// From now on the first SIGINT, SIGTERM or SIGHUP requests the token that this returns; the second one kills
/// the process at once. A signal that was ignored when the command started stays ignored.
Stop stop_on_interrupt();

/// The signal that requested the token; 0 before.
int interrupting_signal() noexcept;

/// Throws Stopped if a signal has requested the token.
void check_interrupt();

/// Ends this process by `signal`.
[[noreturn]] void die_by(int signal);

}  // namespace nodewise::tools
