// Where pages really are, held against the plan.
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

/// planned = local + misplaced + cut + absent + unknown, in bytes of the dataset.
struct NODEWISE_PUBLIC PlacementBytes {
  std::uint64_t planned_bytes = 0;
  std::uint64_t local_bytes = 0;      ///< On the node that the plan names.
  std::uint64_t misplaced_bytes = 0;  ///< On another node than the shard's, to which the plan gave the page.
  std::uint64_t cut_bytes = 0;        ///< On a page that the plan gave to another shard.
  std::uint64_t absent_bytes = 0;     ///< Untouched, swapped, or the zero page.
  std::uint64_t unknown_bytes = 0;    ///< The kernel did not say.
  PlacementBytes& operator+=(const PlacementBytes& other) noexcept;
  friend bool operator==(const PlacementBytes&, const PlacementBytes&) = default;
};

struct ShardPlacement : PlacementBytes {
  std::string host;
  std::size_t shard = 0;
  unsigned node = 0;
  unsigned os_index = 0;
  BatchRange batches;
  /// The shard's bytes by the logical index of the node they lie on; cut, absent and unknown bytes are not
  /// counted.
  std::vector<std::uint64_t> bytes_on_node;
};

/// Consecutive batches in the same state.
struct BatchRun {
  enum class State : unsigned char { local, misplaced, cut, absent, unknown };
  BatchRange batches;
  State state = State::local;  ///< The worst state of any byte of the batch; from worst to best: misplaced,
                               ///< absent, unknown, cut, local.
};
NODEWISE_PUBLIC std::string_view to_string(BatchRun::State state) noexcept;

/// What a plan promises of each batch: local, or cut where a part of it lies on a neighbour's page.
NODEWISE_PUBLIC std::vector<BatchRun> planned_batches(const Plan& plan);

/// A picture for people: a line for each shard, its batches along it, and a legend. Precondition: `runs`
/// cover every batch, in ascending order, as planned_batches and Placement::batches give them.
NODEWISE_PUBLIC std::string draw_batches(const Plan& plan, const std::vector<BatchRun>& runs,
                                         const TextStyle& style = {});

/// The bytes that one worker read, and how many of them lay on its own node.
struct WorkerReads {
  Worker worker;
  std::uint64_t local_bytes = 0;
  std::uint64_t remote_bytes = 0;
  std::uint64_t unknown_bytes = 0;
};

/// Memory by node, for any range of addresses.
struct Residency {
  std::vector<std::uint64_t> bytes_on_node;  ///< By logical index.
  std::uint64_t absent_bytes = 0;
  std::uint64_t unknown_bytes = 0;
  AskingRung asking_rung = AskingRung::none;
};

/// The kernel's answer against the plan, at one moment. Thread class: value.
class NODEWISE_PUBLIC Placement {
 public:
  /// Asks the kernel about every page of `buffer`; no page is touched by asking. Cost: one system call for
  /// every 16384 pages, through a buffer of constant size.
  static Placement of(const Buffer& buffer);

  PlacementBytes total() const;
  // On a temporary each of these moves its content out, so that a loop over `loader.placement().shards()`
  // owns what it iterates over.
  const std::vector<ShardPlacement>& shards() const& noexcept { return shards_; }
  std::vector<ShardPlacement> shards() && noexcept { return std::move(shards_); }
  const std::vector<BatchRun>& batches() const& noexcept { return batches_; }
  std::vector<BatchRun> batches() && noexcept { return std::move(batches_); }
  AskingRung asking_rung() const noexcept { return asking_rung_; }
  PlacingRung placing_rung() const noexcept { return placing_rung_; }
  /// "page"; "shard" where the kernel gave only sums over a shard's mapping; "none" where it could not be
  /// asked.
  std::string_view granularity() const noexcept;
  /// local / planned; 1 for no data; nothing under `interleaved` or where the kernel could not be asked.
  std::optional<double> local_fraction() const;
  /// The degradations of the buffer, and those of asking the kernel.
  const std::vector<Degradation>& degradations() const& noexcept { return degradations_; }
  std::vector<Degradation> degradations() && noexcept { return std::move(degradations_); }

  /// Throws PlacementError unless at least `wanted_fraction` of the planned bytes are local; it names the
  /// shards that lie wrong (the first eight) and their bytes. Throws also where the kernel could not be
  /// asked.
  void require(double wanted_fraction) const;

  /// Throws PlacementError, as require(), if any byte is misplaced, absent or unknown. Cut bytes are no
  /// fault, because the plan announced them. BatchLoader calls this after placing or adopting data under
  /// Binding::required.
  void require_planned() const;

  /// Schema "nodewise.placement/1", documented in docs/json.md.
  std::string to_json() const;

  /// For people, as `nodewise run` prints it: how pages were placed and checked, a strip of batches for each
  /// node, and a table of bytes. Several lines; docs/command.md says how to read them.
  std::string picture(const TextStyle& style = {}) const;
  /// For people: whether all bytes lie as planned, else which do not and why; and a line for each
  /// degradation.
  std::string verdict(const TextStyle& style = {}) const;
  /// The picture, and the verdict.
  std::string summary(const TextStyle& style = {}) const;

 private:
  Placement() = default;
  std::string pages_text() const;
  std::string cause_text() const;
  std::string misplaced_text() const;
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
  std::vector<unsigned> os_indices_;  // of the topology's nodes
  bool autonuma_ = false;             // whether it may have moved what is misplaced
};

/// Writes the summary, 80 columns wide and without colours.
NODEWISE_PUBLIC std::ostream& operator<<(std::ostream& out, const Placement& placement);

/// An estimate of the placement from some of the dataset's bytes, drawn at random: for datasets so large that
/// asking about every page takes too long. Thread class: value.
struct NODEWISE_PUBLIC PlacementSample {
  struct Bounds {
    double least = 0, most = 1;
  };
  /// Counts as in Placement::total, of the bytes drawn.
  PlacementBytes drawn;
  AskingRung asking_rung = AskingRung::none;  ///< move_pages; or none, and then all is unknown.

  bool interleaved = false;  ///< The policy, under which there is no local part.

  /// Estimate of Placement::local_fraction: local / drawn; 1 for no data. Nothing under `interleaved`, or
  /// where move_pages is refused; Placement::of may still have sums then.
  std::optional<double> local_fraction() const;
  /// The whole dataset's fraction lies between these bounds with at least the probability `confidence`,
  /// whatever the dataset (by Chernoff's inequality). With 10000 drawn bytes and 0.99 the bounds are 0.99947
  /// to 1 if all are local, and 0.484 to 0.516 if half are. Throws InvalidArgument unless 0 < confidence < 1.
  Bounds local_fraction_bounds(double confidence = 0.99) const;
};

/// Draws `bytes` of the dataset, with replacement, and asks about the pages that hold them. The same seed
/// draws the same bytes; use another seed for each further sample. Throws InvalidArgument for no bytes, and
/// SystemError where the kernel refuses in the middle. Cost: about a microsecond for each byte, whatever the
/// dataset's size; memory constant.
NODEWISE_PUBLIC PlacementSample sample_placement(const Buffer& buffer, std::uint64_t bytes,
                                                 std::uint64_t seed = 0);

/// Where the pages of [data, data + bytes) are; a page that is only partly inside counts its inside part.
NODEWISE_PUBLIC Residency residency(const Topology& topology, const void* data, std::size_t bytes);

/// The bytes that each worker of a computation read, by where the pages are now.
NODEWISE_PUBLIC std::vector<WorkerReads> worker_reads(const Buffer& buffer, const Means& means);

}  // namespace nodewise
