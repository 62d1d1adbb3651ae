// What would lie where: which node owns which batches, and which pages. Pure arithmetic; touches no memory
// and asks no kernel, so it can be computed for a machine that is not here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/dataset.hpp>
#include <nodewise/export.hpp>
#include <nodewise/names.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

enum class Policy : std::uint8_t { blocked, interleaved };
enum class Binding : std::uint8_t { preferred, required };
/// How batches are divided among the target nodes: equally, or in proportion to allowed CPUs, to
/// memory_bytes, or to given numbers (a number below 2^-41 of the largest counts as 0). Defined exactly in
/// docs/plan.md.
enum class Weights : std::uint8_t { equal, cpus, capacity, given };

NODEWISE_PUBLIC std::string_view to_string(Policy policy) noexcept;
NODEWISE_PUBLIC std::string_view to_string(Binding binding) noexcept;
NODEWISE_PUBLIC std::string_view to_string(Weights weights) noexcept;

struct PlanOptions {
  Policy policy = Policy::blocked;
  Binding binding = Binding::preferred;
  Weights weights = Weights::equal;
  /// With Weights::given: one finite weight ≥ 0 for each target, not all zero.
  std::vector<double> given_weights = {};
  /// Target nodes by logical index, in order, without repeats; empty: Topology::default_targets().
  std::vector<unsigned> targets = {};
  std::size_t page_bytes = 0;   ///< A power of two; 0: the topology's base page.
  std::size_t base_offset = 0;  ///< Address of the first element modulo page_bytes.
};

/// The consecutive batches that one node owns. Every target has a shard, even if it owns no batch.
struct Shard {
  unsigned node = 0;      ///< Logical index.
  unsigned os_index = 0;  ///< The kernel's number of that node.
  BatchRange batches;
  ByteRange bytes;  ///< Of its batches.
  /// The pages placed on its node: a range of whole pages, in bytes from the start of the page that holds the
  /// dataset's first byte. Byte `b` of the dataset is at `b + base_offset`. The page ranges of all shards are
  /// disjoint and cover every page that holds data. Empty under `interleaved`, which promises no page to any
  /// node.
  ByteRange pages;
  std::uint64_t cut_bytes =
      0;  ///< Bytes of its batches on pages that another shard's node got; 0 under `interleaved`.
  std::uint64_t spill_bytes = 0;  ///< Bytes of its pages beyond its node's memory; 0 under `required`.
  friend bool operator==(const Shard&, const Shard&) = default;
};

/// A page in which shards meet. It goes to the shard with the most bytes on it; of several such shards, to
/// the first.
struct Cut {
  std::uint64_t page = 0;       ///< Byte offset of the page, counted as Shard::pages.
  std::uint32_t owner = 0;      ///< Shard (index into Plan::shards()) that got the page.
  std::uint64_t cut_bytes = 0;  ///< Bytes of the other shards on it.
  friend bool operator==(const Cut&, const Cut&) = default;
};

/// The smallest changes that would make every cut zero. With a suggested batch size every full batch fills
/// whole pages, so no partition cuts a page. None is suggested where base_offset is not 0.
struct CutRemedy {
  std::optional<std::uint64_t> smaller_batch_size;  ///< The next below.
  std::optional<std::uint64_t> larger_batch_size;   ///< The next above that leaves more than one batch.
  std::optional<std::size_t> page_bytes;  ///< The largest page size of the topology, below the plan's, with
                                          ///< which these shards cut no page.
  friend bool operator==(const CutRemedy&, const CutRemedy&) = default;
};

struct PlanParts;  // private to the library

/// The partition of a dataset. Under `interleaved` it still says which node's workers compute which batches.
/// Two plans are equal if all they promise is equal. Thread class: immutable. Size and cost are O(nodes),
/// whatever the number of batches.
class NODEWISE_PUBLIC Plan {
 public:
  /// Throws InvalidArgument (no features, bad options, pages that 64 bits cannot count), OutOfRange
  /// (a target that does not exist), PlacementError (`required`, and a shard exceeds its node's memory or its
  /// node is not allowed).
  Plan(const Topology& topology, const Dataset& dataset, const PlanOptions& options = {});

  const Dataset& dataset() const& noexcept { return dataset_; }
  Dataset dataset() && noexcept { return dataset_; }
  std::uint64_t num_batches() const noexcept { return dataset_.num_batches(); }
  Policy policy() const noexcept { return policy_; }
  Binding binding() const noexcept { return binding_; }
  Weights weights() const noexcept { return weights_; }
  std::size_t page_bytes() const noexcept { return page_bytes_; }
  std::size_t base_offset() const noexcept { return base_offset_; }
  /// The fingerprint of the topology that the plan was made for.
  const std::string& fingerprint() const noexcept { return fingerprint_; }

  const std::vector<Shard>& shards() const noexcept { return shards_; }
  /// In ascending order of pages; there are always fewer cuts than shards. None under `interleaved`.
  const std::vector<Cut>& cuts() const noexcept { return cuts_; }
  std::uint64_t cut_bytes() const noexcept;
  std::uint64_t spill_bytes() const noexcept;
  /// Empty where there is no cut, or where no change would help.
  std::optional<CutRemedy> cut_remedy() const noexcept { return remedy_; }
  /// Index of the shard that owns `batch`. Throws OutOfRange. Cost: O(log nodes).
  std::size_t shard_of(std::uint64_t batch) const;
  /// Bytes from the start of the first page to the end of the last: what a buffer must map.
  std::uint64_t mapped_bytes() const noexcept;

  /// Schema "nodewise.plan/1", documented in docs/json.md. Reads back equal on the same topology.
  std::string to_json() const;
  /// Reads a saved plan for the same machine. The partition is taken as saved, whatever the defaults are now;
  /// everything that follows from it is computed again. Throws FormatError where the text is malformed or
  /// contradicts itself, PlacementError where the topology's fingerprint differs, or where the constructor
  /// would throw it.
  static Plan from_json(std::string_view text, const Topology& topology);

  NODEWISE_PUBLIC friend bool operator==(const Plan& a, const Plan& b);

 private:
  Plan(const Topology& topology, const PlanParts& parts);
  void check_nodes(const Topology& topology);

  Dataset dataset_;
  Policy policy_ = Policy::blocked;
  Binding binding_ = Binding::preferred;
  Weights weights_ = Weights::equal;
  std::size_t page_bytes_ = 0;
  std::size_t base_offset_ = 0;
  std::string fingerprint_;
  std::vector<Shard> shards_;
  std::vector<Cut> cuts_;
  std::optional<CutRemedy> remedy_;
};

}  // namespace nodewise
