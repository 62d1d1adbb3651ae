// Where the pages of a dataset lie, compared with its plan (plan.hpp). The plan gives each node a shard:
// consecutive batches, and the pages that hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/export.hpp>
#include <nodewise/means.hpp>
#include <nodewise/text.hpp>

namespace nodewise {

/// Counts of bytes of a dataset. planned_bytes is the sum of the other six.
struct NODEWISE_PUBLIC PlacementBytes {
  std::uint64_t planned_bytes = 0;
  std::uint64_t local_bytes = 0;  ///< On the node of their shard; 0 under `interleaved`.
  /// On a page of their own shard, but the page lies on another node; under `interleaved`, on a node that is
  /// no target.
  std::uint64_t misplaced_bytes = 0;
  std::uint64_t cut_bytes = 0;      ///< On a page that the plan gave to another shard.
  std::uint64_t absent_bytes = 0;   ///< Not in memory: never touched, swapped out, or the kernel's zero page.
  std::uint64_t unknown_bytes = 0;  ///< The kernel did not say where.
  /// Under `interleaved`, which plans no node for a page: on any target node. Otherwise 0.
  std::uint64_t on_target_bytes = 0;
  PlacementBytes& operator+=(const PlacementBytes& other) noexcept;
  friend bool operator==(const PlacementBytes&, const PlacementBytes&) = default;
};

/// The bytes of one shard, counted by where they lie.
struct ShardPlacement : PlacementBytes {
  std::string host;
  std::size_t shard = 0;
  unsigned node = 0;
  unsigned os_index = 0;
  BatchRange batches;
  /// The bytes of the shard by the node on which they lie (logical index), without those that are cut, absent
  /// or unknown.
  std::vector<std::uint64_t> bytes_on_node;
};

/// Consecutive batches that are in the same state.
struct BatchRun {
  enum class State : unsigned char { local, misplaced, cut, absent, unknown, on_target };
  BatchRange batches;
  /// The worst state of any byte of a batch. From worst to best: misplaced, absent, unknown, cut; then local,
  /// or under the policy `interleaved`, on_target.
  State state = State::local;
};
NODEWISE_PUBLIC std::string_view to_string(BatchRun::State state) noexcept;

/// The state that a plan promises for each batch: local, or cut if a part of it lies on a page of another
/// shard. Under the policy `interleaved`: on_target.
NODEWISE_PUBLIC std::vector<BatchRun> planned_batches(const Plan& plan);

/// A picture for people: one line for each shard, which shows its batches, and a legend. Precondition: `runs`
/// cover all batches in ascending order, as planned_batches() and Placement::batches() give them.
NODEWISE_PUBLIC std::string draw_batches(const Plan& plan, const std::vector<BatchRun>& runs,
                                         const TextStyle& style = {});

/// The bytes that one worker read: on its own node (local), on other nodes (remote), or on nodes that the
/// kernel did not name.
struct WorkerReads {
  Worker worker;
  std::uint64_t local_bytes = 0;
  std::uint64_t remote_bytes = 0;
  std::uint64_t unknown_bytes = 0;
};

/// Where the bytes of a range of addresses lie.
struct Residency {
  std::vector<std::uint64_t> bytes_on_node;  ///< By logical index of the node.
  std::uint64_t absent_bytes = 0;
  std::uint64_t unknown_bytes = 0;
  AskingRung asking_rung = AskingRung::none;
};

/// Where each page of a buffer was at one moment, compared with the plan. Thread class: value.
class NODEWISE_PUBLIC Placement {
 public:
  /// Asks the kernel about every page of `buffer`, and touches none. Throws SystemError if the kernel stops
  /// answering half way. Cost: one system call for every 16384 pages; constant memory.
  static Placement of(const Buffer& buffer);

  PlacementBytes total() const;
  // On a temporary, each of these returns its content by value, so that a loop over
  // `loader.placement().shards()` is safe.
  const std::vector<ShardPlacement>& shards() const& noexcept { return shards_; }
  std::vector<ShardPlacement> shards() && noexcept { return std::move(shards_); }
  const std::vector<BatchRun>& batches() const& noexcept { return batches_; }
  std::vector<BatchRun> batches() && noexcept { return std::move(batches_); }
  AskingRung asking_rung() const noexcept { return asking_rung_; }
  PlacingRung placing_rung() const noexcept { return placing_rung_; }
  /// How finely the kernel said where memory lies: "page"; "shard", if it gave only sums for whole mappings;
  /// "none", if it could not be asked.
  std::string_view granularity() const noexcept;
  /// local_bytes / planned_bytes; 1 if there is no data. Empty for an interleaved plan, and if the kernel
  /// could not be asked.
  std::optional<double> local_fraction() const;
  /// The degradations of the buffer, and those found while the kernel was asked.
  const std::vector<Degradation>& degradations() const& noexcept { return degradations_; }
  std::vector<Degradation> degradations() && noexcept { return std::move(degradations_); }

  /// Throws PlacementError if local_fraction() is empty or less than `wanted_fraction`. The message names the
  /// shards that are not placed as planned (at most eight), and their bytes.
  void require(double wanted_fraction) const;

  /// Throws PlacementError if any byte is misplaced, absent or unknown. Cut bytes are accepted, because the
  /// plan announced them. BatchLoader calls this under Binding::required, after it has placed or adopted
  /// data.
  void require_planned() const;

  /// JSON with the schema "nodewise.placement/1" (docs/json.md).
  std::string to_json() const;

  /// Text for people, as `nodewise run` prints it: how pages were placed and checked, the batches of each
  /// node, and a table of bytes. docs/command.md explains it.
  std::string picture(const TextStyle& style = {}) const;
  /// Text for people: whether all bytes lie as planned, and if not, which do not and why. Then one line for
  /// each degradation.
  std::string verdict(const TextStyle& style = {}) const;
  /// picture() and verdict().
  std::string summary(const TextStyle& style = {}) const;

 private:
  Placement() = default;
  std::string pages_text() const;
  std::string cause_text() const;
  std::string misplaced_text() const;
  std::string interleaved_text(const TextStyle& style) const;
  std::string verdict_text(const TextStyle& style) const;
  std::string host_;
  Policy policy_ = Policy::blocked;
  Binding binding_ = Binding::preferred;
  std::size_t page_bytes_ = 0;
  PageKind page_kind_ = PageKind::base;
  std::vector<ShardPlacement> shards_;
  std::vector<BatchRun> batches_;
  AskingRung asking_rung_ = AskingRung::none;
  PlacingRung placing_rung_ = PlacingRung::none;
  std::vector<Degradation> degradations_;
  std::vector<unsigned> os_indices_;  // by logical index of the node
  bool autonuma_ = false;             // whether AutoNUMA may have moved the misplaced pages
};

/// Writes the summary, 80 columns wide and without colours.
NODEWISE_PUBLIC std::ostream& operator<<(std::ostream& out, const Placement& placement);

/// An estimate of a placement from some bytes that are drawn at random, for datasets so large that asking
/// about every page takes too long. Thread class: value.
struct NODEWISE_PUBLIC PlacementSample {
  struct Bounds {
    double least = 0, most = 1;
  };
  /// The states of the drawn bytes, counted as in Placement::total().
  PlacementBytes drawn;
  AskingRung asking_rung = AskingRung::none;  ///< move_pages; or none, and then all drawn bytes are unknown.

  bool interleaved = false;  ///< Whether the policy is interleaved; then local_fraction() is empty.

  /// An estimate of Placement::local_fraction(): the drawn bytes that are local, divided by all drawn bytes;
  /// 1 if there is no data. Empty for an interleaved plan, and if the kernel refuses move_pages. In the
  /// second case Placement::of may still give a fraction, since it can use the sums of /proc/self/numa_maps.
  std::optional<double> local_fraction() const;
  /// Bounds for Placement::local_fraction(): that fraction lies between them with a probability of at least
  /// `confidence`, for any dataset (Chernoff's inequality). For example, after drawing 10000 bytes, with a
  /// confidence of 0.99: if all of them are local, the bounds are 0.99947 and 1; if half of them are, 0.484
  /// and 0.516. Throws InvalidArgument unless 0 < confidence < 1.
  Bounds local_fraction_bounds(double confidence = 0.99) const;
};

/// Draws `bytes` bytes of the dataset, with replacement, and asks the kernel about the pages that hold them.
/// The same seed draws the same bytes; use another seed for each further sample. Throws InvalidArgument if
/// `bytes` is 0, and SystemError if the kernel stops answering half way. Cost: about a microsecond for each
/// drawn byte, whatever the size of the dataset; constant memory.
NODEWISE_PUBLIC PlacementSample sample_placement(const Buffer& buffer, std::uint64_t bytes,
                                                 std::uint64_t seed = 0);

/// Where the pages of [data, data + bytes) are. Of a page that is only partly in the range, only that part is
/// counted. Throws SystemError.
NODEWISE_PUBLIC Residency residency(const Topology& topology, const void* data, std::size_t bytes);

/// The bytes that each worker of a computation read, counted by where the pages are now.
NODEWISE_PUBLIC std::vector<WorkerReads> worker_reads(const Buffer& buffer, const Means& means);

}  // namespace nodewise
