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

/// Asks for a dataset's memory to be a segment (LoaderOptions::segment). With PageKind::hugetlb the segment
/// consists of hugetlb pages; if it has a name, it needs a hugetlbfs mount that this user may write to.
struct SegmentOptions {
  /// Letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 200. Another user may use
  /// the same name for another segment. Empty: a memfd, which other processes get by its descriptor; its size
  /// is sealed, so that no process can shrink it while others read it.
  std::string name;
  /// The segment stays until it is removed, even when no process holds it any more. With an empty name this
  /// throws InvalidArgument.
  bool keep = false;
  Identity origin = {};  ///< Identity of the source of its data; recorded in the segment.
  /// True: other processes can open it as soon as the loader is made; false: as soon as BatchLoader::publish
  /// is called.
  bool publish = true;
};

/// The process that made a segment. Its process number alone is not enough: numbers are used again, and they
/// mean another process in another pid namespace.
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

/// A segment that this process has mapped. Copies share it, and the last copy releases it; copies of pages()
/// count too. The last process to release a segment removes its name, unless the segment is kept. Segments of
/// killed processes are removed by collect_segments(). A forked child sees the memory, but is not counted as
/// a holder. Format: docs/segment-format.md. Thread class: immutable, except the data, to which callers must
/// order concurrent writes.
class NODEWISE_PUBLIC Segment {
 public:
  /// Opens the user's own segment of this name; waits for a segment that is just being made. With
  /// Access::read_only its views only read. Throws SystemError (ENOENT: there is none; EPERM or EACCES: it is
  /// another user's), FormatError (the file is not a segment, is damaged, or of a version that this build
  /// does not read), InvalidArgument (not a valid name). Cost: some ten system calls, whatever the size.
  static Segment open(const std::string& name, Access access = Access::read_only);
  /// Opens a memfd whose descriptor came from another process: over a socket, by fork, or from /proc/PID/fd.
  /// The caller keeps the descriptor. Throws as open, and FormatError where its size is not sealed.
  static Segment open_descriptor(int descriptor, Access access = Access::read_only);

  const std::string& name() const noexcept;  ///< Empty for a memfd.
  const std::string& path() const noexcept;  ///< The path of its file; empty for a memfd.
  SegmentKind kind() const noexcept;
  Access access() const noexcept;
  const SegmentOwner& owner() const noexcept;
  std::chrono::system_clock::time_point created() const noexcept;
  bool kept() const noexcept;
  /// Identity of the source of the data at the time of loading; its name is empty where there was none.
  const Identity& origin() const noexcept;
  /// The descriptor of a memfd, to be sent to other processes; the segment keeps it. -1 for a named segment.
  int descriptor() const noexcept;
  const Pages& pages() const& noexcept;  ///< The data; the header is not among them.
  const Pages& pages() const&& noexcept = delete;

  /// The dataset; an empty one for segments of other kinds.
  const Dataset& dataset() const noexcept;
  std::uint64_t num_batches() const noexcept;
  /// How the elements of each batch are arranged.
  Layout layout() const noexcept;
  /// A view, not a copy. It may write where the segment was opened for that. Throws OutOfRange. Cost: O(1).
  AnyBatchView get_batch(std::uint64_t batch) & { return view(batch); }
  /// A view that only reads.
  AnyConstBatchView get_batch(std::uint64_t batch) const& { return view(batch); }
  AnyBatchView get_batch(std::uint64_t batch) const&& = delete;
  /// The plan by which its pages were placed, for Plan::from_json. Empty for segments of other kinds.
  const std::string& plan_json() const noexcept;
  PlacingRung placing_rung() const noexcept;

  /// Removes the name now: processes that hold the segment keep it, and no other process can open it. Further
  /// calls do nothing.
  void remove() const;

 private:
  friend struct SegmentAccess;
  struct State;
  AnyBatchView view(std::uint64_t batch) const;
  explicit Segment(std::shared_ptr<const State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// A segment, as list_segments() describes it.
struct SegmentInfo {
  std::string name;
  std::string path;
  std::string fault;  ///< Why its header cannot be read; `kind` to `dataset`, except `published`, may then
                      ///< have their defaults.
  SegmentKind kind = SegmentKind::dataset;
  SegmentOwner owner;
  SegmentOwner::State owner_state = SegmentOwner::State::unknown;
  std::chrono::system_clock::time_point created;
  bool kept = false;
  bool published = false;  ///< False: it is being made, or its maker died before it was finished.
  Identity origin;
  Layout layout = Layout::rows;
  Dataset dataset;
  std::uint64_t bytes = 0;           ///< Size of the file.
  std::optional<unsigned> attached;  ///< The number of holders; a process that opened it twice counts twice;
                                     ///< nothing where /proc/locks does not say.
  bool held = false;  ///< Whether any process holds it, in whatever namespace.
};

/// The segments of this user, by folder and name. A damaged segment is listed with its `fault`; one that can
/// no longer be opened is left out.
NODEWISE_PUBLIC std::vector<SegmentInfo> list_segments();

struct CollectOptions {
  bool dry_run = false;
  /// Removes kept segments too, if they were made longer ago than this.
  std::optional<std::chrono::nanoseconds> older_than = {};
};
/// Removes segments that no process holds and whose owner is dead: those of killed processes. A segment whose
/// owner belongs to another pid namespace stays, and a kept segment stays unless `older_than` selects it.
/// Returns the segments that were (or with dry_run would be) removed.
NODEWISE_PUBLIC std::vector<SegmentInfo> collect_segments(const CollectOptions& options = {});

}  // namespace nodewise
