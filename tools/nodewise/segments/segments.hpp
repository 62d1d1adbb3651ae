// Segments as the command sees them: what state they are in, where their pages lie, and what keeps them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/placement.hpp>
#include <nodewise/segment.hpp>

namespace nodewise::tools {

enum class SegmentState : unsigned char {
  published,
  being_made,
  unfinished,  ///< Its maker died over it.
  damaged,
};
std::string_view to_string(SegmentState state) noexcept;
SegmentState state_of(const SegmentInfo& info);

/// Why collecting leaves a segment alone.
enum class Stay : unsigned char {
  no_reason,  ///< It does not.
  being_made,
  damaged,
  in_use,
  kept,
  maker_runs,
  maker_unknown,  ///< Of another pid namespace.
};
std::string_view to_string(Stay stay) noexcept;
Stay why_stay(const SegmentInfo& info);

/// Holds a segment that nobody does. Who opens such a one is the last to give it up, and would take its name
/// away; a look must not.
class Bystander {
 public:
  explicit Bystander(const SegmentInfo& info);
  ~Bystander();
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

 private:
  int descriptor_ = -1;
};

/// The segment of that name; nothing where there is none.
std::optional<SegmentInfo> find_segment(const std::string& name);
/// "there is no segment "train"; `nodewise segments` lists them".
std::string no_segment_text(const std::string& name);

/// A segment, and where its data lie: nothing where it cannot be opened.
struct SeenSegment {
  SegmentInfo info;
  std::optional<Residency> residency;
};

/// For people.
std::string segments_text(const std::vector<SeenSegment>& segments, const Topology& topology);
/// Schema "nodewise.segments/1", documented in docs/json.md.
std::string segments_json(const std::vector<SeenSegment>& segments, const Topology& topology);

/// What was collected, or would be, and what stayed.
struct Collection {
  bool dry_run = false;
  bool kept_too = false;  ///< By --older-than.
  std::vector<SegmentInfo> removed;
  std::vector<SegmentInfo> left;
};
std::string collection_text(const Collection& collection);
/// Schema "nodewise.collection/1".
std::string collection_json(const Collection& collection);

}  // namespace nodewise::tools
