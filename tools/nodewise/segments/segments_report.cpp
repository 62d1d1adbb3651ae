// What there is to say of segments, for people and for programs.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include <nodewise/sizes.hpp>

#include "parts/describe.hpp"
#include "parts/json.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"
#include "segments/segments.hpp"

namespace nodewise::tools {

std::string_view to_string(SegmentState state) noexcept {
  switch (state) {
    case SegmentState::published:
      return "published";
    case SegmentState::being_made:
      return "being_made";
    case SegmentState::unfinished:
      return "unfinished";
    case SegmentState::damaged:
      return "damaged";
  }
  return {};
}

std::string_view to_string(Stay stay) noexcept {
  switch (stay) {
    case Stay::being_made:
      return "being_made";
    case Stay::damaged:
      return "damaged";
    case Stay::in_use:
      return "in_use";
    case Stay::kept:
      return "kept";
    case Stay::maker_runs:
      return "maker_runs";
    case Stay::maker_unknown:
      return "maker_unknown";
    case Stay::no_reason:
      return "no_reason";
  }
  return {};
}

namespace {

using Clock = std::chrono::system_clock;

// A clock that was set back since does not make it younger than new.
std::int64_t age_seconds(const SegmentInfo& info) {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - info.created).count();
  return std::max<std::int64_t>(0, age);
}

std::string age_text(std::int64_t seconds) {
  constexpr std::int64_t minute = 60, hour = 60 * minute, day = 24 * hour;
  if (seconds < 2 * minute) return fmt::format("{} s", seconds);
  if (seconds < 2 * hour) return fmt::format("{} min", seconds / minute);
  return seconds < 2 * day ? fmt::format("{} h", seconds / hour) : fmt::format("{} d", seconds / day);
}

std::string kind_text(const SegmentInfo& info) {
  switch (state_of(info)) {
    case SegmentState::published:
      return std::string(to_string(info.kind));
    case SegmentState::being_made:
      return "being made";
    case SegmentState::unfinished:
    case SegmentState::damaged:
      break;
  }
  return std::string(to_string(state_of(info)));
}

std::vector<std::string> row_of(const SeenSegment& seen, const Topology& topology) {
  const SegmentInfo& info = seen.info;
  const bool known = state_of(info) == SegmentState::published;
  std::vector<std::string> row = {
      printable(info.name),
      kind_text(info),
      human_bytes(info.bytes),
      known ? fmt::format("{} {}", info.owner.pid, to_string(info.owner_state)) : "-",
      info.attached ? std::to_string(*info.attached) : "?",
      known ? age_text(age_seconds(info)) : "-",
      known ? (info.kept ? "yes" : "no") : "-"};
  for (const Node& node : topology.nodes()) {
    const std::uint64_t bytes = seen.residency ? seen.residency->bytes_on_node[node.index] : 0;
    row.push_back(bytes > 0 ? human_bytes(bytes) : "-");
  }
  row.push_back(printable(info.origin.name));
  return row;
}

// What no column has room for.
std::string remarks(const std::vector<SeenSegment>& segments) {
  std::string text;
  std::uint64_t unneeded = 0;
  for (const auto& [info, residency] : segments) {
    if (state_of(info) == SegmentState::damaged)
      text += fmt::format("Damaged  {}\n", printable(without_call(info.fault)));
    if (why_stay(info) == Stay::no_reason) ++unneeded;
    if (residency && residency->absent_bytes > 0)
      text += fmt::format("Absent   {} of {} is not in memory: swapped out, or never written\n",
                          human_bytes(residency->absent_bytes), printable(info.name));
    if (residency && residency->unknown_bytes > 0)
      text += fmt::format("Unknown  the kernel does not say where {} of {} lies\n",
                          human_bytes(residency->unknown_bytes), printable(info.name));
  }
  if (unneeded > 0)
    text +=
        "\n" +
        next_text({{"segments gc", fmt::format("removes {} that no process has open and whose maker is dead",
                                               counted(unneeded, "segment"))}});
  return text.empty() || text.front() == '\n' ? text : '\n' + text;
}

std::uint64_t bytes_of(const std::vector<SegmentInfo>& segments) {
  std::uint64_t bytes = 0;
  for (const SegmentInfo& info : segments) bytes += info.bytes;
  return bytes;
}

Json nodes_of(const std::optional<Residency>& residency, const Topology& topology) {
  if (!residency) return nullptr;
  Json nodes = Json::array();
  for (const Node& node : topology.nodes())
    nodes.push_back(
        {{"node", node.index}, {"os_index", node.os_index}, {"bytes", residency->bytes_on_node[node.index]}});
  return nodes;
}

Json owner_of(const SegmentInfo& info) {
  return {{"pid", info.owner.pid}, {"uid", info.owner.uid}, {"state", to_string(info.owner_state)}};
}

std::string digits_of(const Digest& digest) {
  return digest.empty() ? "" : fmt::format("{:016x}{:016x}", digest.words[0], digest.words[1]);
}

Json origin_of(const Identity& origin) {
  if (origin.name.empty()) return nullptr;
  return {{"name", origin.name}, {"state", digits_of(origin.state)}, {"content", digits_of(origin.content)}};
}

Json dataset_of(const SegmentInfo& info) {
  if (info.kind != SegmentKind::dataset) return nullptr;
  return {{"samples", info.dataset.shape().samples},
          {"features", info.dataset.shape().features},
          {"dtype", dtype_name(info.dataset.dtype())},
          {"batch_size", info.dataset.batch_size()},
          {"layout", std::string(to_string(info.layout))}};
}

Json json_of(const SeenSegment& seen, const Topology& topology) {
  const SegmentInfo& info = seen.info;
  const bool known = state_of(info) == SegmentState::published;
  const auto created =
      std::chrono::duration_cast<std::chrono::nanoseconds>(info.created.time_since_epoch()).count();
  const auto if_known = [known](const auto& value) { return known ? Json(value) : Json(); };
  return {{"name", info.name},
          {"path", info.path},
          {"state", to_string(state_of(info))},
          {"fault", info.fault.empty() ? Json() : Json(without_call(info.fault))},
          {"bytes", info.bytes},
          {"held", info.held},
          {"attached", info.attached},
          {"kind", if_known(to_string(info.kind))},
          {"owner", if_known(owner_of(info))},
          {"created_ns", if_known(created)},
          {"age_seconds", if_known(age_seconds(info))},
          {"kept", if_known(info.kept)},
          {"origin", if_known(origin_of(info.origin))},
          {"dataset", if_known(dataset_of(info))},
          {"nodes", nodes_of(seen.residency, topology)},
          {"absent_bytes", seen.residency ? Json(seen.residency->absent_bytes) : Json()},
          {"unknown_bytes", seen.residency ? Json(seen.residency->unknown_bytes) : Json()}};
}

Json brief_of(const SegmentInfo& info) {
  return {{"name", info.name}, {"path", info.path}, {"bytes", info.bytes}};
}

std::string removed_text(const SegmentInfo& info, bool dry_run) {
  const std::string why = state_of(info) == SegmentState::unfinished ? "its maker died before it had finished"
                          : info.kept ? fmt::format("it was kept for {}", age_text(age_seconds(info)))
                                      : fmt::format("its maker, process {}, is dead", info.owner.pid);
  return fmt::format("{} {} ({}): {}\n", dry_run ? "would remove" : "removed", printable(info.name),
                     human_bytes(info.bytes), why);
}

struct Group {
  Stay stay;
  const char* what;
  const char* hint;
};

std::string left_text(const Collection& collection) {
  const Group groups[] = {
      {Stay::in_use, "in use", ""},
      {Stay::being_made, "being made", ""},
      {Stay::maker_runs, "the maker is alive", ""},
      {Stay::kept, collection.kept_too ? "kept, and younger than that" : "kept",
       collection.kept_too ? "" : "; --older-than DURATION removes kept segments too"},
      {Stay::maker_unknown, "the maker is in another pid namespace, and may be alive",
       "; `segments remove NAME` removes one"},
      {Stay::damaged, "damaged", "; `segments remove NAME` removes one"},
      {Stay::no_reason, "appeared or changed meanwhile, or could not be removed", ""},
  };
  std::string text;
  for (const Group& group : groups) {
    std::string names;
    std::uint64_t count = 0;
    for (const SegmentInfo& info : collection.left) {
      if (why_stay(info) != group.stay) continue;
      names += (count++ == 0 ? "" : ", ") + printable(info.name);
    }
    if (count > 0)
      text += fmt::format("left {} ({}): {}{}\n", counted(count, "segment"), group.what, names, group.hint);
  }
  return text;
}

}  // namespace

std::string segments_text(const std::vector<SeenSegment>& segments, const Topology& topology) {
  if (segments.empty()) return fmt::format("no segments of user {}\n", user_id());
  std::vector<std::vector<std::string>> rows = {
      {"name", "kind", "size", "made by", "attached", "age", "kept"}};
  for (const Node& node : topology.nodes()) rows[0].push_back(fmt::format("node {}", node.os_index));
  rows[0].push_back("origin");
  std::uint64_t bytes = 0;
  for (const SeenSegment& seen : segments) {
    rows.push_back(row_of(seen, topology));
    bytes += seen.info.bytes;
  }
  const std::string alignment = "llrlrrl" + std::string(topology.nodes().size(), 'r') + 'l';
  return fmt::format("{} of user {}, {}\n\n{}{}", counted(segments.size(), "segment"), user_id(),
                     human_bytes(bytes), draw_table(rows, alignment), remarks(segments));
}

std::string segments_json(const std::vector<SeenSegment>& segments, const Topology& topology) {
  Json rows = Json::array();
  for (const SeenSegment& seen : segments) rows.push_back(json_of(seen, topology));
  const Json document = {
      {"schema", "nodewise.segments/1"}, {"host", host_name()}, {"uid", user_id()}, {"segments", rows}};
  return document.text();
}

std::string collection_text(const Collection& collection) {
  std::string text;
  for (const SegmentInfo& info : collection.removed) text += removed_text(info, collection.dry_run);
  text += fmt::format("{} {}removed, {} {}\n", counted(collection.removed.size(), "segment"),
                      collection.dry_run ? "would be " : "", human_bytes(bytes_of(collection.removed)),
                      collection.dry_run ? "to be freed" : "freed");
  return text + left_text(collection);
}

std::string collection_json(const Collection& collection) {
  Json removed = Json::array();
  for (const SegmentInfo& info : collection.removed) removed.push_back(brief_of(info));
  Json left = Json::array();
  for (const SegmentInfo& info : collection.left) {
    Json stayed = brief_of(info);
    stayed.add("reason", to_string(why_stay(info)));
    left.push_back(std::move(stayed));
  }
  const Json document = {{"schema", "nodewise.collection/1"},
                         {"host", host_name()},
                         {"uid", user_id()},
                         {"dry_run", collection.dry_run},
                         {"removed_bytes", bytes_of(collection.removed)},
                         {"removed", removed},
                         {"left", left}};
  return document.text();
}

}  // namespace nodewise::tools
