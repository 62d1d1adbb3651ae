// Flags that several subcommands share.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <nodewise/loader.hpp>
#include <nodewise/npy.hpp>

namespace nodewise::tools {

/// Flags whose value is a number, strictly parsed; what is none is wrong usage.
CLI::Option* add_count(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& target,
                       const std::string& description);
CLI::Option* add_size(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& target,
                      const std::string& description);
CLI::Option* add_number(CLI::App& app, const std::string& name, std::optional<double>& target, double least,
                        double most, const std::string& description);
CLI::Option* add_duration(CLI::App& app, const std::string& name,
                          std::optional<std::chrono::nanoseconds>& target, const std::string& description);
CLI::Option* add_dtype(CLI::App& app, std::optional<DType>& target, const std::string& description);

/// --json
CLI::Option* add_json(CLI::App& app, bool& target, const std::string& schema);

/// --topology: an XML file, a synthetic description, or this machine.
struct TopologyFlag {
  std::string text;
};
/// A flag that is not shown in the help, and refused with a reason.
void add_refused(CLI::App& app, const std::string& name, const std::string& reason);
void add_topology_flag(CLI::App& app, TopologyFlag& flag);
/// Throws Failure where the file or description is bad.
Topology load(const TopologyFlag& flag);

/// How to place: what `plan` and `run` have in common.
struct PlacingFlags {
  std::optional<std::uint64_t> batch_size;
  LoaderOptions options;          ///< Without the target nodes.
  std::optional<IndexSet> nodes;  ///< Kernel's numbers.
};
void add_placing_flags(CLI::App& app, PlacingFlags& flags);

/// --scheduling.
void add_scheduling(CLI::App& app, LoaderOptions& options);
/// The options with the target nodes, which only a topology can name. Throws Failure.
LoaderOptions resolve(const PlacingFlags& flags, const Topology& topology);

/// The .npy at `path`, whose elements must be `dtype` if that is given. Throws Failure, FormatError.
NpyFile open_npy(const std::string& path, std::optional<DType> dtype);

}  // namespace nodewise::tools
