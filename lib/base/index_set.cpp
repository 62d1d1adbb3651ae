#include <nodewise/index_set.hpp>

#include <algorithm>
#include <bit>
#include <charconv>

#include "base/text.hpp"

namespace nodewise {
namespace {

constexpr unsigned word_bits = 64;
constexpr unsigned largest_parsed = 1U << 20;

constexpr std::uint64_t bit_of(unsigned index) noexcept {
  return std::uint64_t{1} << index % word_bits;
}

std::string_view without_outer_space(std::string_view text) noexcept {
  constexpr std::string_view space = " \t\r\n\v\f";
  const auto begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

// Takes a number from the front of `text`. Empty if there is none, or if it is too large.
std::optional<unsigned> take_number(std::string_view& text) noexcept {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > largest_parsed) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char character) noexcept {
  if (!text.starts_with(character)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

IndexSet::IndexSet(std::initializer_list<unsigned> indices) {
  for (const unsigned index : indices) insert(index);
}

void IndexSet::insert(unsigned index) {
  if (words_.size() <= index / word_bits) words_.resize(index / word_bits + 1);
  words_[index / word_bits] |= bit_of(index);
}

void IndexSet::erase(unsigned index) noexcept {
  if (!contains(index)) return;
  words_[index / word_bits] &= ~bit_of(index);
  trim();
}

bool IndexSet::contains(unsigned index) const noexcept {
  return index / word_bits < words_.size() && (words_[index / word_bits] & bit_of(index)) != 0;
}

bool IndexSet::empty() const noexcept {
  return words_.empty();
}

unsigned IndexSet::size() const noexcept {
  int count = 0;
  for (const std::uint64_t word : words_) count += std::popcount(word);
  return static_cast<unsigned>(count);
}

std::optional<unsigned> IndexSet::first() const noexcept {
  return contains(0) ? std::optional(0U) : next(0);
}

std::optional<unsigned> IndexSet::next(unsigned index) const noexcept {
  std::size_t word = index / word_bits;
  if (word >= words_.size()) return std::nullopt;
  std::uint64_t rest = words_[word] & ~(bit_of(index) | (bit_of(index) - 1));
  while (rest == 0) {
    if (++word == words_.size()) return std::nullopt;
    rest = words_[word];
  }
  return static_cast<unsigned>(word) * word_bits + static_cast<unsigned>(std::countr_zero(rest));
}

std::vector<unsigned> IndexSet::indices() const {
  std::vector<unsigned> members;
  members.reserve(size());
  for (auto member = first(); member; member = next(*member)) members.push_back(*member);
  return members;
}

IndexSet& IndexSet::operator&=(const IndexSet& other) {
  words_.resize(std::min(words_.size(), other.words_.size()));
  for (std::size_t word = 0; word < words_.size(); ++word) words_[word] &= other.words_[word];
  trim();
  return *this;
}

IndexSet& IndexSet::operator|=(const IndexSet& other) {
  words_.resize(std::max(words_.size(), other.words_.size()));
  for (std::size_t word = 0; word < other.words_.size(); ++word) words_[word] |= other.words_[word];
  return *this;
}

std::string IndexSet::to_string() const {
  std::string out;
  for (auto begin = first(); begin;) {
    unsigned end = *begin;
    auto following = next(end);
    for (; following && *following == end + 1; following = next(end)) ++end;
    if (!out.empty()) out += ',';
    out += end == *begin ? base::text(end) : base::text(*begin, '-', end);
    begin = following;
  }
  return out;
}

std::optional<IndexSet> IndexSet::parse(std::string_view text) {
  IndexSet set;
  std::string_view rest = without_outer_space(text);
  if (rest.empty()) return set;
  do {
    const auto begin = take_number(rest);
    const auto end = begin && take(rest, '-') ? take_number(rest) : begin;
    if (!begin || !end || *end < *begin) return std::nullopt;
    for (unsigned index = *begin; index <= *end; ++index) set.insert(index);
  } while (take(rest, ','));
  if (!rest.empty()) return std::nullopt;
  return set;
}

void IndexSet::trim() noexcept {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

}  // namespace nodewise
