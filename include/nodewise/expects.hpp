// Preconditions as assertions.
#pragma once

#include <cassert>

/// States a precondition in the function that it belongs to, where a check in every build would cost too
/// much. Where assertions are on, a caller that violates it ends the process with the condition, the file and
/// the line on standard error; where NDEBUG is defined it is not evaluated, and what then happens is
/// undefined. The library itself is built with assertions in debug and sanitizer builds (Meson's
/// b_ndebug=false) and without them in releases, which end no process. Inline functions follow the program
/// that calls them.
#define NODEWISE_EXPECTS(condition) assert((condition) && "precondition")

/// Marks inline functions that state a precondition: every file of a program has its own copy of them, with
/// or without the check as that file is compiled, where the linker would otherwise keep one copy for all.
#define NODEWISE_EXPECTS_INLINE [[gnu::always_inline]]
