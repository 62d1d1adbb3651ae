#include "parts/json.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace nodewise::tools {

using Parsed = nlohmann::ordered_json;

class Json::Writer {
 public:
  void write(const Json& json) {
    std::visit([this](const auto& value) { put(value); }, json.value_);
  }

  std::string text;

 private:
  void put(std::monostate) { text += "null"; }
  void put(bool truth) { text += truth ? "true" : "false"; }
  void put(std::int64_t number) { text += std::to_string(number); }
  void put(std::uint64_t number) { text += std::to_string(number); }
  void put(double number) {
    if (std::isnan(number)) return put(std::string("NaN"));
    if (std::isinf(number)) return put(std::string(number > 0 ? "Infinity" : "-Infinity"));
    text += fmt::format("{}", number);
  }
  void put(const std::string& string) {
    text += Parsed(string).dump(-1, ' ', false, Parsed::error_handler_t::replace);
  }

  void put(const Array& array) {
    const bool nested = std::any_of(array.begin(), array.end(), [](const Json& item) {
      return std::holds_alternative<Array>(item.value_) || std::holds_alternative<Object>(item.value_);
    });
    put_all('[', array, depth_ <= broken_levels && nested, ']');
  }
  void put(const Object& object) { put_all('{', object, depth_ < broken_levels && !object.empty(), '}'); }
  void put(const Json& item) { write(item); }
  void put(const Member& member) {
    put(member.first);
    text += ": ";
    write(member.second);
  }

  template <class Items>
  void put_all(char open, const Items& items, bool broken, char close) {
    text += open;
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) text += broken ? "," : ", ";
      if (broken) break_line();
      put(items[i]);
    }
    --depth_;
    if (broken) break_line();
    text += close;
  }

  void break_line() { text += '\n' + std::string(2 * depth_, ' '); }

  static constexpr unsigned broken_levels = 2;
  unsigned depth_ = 0;
};

struct JsonReader {
  static Json value(const Parsed& parsed) {
    switch (parsed.type()) {
      case Parsed::value_t::object: {
        Json::Object members;
        for (const auto& [name, member] : parsed.items()) members.emplace_back(name, value(member));
        return Json(std::move(members));
      }
      case Parsed::value_t::array: {
        Json::Array items;
        for (const auto& item : parsed) items.push_back(value(item));
        return Json(std::move(items));
      }
      case Parsed::value_t::string:
        return parsed.get<std::string>();
      case Parsed::value_t::boolean:
        return parsed.get<bool>();
      case Parsed::value_t::number_integer:
        return parsed.get<std::int64_t>();
      case Parsed::value_t::number_unsigned:
        return parsed.get<std::uint64_t>();
      case Parsed::value_t::number_float:
        return parsed.get<double>();
      case Parsed::value_t::null:
      case Parsed::value_t::binary:     // these two stand for
      case Parsed::value_t::discarded:  // nothing in a text
        return nullptr;
    }
    return nullptr;
  }
};

Json Json::parse(std::string_view text) {
  return JsonReader::value(Parsed::parse(text));
}

void Json::add_members_of(const Json& object) {
  for (const Member& member : std::get<Object>(object.value_)) std::get<Object>(value_).push_back(member);
}

void Json::remove(std::string_view name) {
  std::erase_if(std::get<Object>(value_), [name](const Member& member) { return member.first == name; });
}

std::string Json::text() const {
  Writer writer;
  writer.write(*this);
  return std::move(writer.text) + '\n';
}

}  // namespace nodewise::tools
