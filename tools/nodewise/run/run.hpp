// What a run gave, and the two ways of telling it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nodewise/loader.hpp>

namespace nodewise::tools {

/// Wall-clock seconds of each phase.
struct Timing {
  double topology_seconds = 0;
  double place_seconds = 0;  ///< Planning, mapping, binding, populating, and reading on the way.
  double means_seconds = 0;
  double verify_seconds = 0;  ///< Asking the kernel about every page.
};

struct RunResult {
  std::string path;
  const BatchLoader* loader = nullptr;
  std::optional<Means> means;      ///< Nothing under --no-means.
  std::vector<WorkerReads> reads;  ///< Of the team; no byte under --no-means.
  std::vector<Orphan> orphans;
  std::optional<Placement> placement;  ///< As it was in the end; always there.
  bool negative_control = false;
  bool nodes_named = false;  ///< By --nodes.
  bool replayed = false;     ///< By --plan.
  bool judged = false;       ///< By --require-local.
  Timing timing;
};

/// For people.
std::string run_text(const RunResult& result);
/// The part of it that is about data and placement, of a dataset that somebody else made.
std::string placement_text(const RunResult& result);
/// Schema "nodewise.run/1", documented in docs/json.md.
std::string run_json(const RunResult& result);

}  // namespace nodewise::tools
