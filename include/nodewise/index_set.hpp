// A set of small numbers, such as CPUs or nodes. As text it is written as the kernel does: "0-3,8".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/export.hpp>

namespace nodewise {

/// A growable set of non-negative numbers. Thread class: value.
class NODEWISE_PUBLIC IndexSet {
 public:
  IndexSet() = default;
  IndexSet(std::initializer_list<unsigned> indices);

  void insert(unsigned index);
  void erase(unsigned index) noexcept;
  bool contains(unsigned index) const noexcept;
  bool empty() const noexcept;
  unsigned size() const noexcept;
  /// The smallest member, if there is one.
  std::optional<unsigned> first() const noexcept;
  /// The smallest member greater than `index`, if there is one.
  std::optional<unsigned> next(unsigned index) const noexcept;
  /// All members, ascending.
  std::vector<unsigned> indices() const;

  IndexSet& operator&=(const IndexSet& other);
  IndexSet& operator|=(const IndexSet& other);
  friend IndexSet operator&(IndexSet a, const IndexSet& b) { return a &= b; }
  friend IndexSet operator|(IndexSet a, const IndexSet& b) { return a |= b; }
  friend bool operator==(const IndexSet& a, const IndexSet& b) noexcept { return a.words_ == b.words_; }

  /// "0-3,8"; the empty set is "".
  std::string to_string() const;
  /// The inverse of to_string; white space at both ends is allowed. Empty if the text is malformed, or if a
  /// member exceeds 2^20.
  static std::optional<IndexSet> parse(std::string_view text);

 private:
  void trim() noexcept;  // removes zero words at the end, so that equal sets have equal words
  std::vector<std::uint64_t> words_;
};

}  // namespace nodewise
