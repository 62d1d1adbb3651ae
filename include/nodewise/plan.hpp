// A plan divides a dataset among the NUMA nodes of a machine: it says which node owns which batches, and on
// which node each page belongs. It is computed by arithmetic alone, without touching memory or asking the
// kernel. So it can also be computed for another machine.
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

/// How a dataset is divided. `blocked`: each node owns consecutive batches and the pages that hold them.
/// `interleaved`: pages alternate over the nodes. This policy promises no node for any page; it is for
/// comparison.
enum class Policy : std::uint8_t { blocked, interleaved };
/// What happens if a dataset cannot lie as planned. `preferred`: it is placed as well as possible, and each
/// loss is recorded as a degradation (degradation.hpp). `required`: an exception is thrown.
enum class Binding : std::uint8_t { preferred, required };
/// A target is a node that is to hold data. Each gets batches in proportion to its weight: 1 (`equal`), its
/// CPUs that this process may use (`cpus`), its memory (`capacity`), or a number of the caller (`given`). A
/// weight below 2^-41 of the largest counts as 0. docs/plan.md has the exact definition.
enum class Weights : std::uint8_t { equal, cpus, capacity, given };

NODEWISE_PUBLIC std::string_view to_string(Policy policy) noexcept;
NODEWISE_PUBLIC std::string_view to_string(Binding binding) noexcept;
NODEWISE_PUBLIC std::string_view to_string(Weights weights) noexcept;

struct PlanOptions {
  Policy policy = Policy::blocked;
  Binding binding = Binding::preferred;
  Weights weights = Weights::equal;
  /// One finite number ≥ 0 for each target, not all of them 0. Empty unless `weights` is Weights::given.
  std::vector<double> given_weights = {};
  /// The targets by logical index, each once. Empty: Topology::default_targets().
  std::vector<unsigned> targets = {};
  std::size_t page_bytes = 0;   ///< A power of two. 0: the base page of the topology.
  std::size_t base_offset = 0;  ///< The address of the first element, modulo page_bytes.
};

/// The part of a dataset that one node owns: consecutive batches, and pages. Every target has a shard, even
/// if that shard has no batch. Under `interleaved`, shards say only which node's workers compute which
/// batches.
struct Shard {
  unsigned node = 0;      ///< Logical index.
  unsigned os_index = 0;  ///< The kernel's number of that node.
  BatchRange batches;
  ByteRange bytes;  ///< The bytes of these batches.
  /// The pages that belong on the node, as a range of whole pages. Positions are counted in bytes from the
  /// start of the page that holds the first byte of the dataset, so byte `b` of the dataset is at position
  /// `b + base_offset`. The ranges of all shards are disjoint, and cover every page that holds data. Under
  /// `interleaved` they are empty.
  ByteRange pages;
  /// The bytes of its batches that lie on pages of other shards. 0 under `interleaved`.
  std::uint64_t cut_bytes = 0;
  /// The bytes by which its pages exceed the node's memory. 0 under `required`.
  std::uint64_t spill_bytes = 0;
  friend bool operator==(const Shard&, const Shard&) = default;
};

/// A page in which shards meet. It belongs to the shard with the most bytes on it; in a tie for the most, to
/// the first of the tied shards.
struct Cut {
  /// The position of the page's first byte, in bytes, counted as in Shard::pages; a multiple of page_bytes.
  std::uint64_t page = 0;
  std::uint32_t owner = 0;      ///< The index in Plan::shards() of the shard that gets the page.
  std::uint64_t cut_bytes = 0;  ///< The bytes of other shards on this page.
  friend bool operator==(const Cut&, const Cut&) = default;
};

/// Up to three changes, each of which alone avoids all cuts. With a suggested batch size, every full batch
/// fills whole pages. Batch sizes are suggested only if base_offset is 0.
struct CutRemedy {
  std::optional<std::uint64_t> smaller_batch_size;  ///< The next smaller batch size.
  /// The next larger batch size; suggested only if the dataset then still has more than one batch.
  std::optional<std::uint64_t> larger_batch_size;
  /// Of the topology's page sizes, the largest one with which these shards cut no page; always smaller than
  /// Plan::page_bytes().
  std::optional<std::size_t> page_bytes;
  friend bool operator==(const CutRemedy&, const CutRemedy&) = default;
};

struct PlanParts;  // private to the library

/// The division of a dataset into shards. Two plans are equal if all their contents are equal. Thread class:
/// immutable. Cost and size: O(nodes), whatever the number of batches.
class NODEWISE_PUBLIC Plan {
 public:
  /// Throws InvalidArgument (no features, bad options, sizes that exceed 64 bits), OutOfRange (a target that
  /// does not exist) and, under `required`, PlacementError (a shard exceeds its node's memory, or this
  /// process may not allocate on the node).
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
  /// In ascending order of pages. There are fewer cuts than shards, and none under `interleaved`.
  const std::vector<Cut>& cuts() const noexcept { return cuts_; }
  std::uint64_t cut_bytes() const noexcept;
  std::uint64_t spill_bytes() const noexcept;
  /// Empty if there is no cut, or if no change would help.
  std::optional<CutRemedy> cut_remedy() const noexcept { return remedy_; }
  /// The index of the shard that owns `batch`. Throws OutOfRange. Cost: O(log nodes).
  std::size_t shard_of(std::uint64_t batch) const;
  /// The size of the memory for this dataset: from the start of the first page to the end of the last one.
  std::uint64_t mapped_bytes() const noexcept;

  /// JSON with the schema "nodewise.plan/1" (docs/json.md). from_json() reads it back as an equal plan.
  std::string to_json() const;
  /// Reads a saved plan. The saved division is kept, and whatever follows from it is computed again. Throws
  /// FormatError if the text is malformed or contradicts itself. Throws PlacementError if the plan was made
  /// for another machine (the fingerprints differ), or where the constructor would throw PlacementError.
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
