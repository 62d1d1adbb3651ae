// Reads the part of XML that hwloc writes: tags with quoted attributes, and plain text between them.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace nodewise::os {

struct XmlTag {
  std::string_view name;
  /// Values as they are written.
  std::vector<std::pair<std::string_view, std::string_view>> attributes;
  bool opens = false;
  bool closes = false;  ///< <tag/> both opens and closes.

  std::optional<std::string_view> attribute(std::string_view wanted) const;
};

/// Goes through the tags of a text. The text must outlive the scanner. Declarations and comments are skipped.
class XmlScanner {
 public:
  explicit XmlScanner(std::string_view text) noexcept : text_(text) {}

  /// The next tag. Empty at the end of the text, and where the text is malformed.
  std::optional<XmlTag> next();
  bool malformed() const noexcept { return malformed_; }
  /// The line of what was read last, from 1.
  unsigned line() const noexcept;

 private:
  std::optional<XmlTag> fail() noexcept;
  bool skip_declarations() noexcept;
  void skip_blanks() noexcept;
  bool take(char character) noexcept;
  std::string_view take_name() noexcept;
  bool take_attribute(XmlTag& tag);

  std::string_view text_;
  std::size_t position_ = 0;
  bool malformed_ = false;
};

}  // namespace nodewise::os
