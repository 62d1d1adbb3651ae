// nodewise segments: memory with a name, who has it, and how it goes away.
#include "segments/segments.hpp"

#include <fmt/core.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/sizes.hpp>

#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/flags.hpp"
#include "parts/progress.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {

SegmentState state_of(const SegmentInfo& info) {
  if (!info.fault.empty()) return SegmentState::damaged;
  if (info.published) return SegmentState::published;
  return info.held ? SegmentState::being_made : SegmentState::unfinished;
}

Stay why_stay(const SegmentInfo& info) {
  const SegmentState state = state_of(info);
  if (state == SegmentState::damaged) return Stay::damaged;
  if (state == SegmentState::being_made) return Stay::being_made;
  if (info.held) return Stay::in_use;
  if (state == SegmentState::unfinished) return Stay::no_reason;
  if (info.kept) return Stay::kept;
  if (info.owner_state == SegmentOwner::State::alive) return Stay::maker_runs;
  return info.owner_state == SegmentOwner::State::dead ? Stay::no_reason : Stay::maker_unknown;
}

// What is being made has its holder; what is kept does not go when its last one does.
Bystander::Bystander(const SegmentInfo& info) {
  if (info.held || info.kept || state_of(info) != SegmentState::published) return;
  descriptor_ = ::open(info.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) return;
  // As docs/segment-format.md says it. Refused: the segment is just being removed.
  struct flock holder {};
  holder.l_type = F_RDLCK;
  holder.l_whence = SEEK_SET;
  holder.l_start = 1;
  holder.l_len = 1;
  ::fcntl(descriptor_, F_OFD_SETLK, &holder);
}

Bystander::~Bystander() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<SegmentInfo> find_segment(const std::string& name) {
  for (SegmentInfo& info : list_segments())
    if (info.name == name) return std::move(info);
  return std::nullopt;
}

std::string no_segment_text(const std::string& name) {
  return fmt::format("there is no segment {}; `{} segments` lists them", '"' + printable(name) + '"',
                     typed_words().front());
}

namespace {

struct Options {
  CollectOptions collect;
  std::string name;
  bool json = false;
};

// For processes that are just making or giving up a segment. They may be stopped.
constexpr std::chrono::milliseconds longest_wait(200);

std::optional<Residency> residency_of(const SegmentInfo& info, const Topology& topology) {
  if (state_of(info) != SegmentState::published) return std::nullopt;
  try {
    const Bystander bystander(info);
    const Segment segment = Segment::open(info.name, Access::read_only, longest_wait);
    if (segment.path() != info.path) return std::nullopt;  // the same name once more, of huge pages
    return residency(topology, segment.pages().data(), segment.pages().size_bytes());
  } catch (const Error&) {
    return std::nullopt;  // gone since it was listed
  }
}

Exit list(const Options& options) {
  const Topology topology = Topology::this_machine();
  std::vector<SeenSegment> segments;
  {
    const Progress progress("asking where each page is", 0, [] { return std::uint64_t{0}; });
    for (SegmentInfo& info : list_segments()) {
      auto lies = residency_of(info, topology);
      segments.push_back({std::move(info), std::move(lies)});
    }
  }
  print(options.json ? segments_json(segments, topology) : segments_text(segments, topology));
  return Exit::done;
}

Exit collect(const Options& options) {
  Collection collection;
  collection.dry_run = options.collect.dry_run;
  collection.kept_too = options.collect.older_than.has_value();
  collection.removed = collect_segments(options.collect);
  for (SegmentInfo& info : list_segments(options.collect.prefix)) {
    const auto is_it = [&info](const SegmentInfo& removed) { return removed.path == info.path; };
    const bool would_go =
        std::any_of(collection.removed.begin(), collection.removed.end(), is_it) && options.collect.dry_run;
    if (!would_go) collection.left.push_back(std::move(info));
  }
  print(options.json ? collection_json(collection) : collection_text(collection));
  return Exit::done;
}

// A published segment is removed only while its name still is its own. A process that is stopped may keep it
// locked, or the file may only be read: then its path is removed.
void take_away(const SegmentInfo& info) {
  if (state_of(info) == SegmentState::published) try {
      return Segment::open(info.name, Access::read_only, longest_wait).remove();
    } catch (const SystemError&) {
    }
  const int error = ::unlink(info.path.c_str()) == 0 ? 0 : errno;
  if (error != 0 && error != ENOENT)
    throw Failure(Exit::machine_cannot,
                  fmt::format("{} cannot be removed: {}", printable(info.path), errno_text(error)));
}

Exit remove(const Options& options) {
  const auto info = find_segment(options.name);
  if (!info) throw Failure(Exit::bad_input, no_segment_text(options.name));
  take_away(*info);
  std::string text = fmt::format("removed {} ({})", printable(info->name), human_bytes(info->bytes));
  if (info->held) text += "; processes that have it open keep its memory until the last of them ends";
  print(text + '\n');
  return Exit::done;
}

using Shared = std::shared_ptr<Options>;

Subcommand list_subcommand(const Shared& options) {
  return {.name = "list",
          .help = "list all segments, as `nodewise segments` alone does",
          .flags = {json_flag(options->json, "nodewise.segments/1")},
          .footer = "Examples\n  nodewise segments list --json",
          .run = [options] { return list(*options); }};
}

Subcommand collect_subcommand(const Shared& options) {
  return {.name = "gc",
          .help = "remove segments that no process has open and whose maker is dead",
          .flags = {{.name = "--dry-run",
                     .help = "remove nothing, and print what would be removed",
                     .target = &options->collect.dry_run},
                    duration_flag("--older-than", options->collect.older_than,
                                  "also remove kept segments that are older than this and that no process "
                                  "has open"),
                    {.name = "--prefix",
                     .help = "look only at segments whose names begin with this",
                     .target = &options->collect.prefix,
                     .type = "TEXT"},
                    json_flag(options->json, "nodewise.collection/1")},
          .footer = R"(Examples
  nodewise segments gc --dry-run
  nodewise segments gc --older-than 7d
  nodewise segments gc --prefix job42.)",
          .run = [options] { return collect(*options); }};
}

Subcommand remove_subcommand(const Shared& options) {
  return {
      .name = "remove",
      .help = "remove a segment, even if it is kept or in use; processes that have it open can still use it",
      .flags = {{.name = "NAME", .help = "the segment", .target = &options->name, .required = true}},
      .footer = "Examples\n  nodewise segments remove train",
      .run = [options] { return remove(*options); }};
}

}  // namespace

Subcommand segments_subcommand() {
  const auto options = std::make_shared<Options>();
  return {.name = "segments",
          .help = "list the memory that processes share: which process made it, on which nodes it lies",
          .flags = {json_flag(options->json, "nodewise.segments/1")},
          .footer = R"(Examples
  nodewise segments
  nodewise segments gc --dry-run
  nodewise segments remove train)",
          .run = [options] { return list(*options); },
          .subcommands = {list_subcommand(options), collect_subcommand(options), remove_subcommand(options)}};
}

}  // namespace nodewise::tools
