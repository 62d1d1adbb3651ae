// JSON as the command prints it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace nodewise::tools {

/// Doubles in the shortest form that reads back equal, NaN and infinities as strings, text that is no UTF-8
/// mended; the outer levels one member a line, lists of numbers on one.
std::string json_text(const nlohmann::ordered_json& document);

}  // namespace nodewise::tools
