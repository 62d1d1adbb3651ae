#include "os/hwloc/xml_check.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <vector>

#include <nodewise/index_set.hpp>

#include "base/text.hpp"
#include "os/hwloc/limits.hpp"
#include "os/hwloc/xml_scanner.hpp"

namespace nodewise::os {
namespace {

constexpr std::array<const char*, 4> set_names{"cpuset", "complete_cpuset", "nodeset", "complete_nodeset"};
enum { cpus, complete_cpus, nodes, complete_nodes };  // positions in Object::sets

struct Object {
  std::string_view type;
  bool placed = false;  // it is a part of the machine with sets, not a device or a remark
  std::array<IndexSet, 4> sets;
  IndexSet cpus_below;  // the complete_cpuset of its children so far
};

// "0xf0,0x00000001": words of 32 bits, the highest one first; an empty word is 0.
std::optional<IndexSet> parse_bitmap(std::string_view text) {
  constexpr unsigned word_bits = 32;
  constexpr unsigned most_words = (1U << 20) / word_bits;
  IndexSet set;
  for (unsigned word = 0; word < most_words; ++word) {
    const auto comma = text.rfind(',');
    auto digits = text.substr(comma == std::string_view::npos ? 0 : comma + 1);
    std::uint32_t bits = 0;
    if (digits.starts_with("0x")) {
      digits.remove_prefix(2);
      const auto end = digits.data() + digits.size();
      const auto parsed = std::from_chars(digits.data(), end, bits, 16);
      if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
    } else if (!digits.empty() || text.empty()) {
      return std::nullopt;
    }
    for (unsigned bit = 0; bit < word_bits; ++bit)
      if ((bits >> bit & 1) != 0) set.insert(word * word_bits + bit);
    if (comma == std::string_view::npos) return set;
    text = text.substr(0, comma);
  }
  return std::nullopt;
}

bool is_subset(const IndexSet& part, const IndexSet& whole) {
  return (part & whole) == part;
}

bool has_place(std::string_view type) {
  return type != "Bridge" && type != "PCIDev" && type != "OSDev" && type != "Misc";
}

// Checks a file in one pass. Each step returns what is wrong, or nothing.
class Check {
 public:
  Check(std::string_view text, unsigned hwloc_major) : scanner_(text), hwloc_major_(hwloc_major) {}

  std::optional<std::string> run() {
    while (const auto tag = scanner_.next())
      if (auto fault = visit(*tag)) return base::text("line ", scanner_.line(), ": ", *fault);
    if (scanner_.malformed()) return base::text("line ", scanner_.line(), ": not XML as hwloc writes it");
    if (!open_.empty()) return base::text("it ends within <", open_.back(), ">");
    if (!seen_root_) return "there is no <topology> with objects";
    if (known_[cpus].empty() || known_[nodes].empty()) return "there is no CPU or no node";
    return std::nullopt;
  }

 private:
  using Fault = std::optional<std::string>;

  Fault visit(const XmlTag& tag) {
    if (tag.opens) {
      if (open_.size() == most_levels)  // hwloc recurses, so deep nesting would exhaust its stack
        return base::text("<", tag.name, "> lies within ", most_levels, " others; no machine is so deep");
      if (auto fault = enter(tag)) return fault;
      open_.push_back(tag.name);
    }
    if (!tag.closes) return std::nullopt;
    if (open_.empty() || open_.back() != tag.name)
      return base::text("</", tag.name, "> closes what is not open");
    open_.pop_back();
    if (tag.name == "object") objects_.pop_back();
    return std::nullopt;
  }

  Fault enter(const XmlTag& tag) {
    for (const auto& [key, value] : tag.attributes)
      if (key.ends_with("set") && !parse_bitmap(value))
        return base::text(key, " \"", value, "\" is not a set");
    if (open_.empty()) return enter_file(tag);
    if (tag.name != "object") return std::nullopt;
    if (open_.back() != "topology" && open_.back() != "object")
      return base::text("an object within <", open_.back(), ">");
    Object object;
    object.type = tag.attribute("type").value_or("");
    object.placed = has_place(object.type);
    Fault fault = object.type.empty() ? Fault("an object without a type") : enter_object(object, tag);
    objects_.push_back(std::move(object));
    return fault;
  }

  Fault enter_file(const XmlTag& tag) {
    if (tag.name != "topology" || finished_) return base::text("<", tag.name, "> is not a topology");
    finished_ = true;
    const auto version = tag.attribute("version").value_or("1");
    if (version.starts_with("1"))
      return "written for hwloc 1; `lstopo -i OLD --of xml NEW` of hwloc 2 turns it into what is needed";
    unsigned major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    if (major > hwloc_major_)
      return base::text("written for hwloc ", major, ", but the one in use is hwloc ", hwloc_major_,
                        "; `lstopo --of xml --export-xml-flags V", hwloc_major_, " FILE` of hwloc ", major,
                        " writes what is needed");
    return std::nullopt;
  }

  Fault enter_object(Object& object, const XmlTag& tag) {
    if (auto fault = check_nesting(object)) return fault;
    if (auto fault = check_identity(tag)) return fault;
    if (!object.placed) {
      for (const char* set : set_names)
        if (tag.attribute(set)) return base::text(object.type, " has a ", set);
      return std::nullopt;
    }
    if (auto fault = read_sets(object, tag)) return fault;
    if (object.type == "PU") return check_number(object, tag, cpus);
    return object.type == "NUMANode" ? check_number(object, tag, nodes) : std::nullopt;
  }

  Fault check_nesting(const Object& object) {
    if (objects_.empty()) {
      if (object.type != "Machine" || seen_root_) return base::text(object.type, " instead of one Machine");
      seen_root_ = true;
      return std::nullopt;
    }
    const Object& parent = objects_.back();
    const bool allowed = object.type != "Machine" && (!object.placed || parent.placed) &&
                         (parent.type != "PU" || !object.placed) &&
                         (parent.type != "NUMANode" || object.type == "Misc");
    return allowed ? std::nullopt : Fault(base::text(object.type, " within ", parent.type));
  }

  // hwloc's own number of an object must be positive and unique.
  Fault check_identity(const XmlTag& tag) {
    const auto written = tag.attribute("gp_index");
    if (!written) return std::nullopt;
    std::uint64_t number = 0;
    std::from_chars(written->data(), written->data() + written->size(), number);
    if (number == 0 || !gp_indices_.insert(number).second)
      return base::text("gp_index ", *written, " is zero or taken");
    return std::nullopt;
  }

  Fault read_sets(Object& object, const XmlTag& tag) {
    for (std::size_t i = 0; i < set_names.size(); ++i) {
      const auto written = tag.attribute(set_names[i]);
      if (!written) return base::text(object.type, " has no ", set_names[i]);
      object.sets[i] = parse_bitmap(*written).value_or(IndexSet());
      if (!objects_.empty() && !is_subset(object.sets[i], objects_.back().sets[i]))
        return base::text(set_names[i], " of ", object.type, " is not within its ", objects_.back().type,
                          "'s");
    }
    if (!is_subset(object.sets[cpus], object.sets[complete_cpus]) ||
        !is_subset(object.sets[nodes], object.sets[complete_nodes]))
      return base::text(object.type, " has more than its complete sets");
    if (objects_.empty() || object.type == "NUMANode" || object.type == "MemCache") return std::nullopt;
    IndexSet& siblings = objects_.back().cpus_below;
    if (!(siblings & object.sets[complete_cpus]).empty())
      return base::text(object.type, " shares CPUs with another object beside it");
    siblings |= object.sets[complete_cpus];
    return std::nullopt;
  }

  // The set of a CPU or node contains only itself, and no CPU or node occurs twice.
  Fault check_number(const Object& object, const XmlTag& tag, std::size_t set) {
    const auto written = IndexSet::parse(tag.attribute("os_index").value_or(""));
    if (!written || written->size() != 1 || *written != object.sets[set] || *written != object.sets[set + 1])
      return base::text("the os_index of ", object.type, " is not its ", set_names[set]);
    if (known_[set].contains(*written->first()))
      return base::text(object.type, ' ', *written->first(), " is there twice");
    known_[set].insert(*written->first());
    const unsigned most = set == cpus ? most_cpus : most_nodes;
    if (++count_[set] > most)
      return base::text("more than ", most, set == cpus ? " CPUs" : " nodes", beyond_linux);
    return std::nullopt;
  }

  XmlScanner scanner_;
  std::vector<std::string_view> open_;
  std::vector<Object> objects_;
  unsigned hwloc_major_;
  std::array<IndexSet, 4> known_;    // CPUs and nodes so far
  std::array<unsigned, 4> count_{};  // how many these are
  std::set<std::uint64_t> gp_indices_;
  bool seen_root_ = false;
  bool finished_ = false;
};

}  // namespace

std::optional<std::string> fault_in_xml(std::string_view text, unsigned hwloc_major) {
  return Check(text, hwloc_major).run();
}

}  // namespace nodewise::os
