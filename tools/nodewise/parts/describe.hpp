// Sentences that several subcommands use.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nodewise/placement.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/topology.hpp>

namespace nodewise::tools {

/// "4 nodes", "1 node".
std::string counted(std::uint64_t count, const std::string& noun);

/// "1797 samples x 64 features of u8 (112.3 KiB) in 57 batches of 32".
std::string dataset_text(const Plan& plan);
/// "this machine: 4 nodes (0-3), 8 CPUs, 1 GiB of memory".
std::string machine_text(const Topology& topology);
/// "blocked, equal weights, binding preferred, borders on pages of 4 KiB".
std::string plan_text(const Plan& plan);
/// What is cut, and the batch or page size that makes it nothing.
std::string cut_text(const Plan& plan);
/// "batch 7 lies on node 0", of an example batch, by what `runs` say of it. Precondition: there is a batch.
std::string example_text(const Plan& plan, const std::vector<BatchRun>& runs);

/// A message of the library without the C++ call it begins with: "Plan: ", "Buffer::allocate: ".
std::string without_call(const std::string& message);

/// A word that a shell reads back as it is.
std::string shell_word(const std::string& text);
/// The batch size that makes every cut zero, the nearer one if there are two; 0: there is none.
std::uint64_t batch_size_without_cut(const Plan& plan);

/// The arguments that the user typed, for another suggestion: those of `subcommand`, with another batch size
/// if one is given.
std::string same_arguments(const std::string& subcommand, std::optional<std::uint64_t> batch_size = {});

/// "Next" and the commands (their arguments), each with what it is for.
std::string next_text(const std::vector<std::pair<std::string, std::string>>& commands);

}  // namespace nodewise::tools
