// The command line as data: what each flag is called, what it takes, where that goes. The parser behind it
// is command_line.cpp's alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nodewise/loader.hpp>
#include <nodewise/source.hpp>

namespace nodewise::tools {

/// Takes a flag's text; what is wrong with it, or nothing.
using Take = std::function<std::optional<std::string>(const std::string& text)>;

/// A flag, or an argument if its name has no dashes. What it sets must outlive the parsing.
struct Flag {
  std::string name;
  std::string help;
  /// A bool: a flag without a value. A list: all words that follow.
  std::variant<bool*, std::string*, std::optional<std::string>*, std::vector<std::string>*, Take> target;
  std::string type = {};                  ///< How the help names its value: "N".
  std::vector<std::string> choices = {};  ///< The values there are; empty: any.
  bool required = false;
  bool hidden = false;                     ///< From the help.
  std::string needs = {};                  ///< A flag before it, without which it means nothing.
  std::vector<std::string> excludes = {};  ///< Flags before it that it cannot stand beside.
};
using Flags = std::vector<Flag>;

/// Flags whose value is a number, strictly parsed; what is none is wrong usage.
Flag count_flag(std::string name, std::optional<std::uint64_t>& target, std::string help);
Flag size_flag(std::string name, std::optional<std::uint64_t>& target, std::string help);
Flag number_flag(std::string name, std::optional<double>& target, double least, double most,
                 std::string help);
Flag duration_flag(std::string name, std::optional<std::chrono::duration<double>>& target, std::string help);
Flag dtype_flag(std::optional<DType>& target, std::string help);
/// "f64, f32, ...": every element type.
std::string dtype_names();

/// --json
Flag json_flag(bool& target, const std::string& schema);
/// A flag that is not shown in the help, and refused with a reason.
Flag refused_flag(std::string name, std::string reason);

/// --topology: an XML file, a synthetic description, or this machine.
struct TopologyFlag {
  std::string text;
};
Flag topology_flag(TopologyFlag& target);
/// Throws Failure where the file or description is bad.
Topology load(const TopologyFlag& flag);

/// How to place: what `plan` and `run` have in common.
struct PlacingFlags {
  std::optional<std::uint64_t> batch_size;
  LoaderOptions options;          ///< Without the target nodes.
  std::optional<IndexSet> nodes;  ///< Kernel's numbers.
};
Flags placing_flags(PlacingFlags& target);
/// --scheduling.
Flag scheduling_flag(LoaderOptions& options);
/// The options with the target nodes, which only a topology can name. Throws Failure.
LoaderOptions resolve(const PlacingFlags& flags, const Topology& topology);

/// Several lists of flags as one, in order.
Flags join(std::initializer_list<Flags> lists);

/// The dataset in the file at `path`, its elements read as `dtype` if that is given. Throws Failure,
/// FormatError, InvalidArgument.
Source open_data(const std::string& path, std::optional<DType> dtype);

}  // namespace nodewise::tools
