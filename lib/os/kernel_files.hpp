// The file systems in which the kernel describes itself: /proc and /sys. Small containers and chroots lack
// them.
#pragma once

#include <string>

namespace nodewise::os {

/// For errors of Os::reopen(), which needs /proc: if `error` says that the file does not exist, and /proc is
/// not there, the reason and the remedy; else an empty text.
std::string no_proc_text(int error);

}  // namespace nodewise::os
