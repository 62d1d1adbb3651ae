#include "parts/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace nodewise::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string number_text(double number) {
  if (std::isnan(number)) return "\"NaN\"";
  if (std::isinf(number)) return number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  return fmt::format("{}", number);
}

bool holds_containers(const Json& array) {
  return std::any_of(array.begin(), array.end(), [](const Json& item) { return item.is_structured(); });
}

class Writer {
 public:
  void write(const Json& value, unsigned depth) {
    if (value.is_number_float()) {
      text += number_text(value.get<double>());
    } else if (value.is_structured()) {
      write_container(value, depth);
    } else {
      text += value.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
  }

  std::string text;

 private:
  void write_container(const Json& value, unsigned depth) {
    constexpr unsigned broken_levels = 2;
    const bool broken =
        !value.empty() &&
        (value.is_object() ? depth < broken_levels : depth <= broken_levels && holds_containers(value));
    text += value.is_object() ? '{' : '[';
    bool first = true;
    for (auto item = value.begin(); item != value.end(); ++item) {
      if (!first) text += broken ? "," : ", ";
      first = false;
      if (broken) break_line(depth + 1);
      if (value.is_object())
        text += Json(item.key()).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      write(*item, depth + 1);
    }
    if (broken) break_line(depth);
    text += value.is_object() ? '}' : ']';
  }

  void break_line(unsigned depth) { text += '\n' + std::string(2 * depth, ' '); }
};

}  // namespace

std::string json_text(const Json& document) {
  Writer writer;
  writer.write(document, 0);
  return std::move(writer.text) + '\n';
}

}  // namespace nodewise::tools
