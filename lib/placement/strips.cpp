#include "placement/strips.hpp"

#include <algorithm>

#include "base/ink.hpp"
#include "base/text.hpp"

namespace nodewise {
namespace {

using State = BatchRun::State;

struct Look {
  State state;
  char mark;
  base::Ink ink;
  const char* meaning;
};

// The worst state first, so that a column for several batches shows the worst of them.
constexpr Look looks[] = {
    {State::misplaced, 'x', base::Ink::bad, "on another node than planned"},
    {State::absent, '.', base::Ink::bad, "not in memory"},
    {State::unknown, '?', base::Ink::fair, "the kernel does not tell the node"},
    {State::cut, '+', base::Ink::fair, "partly on a page of the neighbour's node"},
    {State::local, '=', base::Ink::good, "as planned"},
    {State::on_target, '=', base::Ink::good, "on any of these nodes"},
};

std::size_t rank_of(State state) {
  std::size_t rank = 0;
  while (looks[rank].state != state) ++rank;
  return rank;
}

// The worst state of `batches`. Precondition: they are not empty.
std::size_t worst_of(const std::vector<BatchRun>& runs, BatchRange batches) {
  const auto ends_before = [](const BatchRun& run, std::uint64_t batch) { return run.batches.stop <= batch; };
  auto run = std::lower_bound(runs.begin(), runs.end(), batches.start, ends_before);
  std::size_t worst = std::size(looks) - 1;
  for (; run != runs.end() && run->batches.start < batches.stop; ++run)
    worst = std::min(worst, rank_of(run->state));
  return worst;
}

// How batches become columns of text: a batch has `cell` columns, or a column shows `per_column` batches.
struct Scale {
  Scale(std::uint64_t most_batches, std::uint64_t last_batch, std::size_t columns) {
    constexpr std::size_t widest_cell = 12;
    cell = static_cast<std::size_t>(
        std::min<std::uint64_t>(widest_cell, columns / std::max<std::uint64_t>(1, most_batches)));
    per_column = cell > 0 ? 1 : (most_batches + columns - 1) / columns;
    digits = std::to_string(last_batch).size();
  }
  // A label may take the place of the marks only if there is nothing to mark.
  bool labelled(State state) const {
    const bool good = state == State::local || state == State::on_target;
    return cell >= digits + (good ? 1 : 2);
  }

  std::size_t cell = 0;
  std::uint64_t per_column = 1;
  std::size_t digits = 1;
};

std::string draw_batch(std::uint64_t batch, std::size_t look, const Scale& scale, const TextStyle& style) {
  std::string label = scale.cell > 1 ? "|" : "";
  if (scale.labelled(looks[look].state)) label += std::to_string(batch);
  return label +
         base::inked(style, looks[look].ink, std::string(scale.cell - label.size(), looks[look].mark));
}

std::string draw_strip(BatchRange batches, const std::vector<BatchRun>& runs, const Scale& scale,
                       const TextStyle& style) {
  if (batches.count() == 0) return "";
  std::string strip = scale.cell > 1 ? "" : "|";
  for (std::uint64_t batch = batches.start; batch < batches.stop; batch += scale.per_column) {
    const BatchRange shown{batch, std::min(batch + scale.per_column, batches.stop)};
    const std::size_t look = worst_of(runs, shown);
    strip += scale.cell > 0 ? draw_batch(batch, look, scale, style)
                            : base::inked(style, looks[look].ink, std::string(1, looks[look].mark));
  }
  return strip + '|';
}

std::string legend(const std::vector<BatchRun>& runs, const Scale& scale, const TextStyle& style) {
  std::string line = scale.cell > 1    ? "one cell is one batch"
                     : scale.cell == 1 ? "one column is one batch"
                                       : base::text("one column is ", scale.per_column, " batches");
  const char* separator = ": ";
  for (std::size_t i = std::size(looks); i-- > 0;) {  // good states come first
    const Look& look = looks[i];
    const auto shown = [&look](const BatchRun& run) { return run.state == look.state; };
    if (std::none_of(runs.begin(), runs.end(), shown)) continue;
    line += separator + base::inked(style, look.ink, std::string(1, look.mark)) + ' ' + look.meaning;
    separator = ", ";
  }
  return line;
}

}  // namespace

std::vector<BatchRun> planned_batches(const Plan& plan) {
  std::vector<BatchRun> runs;
  const auto add = [&runs](std::uint64_t begin, std::uint64_t end, State state) {
    if (begin >= end) return;
    if (!runs.empty() && runs.back().state == state && runs.back().batches.stop == begin)
      runs.back().batches.stop = end;
    else
      runs.push_back({{begin, end}, state});
  };
  const std::uint64_t batch_bytes = plan.num_batches() > 0 ? plan.dataset().most_batch_bytes() : 1;
  const std::uint64_t offset = plan.base_offset();
  const State promised = plan.policy() == Policy::blocked ? State::local : State::on_target;
  for (const Shard& shard : plan.shards()) {
    const auto [begin, end] = shard.batches;
    const bool apart = plan.policy() == Policy::blocked && shard.cut_bytes > 0;
    std::uint64_t own_begin = begin;
    std::uint64_t own_end = end;
    if (apart && shard.pages.bytes() == 0) own_begin = end;
    if (apart && shard.pages.bytes() > 0) {
      // The first batch that begins on a page of this shard, and the first one that ends behind its last
      // page.
      own_begin =
          std::max(begin, (std::max(shard.pages.begin, offset) - offset + batch_bytes - 1) / batch_bytes);
      const std::uint64_t last_byte = shard.pages.end - offset;
      own_end = last_byte >= shard.bytes.end ? end : std::max(own_begin, last_byte / batch_bytes);
    }
    own_begin = std::min(own_begin, end);
    add(begin, own_begin, State::cut);
    add(own_begin, own_end, promised);
    add(std::max(own_begin, own_end), end, State::cut);
  }
  return runs;
}

std::string batches_text(BatchRange batches) {
  if (batches.count() == 0) return "no batch";
  if (batches.count() == 1) return base::text("batch ", batches.start);
  return base::text("batches ", batches.start, '-', batches.stop - 1);
}

std::string draw_strips(const std::vector<Strip>& strips, Policy policy, const std::vector<BatchRun>& runs,
                        const TextStyle& style) {
  std::vector<std::vector<std::string>> left;
  std::uint64_t most = 0;
  std::uint64_t num_batches = 0;
  for (const Strip& strip : strips) {
    // Interleaved batches lie on all nodes. A node only reads some of them.
    const char* owner = policy == Policy::interleaved ? "read on node " : "node ";
    left.push_back(
        {base::text(owner, strip.os_index), batches_text(strip.batches), base::human_bytes(strip.bytes)});
    most = std::max(most, strip.batches.count());
    num_batches += strip.batches.count();
  }
  constexpr std::size_t narrowest_strip = 12;
  const std::string table = draw_table(left, "llr");
  const std::size_t left_width = table.find('\n') + 2;
  const std::size_t room = style.width - std::min(style.width, left_width + 1);
  const Scale scale(most, num_batches, std::max(narrowest_strip + 1, room) - 1);
  std::string picture;
  std::size_t line_begin = 0;
  for (const Strip& strip : strips) {
    const auto line_end = table.find('\n', line_begin);
    const std::string drawn = draw_strip(strip.batches, runs, scale, style);
    picture += table.substr(line_begin, line_end - line_begin);
    picture += drawn.empty() ? "\n" : "  " + drawn + '\n';
    line_begin = line_end + 1;
  }
  if (most > 0) picture += legend(runs, scale, style) + '\n';
  return picture;
}

std::string draw_batches(const Plan& plan, const std::vector<BatchRun>& runs, const TextStyle& style) {
  std::vector<Strip> strips;
  for (const Shard& shard : plan.shards())
    strips.push_back({shard.os_index, shard.batches, shard.bytes.bytes()});
  return draw_strips(strips, plan.policy(), runs, style);
}

}  // namespace nodewise
