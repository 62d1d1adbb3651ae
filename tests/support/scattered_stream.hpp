// A stream of runs that are scattered over memory, in any order: what a test wants a stream to be.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nodewise/stream.hpp>

#include "random_elements.hpp"

namespace nodewise::test {

struct ScatteredOptions {
  std::uint64_t most_batches_of_run = 3;  ///< Runs have 1 to so many batches, drawn at random.
  unsigned nodes = 0;                     ///< Runs lie on so many nodes by turns; on unknown ones if 0.
  bool every_third_node_unknown = false;
  std::size_t most_leased = 1000000;  ///< Runs that may be leased at the same time.
  bool once = false;                  ///< rewind() is refused.
  std::uint64_t seed = 1;
  /// Reading this batch fails.
  std::optional<std::uint64_t> unreadable_batch = {};
  Layout layout = Layout::rows;
};

/// Copies of a dataset's batches, each run in memory of its own that begins at any element of a cache line.
/// It is made when the run is leased and gone when the lease ends, so that what is read later is noticed by
/// sanitizers. Each rewind shuffles the runs anew.
class ScatteredStream final : public BatchStream {
 public:
  ScatteredStream(const Dataset& dataset, const std::byte* data, const ScatteredOptions& options = {})
      : dataset_(dataset), data_(data), options_(options), random_(options.seed) {
    for (std::uint64_t begin = 0; begin < dataset.num_batches();) {
      const std::uint64_t count = 1 + random_() % options.most_batches_of_run;
      runs_.push_back({begin, std::min(begin + count, dataset.num_batches())});
      begin = runs_.back().stop;
    }
    shuffle();
  }

  const Dataset& dataset() const noexcept override { return dataset_; }
  Layout layout() const noexcept override { return options_.layout; }

  std::optional<BatchLease> next() override {
    if (at_ == runs_.size()) return std::nullopt;
    if (fails_next()) throw std::runtime_error("batch " + std::to_string(*options_.unreadable_batch));
    if (leased() >= options_.most_leased) throw std::runtime_error("all memory of the stream is leased");
    const BatchRange run = runs_[at_++];
    most_leased_ = std::max(most_leased_, leased() + 1);
    return BatchLease(copy_of(dataset_.bytes(run)), run, next_node());
  }

  bool ready() override { return at_ < runs_.size() && !fails_next() && leased() < options_.most_leased; }

  bool rewind() override {
    if (options_.once) return false;
    shuffle();
    return true;
  }

  /// Runs whose leases have not ended.
  std::size_t leased() const { return static_cast<std::size_t>(alive_.use_count()) - 1; }
  /// The most of them at the same time.
  std::size_t most_leased() const { return most_leased_; }
  const std::vector<BatchRange>& runs() const { return runs_; }

 private:
  struct Copy {
    std::vector<std::byte> bytes;
    std::shared_ptr<const int> alive;
  };

  void shuffle() {
    at_ = 0;
    for (std::size_t i = runs_.size(); i > 1; --i) std::swap(runs_[i - 1], runs_[random_() % i]);
  }

  bool fails_next() const {
    const auto bad = options_.unreadable_batch;
    return bad && at_ < runs_.size() && runs_[at_].start <= *bad && *bad < runs_[at_].stop;
  }

  std::shared_ptr<const std::byte> copy_of(ByteRange bytes) {
    const std::size_t offset = random_() % 8 * dtype_bytes(dataset_.dtype());
    auto copy = std::make_shared<Copy>(Copy{std::vector<std::byte>(offset + bytes.bytes()), alive_});
    std::memcpy(copy->bytes.data() + offset, data_ + bytes.begin, bytes.bytes());
    return {copy, copy->bytes.data() + offset};
  }

  std::optional<unsigned> next_node() {
    const unsigned turn = turns_++;
    if (options_.nodes == 0 || (options_.every_third_node_unknown && turn % 3 == 2)) return std::nullopt;
    return turn % options_.nodes;
  }

  Dataset dataset_;
  const std::byte* data_;
  ScatteredOptions options_;
  SplitMix64 random_;
  std::vector<BatchRange> runs_;
  std::size_t at_ = 0;
  unsigned turns_ = 0;
  std::size_t most_leased_ = 0;
  std::shared_ptr<const int> alive_ = std::make_shared<const int>(0);
};

/// Gives the runs that it is given, once, whatever they are.
class ListStream final : public BatchStream {
 public:
  ListStream(const Dataset& dataset, std::vector<BatchLease> runs)
      : dataset_(dataset), runs_(std::move(runs)) {}

  const Dataset& dataset() const noexcept override { return dataset_; }
  std::optional<BatchLease> next() override {
    if (at_ == runs_.size()) return std::nullopt;
    return std::move(runs_[at_++]);
  }
  bool ready() override { return at_ < runs_.size(); }
  bool rewind() override { return false; }

 private:
  Dataset dataset_;
  std::vector<BatchLease> runs_;
  std::size_t at_ = 0;
};

/// Elements of "any" kind for the whole of `dataset`.
inline std::vector<std::byte> elements_of(const Dataset& dataset) {
  const auto [samples, features] = dataset.shape();
  return elements(dataset.dtype(), samples * features, any_bits, samples);
}

}  // namespace nodewise::test
