// How a buffer gets its place: map, bind before any touch, populate from the right nodes, all at once.
#pragma once

#include <vector>

#include <nodewise/buffer.hpp>

#include "os/os.hpp"
#include "team/run.hpp"

namespace nodewise {

/// Has the kernel keep neighbouring shards of a plan at `data` as separate mappings, so that it sums up their
/// pages apart; `border` bytes behind them too. 0, or an errno.
int keep_shards_apart(const Plan& plan, std::byte* data, std::size_t border);

/// One placing of one buffer. The steps are called once each, in the order of their declaration.
class Placing {
 public:
  Placing(const Plan& plan, const Team& team);

  Pages map(PageKind kind);
  /// Instead of mapping: memory that nobody has touched.
  void use(const Pages& pages);
  void bind();
  /// Makes every page present, and has `fill`, if given, fill it.
  void populate(const Pages& pages, const Buffer::Fill& fill);
  /// Mends and seals, now that every page is there. A node whose free pages ran out while its page cache
  /// could have made room gets its shard's pages back; and under Binding::required the policy becomes strict.
  /// Before, a strict policy would have ended the process on a node that filled up between preflight and
  /// touch.
  void seal();

  const Plan& plan() const noexcept { return plan_; }
  const Topology& topology() const noexcept { return team_.topology(); }
  std::byte* data() const noexcept { return data_; }
  PlacingRung rung() const noexcept { return rung_; }
  std::vector<Degradation> take_degradations() noexcept { return std::move(degradations_); }

 private:
  struct Slice {  // what one worker populates of one shard
    std::size_t shard = 0;
    ByteRange pages;
  };

  bool interleaved() const noexcept { return plan_.policy() == Policy::interleaved; }
  Pages map_pool(std::uint64_t bytes);
  Pages map_ordinary(std::uint64_t bytes, PageKind kind);
  void keep_shards_apart(std::size_t border);
  void note_tight_nodes();
  void note_workers(const TeamRun& run);
  int bind_shard(std::size_t shard, os::BindMode mode) const;
  void bind_shards();
  void bind_interleaved();
  void refuse_binding(int error, const std::string& consequence);
  std::vector<std::vector<Slice>> slices() const;
  struct Populating {
    const Pages& pages;
    const Buffer::Fill& fill;
  };
  int populate_slice(const Slice& slice, unsigned worker_node, std::vector<int>& unreached,
                     const Populating& what) const;
  int populate_range(const ByteRange& range, const Populating& what) const;
  [[noreturn]] void throw_unpopulated(const Pages& pages, int error) const;
  void judge_first_touch(const std::vector<std::vector<int>>& unreached);
  void degrade(DegradationKind kind, std::string message, int error = 0);

  const Plan& plan_;
  const Team& team_;
  std::byte* data_ = nullptr;
  std::size_t slice_unit_ = 0;  // no two workers touch one page of this size
  std::size_t huge_page_bytes_ = 0;
  std::vector<std::size_t> tight_shards_;  // larger than what was free of their node, page cache aside
  PlacingRung rung_ = PlacingRung::none;
  std::vector<Degradation> degradations_;
};

}  // namespace nodewise
