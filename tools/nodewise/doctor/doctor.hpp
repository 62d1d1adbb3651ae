// What the doctor finds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nodewise/topology.hpp>

namespace nodewise::tools {

enum class Level : unsigned char { ok, note, warning, problem };
std::string_view to_string(Level level) noexcept;

struct Finding {
  std::string name;  ///< Short and stable: "autonuma", "call-mbind", "omp-threads", ...
  Level level = Level::ok;
  std::string evidence;  ///< What was seen, with its numbers.
  std::string remedy;    ///< What to do; empty where nothing needs doing.
};

/// Of the kernel and its settings, and the control group.
std::vector<Finding> examine_machine(const Topology& topology);
/// Of memory between processes: /dev/shm, who deletes what is there, and limits.
std::vector<Finding> examine_sharing();
/// Of what this process may call, its environment, its libraries and its limits.
std::vector<Finding> examine_process(const Topology& topology);
/// `findings` with one about /proc and /sys first. If one of these is not mounted, what is read there is not
/// known, and the findings about it say so.
std::vector<Finding> with_kernel_files(std::vector<Finding> findings);

}  // namespace nodewise::tools
