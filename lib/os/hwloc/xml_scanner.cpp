#include "os/hwloc/xml_scanner.hpp"

#include <algorithm>

namespace nodewise::os {

std::optional<std::string_view> XmlTag::attribute(std::string_view wanted) const {
  for (const auto& [key, value] : attributes)
    if (key == wanted) return value;
  return std::nullopt;
}

std::optional<XmlTag> XmlScanner::next() {
  position_ = std::min(text_.find('<', position_), text_.size());
  if (!skip_declarations()) return fail();
  if (position_ == text_.size()) return std::nullopt;
  XmlTag tag;
  take('<');
  tag.closes = take('/');
  tag.opens = !tag.closes;
  tag.name = take_name();
  if (tag.name.empty()) return fail();
  for (skip_blanks(); position_ < text_.size() && text_[position_] != '>' && text_[position_] != '/';)
    if (tag.closes || !take_attribute(tag)) return fail();
  if (!tag.closes) tag.closes = take('/');
  if (!take('>')) return fail();
  return tag;
}

unsigned XmlScanner::line() const noexcept {
  const auto read = text_.substr(0, position_);
  return static_cast<unsigned>(1 + std::count(read.begin(), read.end(), '\n'));
}

std::optional<XmlTag> XmlScanner::fail() noexcept {
  malformed_ = true;
  return std::nullopt;
}

// Goes to the next '<' of a tag. Returns false if a declaration or comment has no end.
bool XmlScanner::skip_declarations() noexcept {
  while (position_ < text_.size()) {
    const auto rest = text_.substr(position_);
    const std::string_view end = rest.starts_with("<!--")                           ? "-->"
                                 : rest.starts_with("<?") || rest.starts_with("<!") ? ">"
                                                                                    : "";
    if (end.empty()) return true;
    const auto found = text_.find(end, position_);
    if (found == std::string_view::npos) return false;
    position_ = std::min(text_.find('<', found), text_.size());
  }
  return true;
}

void XmlScanner::skip_blanks() noexcept {
  position_ = std::min(text_.find_first_not_of(" \t\r\n", position_), text_.size());
}

bool XmlScanner::take(char character) noexcept {
  if (position_ >= text_.size() || text_[position_] != character) return false;
  ++position_;
  return true;
}

std::string_view XmlScanner::take_name() noexcept {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:";
  const auto end = std::min(text_.find_first_not_of(letters, position_), text_.size());
  const auto name = text_.substr(position_, end - position_);
  position_ = end;
  return name;
}

// Takes name="value", which a blank or the end of the tag must follow.
bool XmlScanner::take_attribute(XmlTag& tag) {
  const auto name = take_name();
  if (name.empty() || !take('=') || !take('"')) return false;
  const auto end = text_.find_first_of("\"<", position_);
  if (end == std::string_view::npos || text_[end] != '"' || tag.attribute(name)) return false;
  tag.attributes.emplace_back(name, text_.substr(position_, end - position_));
  position_ = end + 1;
  const auto before = position_;
  skip_blanks();
  return position_ > before ||
         (position_ < text_.size() && (text_[position_] == '>' || text_[position_] == '/'));
}

}  // namespace nodewise::os
