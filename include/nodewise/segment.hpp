// Memory that processes of one user share by name: a dataset that one process places and others map.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/export.hpp>
#include <nodewise/pages.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/source.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

/// What lies in a segment.
enum class SegmentKind : unsigned char { dataset, objects, ring };
NODEWISE_PUBLIC std::string_view to_string(SegmentKind kind) noexcept;

/// Asks for a dataset's memory to be a segment (LoaderOptions::segment). With PageKind::hugetlb it is made of
/// the pool's pages: a named one needs a hugetlbfs mount that this user may write to.
struct SegmentOptions {
  /// Letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 200. Another user may use
  /// the same name for another segment. Empty: a memfd, which other processes get by its descriptor; its
  /// size is sealed, so that nobody can shrink it under its readers.
  std::string name;
  /// The segment stays when the last process that has it ends, until it is removed. Not for memfds.
  bool keep = false;
  Identity origin = {};  ///< Of the source of its data: recorded in the segment.
  /// Others can open it as soon as the loader is made; false: when BatchLoader::publish is called.
  bool publish = true;
};

/// A process that made a segment. Its number alone would not do: numbers are used again, and mean something
/// else in another pid namespace.
struct SegmentOwner {
  enum class State : unsigned char { alive, dead, unknown };  ///< unknown: of another pid namespace.
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint64_t start_ticks = 0;    ///< When it started: field 22 of /proc/PID/stat.
  std::uint64_t pid_namespace = 0;  ///< Inode of /proc/PID/ns/pid.
};
NODEWISE_PUBLIC std::string_view to_string(SegmentOwner::State state) noexcept;
/// Whether that process runs now.
NODEWISE_PUBLIC SegmentOwner::State owner_state(const SegmentOwner& owner);

class SegmentFile;  // private to the library

/// A segment that this process has mapped. Copies share it; the last one, its views' owner included
/// (pages()), gives it up. The last process to do so removes the name, unless it is to be kept; what a
/// process that is killed leaves behind is collect_segments()' to remove. A forked child sees the memory, and
/// is no holder of its own. Format: docs/segment-format.md. Thread class: immutable but for the bytes, which
/// are the callers'.
class NODEWISE_PUBLIC Segment {
 public:
  /// The user's own segment of that name; one that is just being made is waited for. Read-only: its views
  /// only read. Throws SystemError (ENOENT: none; EPERM or EACCES: another
  /// user's), FormatError (not a segment, damaged, or of a version that this build does not read),
  /// InvalidArgument (no name for a segment). Cost: some ten system calls, whatever its size.
  static Segment open(const std::string& name, Access access = Access::read_only);
  /// A memfd, got from another process: over a socket, by fork, or from /proc/PID/fd. The descriptor stays
  /// the caller's. Throws as open, and FormatError where its size is not sealed.
  static Segment open_descriptor(int descriptor, Access access = Access::read_only);

  const std::string& name() const noexcept;  ///< Empty for a memfd.
  const std::string& path() const noexcept;  ///< Of its file; empty for a memfd.
  SegmentKind kind() const noexcept;
  Access access() const noexcept;
  const SegmentOwner& owner() const noexcept;
  std::chrono::system_clock::time_point created() const noexcept;
  bool kept() const noexcept;
  /// Of the source that its data came from, as it was then; an empty name: from none.
  const Identity& origin() const noexcept;
  /// Of a memfd, to send to others; stays the segment's. -1 for a named one.
  int descriptor() const noexcept;
  const Pages& pages() const& noexcept;  ///< The data; the header is not among them.
  const Pages& pages() const&& noexcept = delete;

  /// What it holds; of other kinds than datasets an empty one.
  const Dataset& dataset() const noexcept;
  std::uint64_t num_batches() const noexcept;
  /// How the elements of each batch are arranged.
  Layout layout() const noexcept;
  /// A view, not a copy. It may write where the segment was opened for that. Throws OutOfRange. Cost: O(1).
  AnyBatchView get_batch(std::uint64_t batch) & { return view(batch); }
  /// A view that only reads.
  AnyConstBatchView get_batch(std::uint64_t batch) const& { return view(batch); }
  AnyBatchView get_batch(std::uint64_t batch) const&& = delete;
  /// The plan that its pages were placed by; Plan::from_json reads it. Empty if it is no dataset.
  const std::string& plan_json() const noexcept;
  PlacingRung placing_rung() const noexcept;

  /// Takes the name away now: who has the segment keeps it, nobody else gets it. Once is enough.
  void remove() const;

 private:
  friend struct SegmentAccess;
  struct State;
  AnyBatchView view(std::uint64_t batch) const;
  explicit Segment(std::shared_ptr<const State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// A segment as a list shows it.
struct SegmentInfo {
  std::string name;
  std::string path;
  std::string fault;  ///< Why its header cannot be read; then what follows is empty, up to `bytes`.
  SegmentKind kind = SegmentKind::dataset;
  SegmentOwner owner;
  SegmentOwner::State owner_state = SegmentOwner::State::unknown;
  std::chrono::system_clock::time_point created;
  bool kept = false;
  bool published = false;  ///< False: being made, or its maker died over it.
  Identity origin;
  Layout layout = Layout::rows;
  Dataset dataset;
  std::uint64_t bytes = 0;           ///< Of the file.
  std::optional<unsigned> attached;  ///< How often it is held, as a rule once by each process; nothing where
                                     ///< /proc/locks does not say.
  bool held = false;                 ///< Somebody does, in whatever namespace.
};

/// The segments of this user, by folder and name. Throws nothing for one that
/// is damaged or gone meanwhile.
NODEWISE_PUBLIC std::vector<SegmentInfo> list_segments();

struct CollectOptions {
  bool dry_run = false;
  /// Kept ones too, if they were made longer ago than this.
  std::optional<std::chrono::nanoseconds> older_than = {};
};
/// Removes what nobody holds and whose owner is dead: segments of processes that were killed. A segment whose
/// owner lives in another pid namespace stays, and so does one that is to be kept. What was (or would be)
/// removed.
NODEWISE_PUBLIC std::vector<SegmentInfo> collect_segments(const CollectOptions& options = {});

}  // namespace nodewise
