// A segment is memory that processes of one user share: usually a dataset that one process places and others
// map. It is a file in memory, with a name or (a memfd) without one. A process holds a segment as long as it
// has an object that uses the segment: a Segment, a loader, a ring, SharedObjects or Pages.
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

/// What is in a segment.
enum class SegmentKind : unsigned char { dataset, objects, ring };
NODEWISE_PUBLIC std::string_view to_string(SegmentKind kind) noexcept;

/// Options for a loader whose dataset lies in a segment (LoaderOptions::segment). With PageKind::hugetlb, a
/// segment with a name needs a hugetlbfs mount that this user may write to.
struct SegmentOptions {
  /// At most 200 letters, digits, '.', '_' and '-'; the first one is a letter or digit. Names of different
  /// users do not collide. If the name is empty, the segment is a memfd, which other processes open by its
  /// descriptor. The size of a memfd is sealed: no process can shrink it.
  std::string name;
  /// If true, the segment stays until it is removed, even when no process holds it. A kept segment needs a
  /// name: without one, InvalidArgument is thrown.
  bool keep = false;
  Identity origin = {};  ///< Identifies the source of the data (source.hpp).
  /// When other processes can open the segment: as soon as the loader is made (true), or when
  /// BatchLoader::publish is called (false).
  bool publish = true;
};

/// The process that made a segment. The pid alone does not identify the process: pids are reused, and each
/// pid namespace has its own.
struct SegmentOwner {
  enum class State : unsigned char { alive, dead, unknown };  ///< unknown: in another pid namespace
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint64_t start_ticks = 0;    ///< The start time of the process: field 22 of /proc/PID/stat.
  std::uint64_t pid_namespace = 0;  ///< The inode of /proc/PID/ns/pid.
};
NODEWISE_PUBLIC std::string_view to_string(SegmentOwner::State state) noexcept;
/// Whether the process that `owner` describes is still running.
NODEWISE_PUBLIC SegmentOwner::State owner_state(const SegmentOwner& owner);

class SegmentFile;  // private to the library

/// How long to wait for a process that has not finished making a segment. Unset: without a limit.
using Patience = std::optional<std::chrono::duration<double>>;

/// A segment that this process has mapped. Copies share the mapping, and so do copies of pages(). When the
/// last copy is destroyed, the process releases the segment. The last process that releases a segment removes
/// its name, unless the segment is kept. If that process is killed instead, the name stays. Once the maker is
/// dead too, the name of a segment that is not kept is removed by collect_segments(), by making a segment of
/// this name, and by open_or_create(), BatchRing::open() and SharedObjects::open(). A forked child can use
/// the memory, but is no holder. The format is described in docs/segment-format.md. Thread class: immutable,
/// except the data: callers must synchronise accesses to the same element if one is a write.
class NODEWISE_PUBLIC Segment {
 public:
  /// Opens a segment of this user, and waits if it is still being made. With Access::read_only, views of the
  /// segment are read-only. Throws SystemError (ENOENT: there is no such segment; EPERM or EACCES: it belongs
  /// to another user), FormatError (the file is no segment, is damaged, or has a version that this build
  /// cannot read) and InvalidArgument (bad name). Waits at most `patience` for another process that is making
  /// or removing the segment, then throws SystemError (ETIMEDOUT). A possible cause is that the other process
  /// has been stopped (SIGSTOP, a debugger). Cost: about ten system calls, for any size.
  static Segment open(const std::string& name, Access access = Access::read_only,
                      const Patience& patience = {});
  /// Opens a memfd by its descriptor, which came from another process: by a socket, by fork, or from
  /// /proc/PID/fd. The caller keeps the descriptor. Throws as open(), and FormatError if the size is not
  /// sealed.
  static Segment open_descriptor(int descriptor, Access access = Access::read_only);

  const std::string& name() const noexcept;  ///< Empty for a memfd.
  const std::string& path() const noexcept;  ///< The path of the segment's file; empty for a memfd.
  SegmentKind kind() const noexcept;
  Access access() const noexcept;
  const SegmentOwner& owner() const noexcept;
  std::chrono::system_clock::time_point created() const noexcept;
  bool kept() const noexcept;
  /// The Identity that the source of the data had when the data was loaded. Its name is empty if there was no
  /// source.
  const Identity& origin() const noexcept;
  /// The descriptor of a memfd, for sending it to other processes; the segment still owns it. -1 for a
  /// segment with a name.
  int descriptor() const noexcept;
  const Pages& pages() const& noexcept;  ///< The data, without the header.
  const Pages& pages() const&& noexcept = delete;

  /// The dataset; empty for other kinds of segments.
  const Dataset& dataset() const noexcept;
  std::uint64_t num_batches() const noexcept;
  /// How the elements of each batch are arranged.
  Layout layout() const noexcept;
  /// A view of a batch; nothing is copied. Elements can be written through the view if the segment was opened
  /// with Access::read_write. Throws OutOfRange. Cost: O(1).
  AnyBatchView get_batch(std::uint64_t batch) & { return view(batch); }
  /// A read-only view. Throws OutOfRange.
  AnyConstBatchView get_batch(std::uint64_t batch) const& { return view(batch); }
  AnyBatchView get_batch(std::uint64_t batch) const&& = delete;
  /// The plan by which the pages were placed, as Plan::from_json reads it. Empty for other kinds of segments.
  const std::string& plan_json() const noexcept;
  PlacingRung placing_rung() const noexcept;

  /// Removes the name: processes that hold the segment keep it, but no other process can open it. Further
  /// calls do nothing. Throws SystemError.
  void remove() const;

 private:
  friend struct SegmentAccess;
  struct State;
  AnyBatchView view(std::uint64_t batch) const;
  explicit Segment(std::shared_ptr<const State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// What list_segments() reports about a segment.
struct SegmentInfo {
  std::string name;
  std::string path;
  /// Why the header cannot be read; empty if it can. If `fault` is not empty, or `published` is false, only
  /// these members are meaningful: name, path, fault, published, bytes, attached and held.
  std::string fault;
  SegmentKind kind = SegmentKind::dataset;
  SegmentOwner owner;
  SegmentOwner::State owner_state = SegmentOwner::State::unknown;
  std::chrono::system_clock::time_point created;
  bool kept = false;
  bool published = false;  ///< False: it is being made, or its maker died before it was published.
  Identity origin;
  Layout layout = Layout::rows;
  Dataset dataset;
  std::uint64_t bytes = 0;  ///< The size of the file.
  /// How often the segment is open; a process that has opened it twice counts twice. Empty if /proc/locks
  /// cannot be read.
  std::optional<unsigned> attached;
  bool held = false;  ///< Whether any process holds it, in any pid namespace.
};

/// All segments of this user whose names begin with `prefix`, ordered by folder and name. Segments that this
/// process may read but not write are included. A damaged segment is listed with its `fault`. A file that
/// cannot be opened is left out. Waits for no other process.
NODEWISE_PUBLIC std::vector<SegmentInfo> list_segments(const std::string& prefix = {});

struct CollectOptions {
  bool dry_run = false;
  /// If set, kept segments that are at least this old are removed too.
  std::optional<std::chrono::duration<double>> older_than = {};
  /// Only segments whose names begin with this are opened and removed, for example those of one job.
  std::string prefix = {};
};
/// Removes segments that no process holds and whose file this process may write, and returns them (without
/// `attached` and `held`). Their state decides which segments are removed:
///   not published          always, because the maker is dead
///   published, not kept    if the maker is dead; not if it belongs to another pid namespace
///   kept                   if `older_than` selects them, whether or not the maker is dead
///   damaged                never
/// With `dry_run`, returns the segments that would be removed, and removes nothing.
NODEWISE_PUBLIC std::vector<SegmentInfo> collect_segments(const CollectOptions& options = {});

}  // namespace nodewise
