// Preconditions as assertions.
#pragma once

#include <cassert>

/// States a precondition of a function, where a check in every build would cost too much. If assertions are
/// on, a violation ends the process, and prints the condition, the file and the line on standard error. If
/// NDEBUG is defined, the condition is not evaluated, and a violation is undefined behaviour. The library
/// itself has assertions in debug and sanitizer builds (Meson's b_ndebug=false), but not in releases. Inline
/// functions have them if the program that calls them has.
#define NODEWISE_EXPECTS(condition) assert((condition) && "precondition")

/// For inline functions that state a precondition. Each file of a program then has its own copy of the
/// function, with or without the check, as that file is compiled. Otherwise the linker would keep one copy
/// for all files.
#define NODEWISE_EXPECTS_INLINE [[gnu::always_inline]]
