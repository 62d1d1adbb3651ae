#include <cmath>
#include <random>

#include <nodewise/error.hpp>
#include <nodewise/placement.hpp>

#include "base/text.hpp"
#include "pages/residency.hpp"
#include "placement/judge.hpp"

namespace nodewise {
namespace {

// How far the share `seen` is from the share `expected`: the divergence of Kullback and Leibler, which is 0
// for equal shares.
double divergence(double seen, double expected) {
  const auto part = [](double a, double b) { return a == 0 ? 0 : a * std::log(a / b); };
  return part(seen, expected) + part(1 - seen, 1 - expected);
}

// The share that is furthest from `seen` on the side of `end`, with a divergence of at most `most`.
double furthest(double seen, double end, double most) {
  double inside = seen, outside = end;
  for (int halving = 0; halving < 60; ++halving) {
    const double middle = (inside + outside) / 2;
    (divergence(seen, middle) <= most ? inside : outside) = middle;
  }
  return outside;
}

// Draws bytes of the dataset at random. The same seed draws the same bytes.
class Draw {
 public:
  Draw(const Plan& plan, std::uint64_t seed)
      : plan_(plan), random_(seed), position_(0, plan.dataset().total_bytes() - 1) {}

  struct Byte {
    std::uint64_t position;
    const Shard* shard;
  };
  Byte next() {
    const std::uint64_t position = position_(random_);
    const std::uint64_t batch = position / plan_.dataset().most_batch_bytes();
    return {position, &plan_.shards()[plan_.shard_of(batch)]};
  }

 private:
  const Plan& plan_;
  std::mt19937_64 random_;
  std::uniform_int_distribution<std::uint64_t> position_;
};

}  // namespace

PlacementSample sample_placement(const Buffer& buffer, std::uint64_t bytes, std::uint64_t seed) {
  if (bytes == 0) throw InvalidArgument("sample_placement: 0 bytes say nothing; draw at least 1");
  PlacementSample sample;
  sample.interleaved = buffer.plan().policy() == Policy::interleaved;
  const bool can_ask = can_ask_pages();
  if (can_ask) sample.asking_rung = AskingRung::move_pages;
  if (buffer.plan().dataset().total_bytes() == 0) return sample;
  sample.drawn.planned_bytes = bytes;
  if (!can_ask) {
    sample.drawn.unknown_bytes = bytes;
    return sample;
  }
  Draw draw(buffer.plan(), seed);
  std::vector<Draw::Byte> asked;
  std::vector<const std::byte*> addresses;
  for (std::uint64_t left = bytes; left > 0;) {
    asked.clear();
    addresses.clear();
    for (; left > 0 && asked.size() < pages_per_call; --left) {
      const Draw::Byte byte = draw.next();
      const ByteRange own = own_bytes(buffer.plan(), *byte.shard);
      if (byte.position < own.begin || byte.position >= own.end) {
        ++sample.drawn.cut_bytes;
        continue;
      }
      asked.push_back(byte);
      addresses.push_back(buffer.address_of(byte.position));
    }
    const std::vector<int> states = ask_addresses(addresses);
    for (std::size_t i = 0; i < asked.size(); ++i)
      ++bytes_in(sample.drawn, judge(buffer, *asked[i].shard, states[i]));
  }
  return sample;
}

std::optional<double> PlacementSample::local_fraction() const {
  if (interleaved || asking_rung == AskingRung::none) return std::nullopt;
  if (drawn.planned_bytes == 0) return 1.0;
  return static_cast<double>(drawn.local_bytes) / static_cast<double>(drawn.planned_bytes);
}

PlacementSample::Bounds PlacementSample::local_fraction_bounds(double confidence) const {
  if (!(confidence > 0 && confidence < 1))
    throw InvalidArgument(base::text("PlacementSample: a confidence of ", confidence,
                                     "; it may be between 0 and 1, such as 0.99"));
  const auto seen = local_fraction();
  if (!seen) return {};
  if (drawn.planned_bytes == 0) return {1, 1};
  // The probability that the share lies beyond a bound is at most exp(-n * divergence) for either bound.
  const double most = std::log(2 / (1 - confidence)) / static_cast<double>(drawn.planned_bytes);
  return {furthest(*seen, 0, most), furthest(*seen, 1, most)};
}

}  // namespace nodewise
