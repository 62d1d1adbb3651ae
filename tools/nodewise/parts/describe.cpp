#include "parts/describe.hpp"

#include <fmt/core.h>

#include <algorithm>

#include <nodewise/sizes.hpp>

#include "command.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {

std::string counted(std::uint64_t count, const std::string& noun) {
  if (count == 1) return "1 " + noun;
  return fmt::format("{} {}{}", count, noun, noun.ends_with("ch") ? "es" : "s");
}

std::string dataset_text(const Plan& plan) {
  std::string text =
      fmt::format("{} x {} of {} ({}) in {} of {}", counted(plan.dataset().shape().samples, "sample"),
                  counted(plan.dataset().shape().features, "feature"), dtype_name(plan.dataset().dtype()),
                  human_bytes(plan.dataset().total_bytes()), counted(plan.num_batches(), "batch"),
                  plan.dataset().batch_size());
  if (plan.dataset().batch_size() > plan.dataset().shape().samples && plan.num_batches() > 0)
    text += ", which is not full: one node gets all data; a smaller --batch-size would divide it";
  return text;
}

std::string machine_text(const Topology& topology) {
  IndexSet nodes;
  IndexSet cpus;
  IndexSet allowed;
  std::uint64_t memory_bytes = 0;
  bool unknown = false;
  for (const Node& node : topology.nodes()) {
    nodes.insert(node.os_index);
    cpus |= node.cpus;
    allowed |= node.allowed_cpus;
    memory_bytes += node.memory_bytes;
    unknown = unknown || node.memory_unknown;
  }
  std::string text = fmt::format("{}: {} ({}), {}", topology.origin(), counted(nodes.size(), "node"),
                                 nodes.to_string(), counted(cpus.size(), "CPU"));
  if (!(cpus == allowed)) text += fmt::format(" ({} allowed)", allowed.size());
  return text + (unknown ? ", memory not stated" : fmt::format(", {} of memory", human_bytes(memory_bytes)));
}

std::string plan_text(const Plan& plan) {
  const std::string weights =
      plan.policy() == Policy::interleaved ? "" : fmt::format(", {} weights", to_string(plan.weights()));
  return fmt::format("{}{}, binding {}, borders on pages of {}", to_string(plan.policy()), weights,
                     to_string(plan.binding()), human_bytes(plan.page_bytes()));
}

std::string cut_text(const Plan& plan) {
  if (plan.policy() == Policy::interleaved) return "nothing: interleaved pages belong to no node";
  if (plan.cut_bytes() == 0) return "nothing: no page is shared by two nodes";
  const double percent =
      100.0 * static_cast<double>(plan.cut_bytes()) / static_cast<double>(plan.dataset().total_bytes());
  std::string text = fmt::format("{} bytes ({:.2g} %) lie on {} shared with a neighbouring node",
                                 plan.cut_bytes(), percent, counted(plan.cuts().size(), "page"));
  const auto remedy = plan.cut_remedy();
  if (!remedy) return text;
  std::vector<std::string> choices;
  if (remedy->smaller_batch_size)
    choices.push_back(fmt::format("--batch-size {}", *remedy->smaller_batch_size));
  if (remedy->larger_batch_size)
    choices.push_back(fmt::format("--batch-size {}", *remedy->larger_batch_size));
  if (remedy->page_bytes) choices.push_back(fmt::format("pages of {}", human_bytes(*remedy->page_bytes)));
  for (std::size_t i = 0; i < choices.size(); ++i) text += (i == 0 ? "; none with " : " or ") + choices[i];
  return text;
}

std::string example_text(const Plan& plan, const std::vector<BatchRun>& runs) {
  const std::uint64_t batch = std::min<std::uint64_t>(7, plan.num_batches() - 1);
  if (plan.policy() == Policy::interleaved)
    return fmt::format("each page of batch {} may lie on any of these nodes", batch);
  const unsigned node = plan.shards()[plan.shard_of(batch)].os_index;
  auto state = BatchRun::State::local;
  for (const BatchRun& run : runs)
    if (run.batches.start <= batch && batch < run.batches.stop) state = run.state;
  switch (state) {
    case BatchRun::State::local:
      return fmt::format("batch {} lies on node {}", batch, node);
    case BatchRun::State::cut:
      return fmt::format("batch {} lies on node {}, except for its bytes on a page of the neighbouring node",
                         batch, node);
    case BatchRun::State::misplaced:
      return fmt::format("batch {} is planned for node {}, but at least part of it lies elsewhere", batch,
                         node);
    case BatchRun::State::absent:
    case BatchRun::State::unknown:
    case BatchRun::State::on_target:
      break;
  }
  return fmt::format("batch {} is planned for node {}; its pages are {}", batch, node, to_string(state));
}

std::string without_call(const std::string& message) {
  const auto name_end = message.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:");
  const bool is_call = !message.empty() && message.front() >= 'A' && message.front() <= 'Z' &&
                       name_end != std::string::npos && name_end > 0 && message[name_end - 1] == ':' &&
                       message[name_end] == ' ';
  return is_call ? message.substr(name_end + 1) : message;
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=+,@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string word = "'";
  for (const char letter : printable(text)) word += letter == '\'' ? "'\\''" : std::string(1, letter);
  return word + '\'';
}

std::uint64_t batch_size_without_cut(const Plan& plan) {
  const auto remedy = plan.cut_remedy();
  if (!remedy) return 0;
  const std::uint64_t smaller = remedy->smaller_batch_size.value_or(0);
  const std::uint64_t larger = remedy->larger_batch_size.value_or(0);
  if (smaller == 0 || larger == 0) return smaller + larger;
  return plan.dataset().batch_size() - smaller < larger - plan.dataset().batch_size() ? smaller : larger;
}

std::string same_arguments(const std::string& subcommand, std::optional<std::uint64_t> batch_size) {
  constexpr std::string_view flag = "--batch-size";
  const auto& words = typed_words();
  std::string text = subcommand;
  for (std::size_t i = 2; i < words.size(); ++i) {
    std::string word = words[i];
    if (batch_size && words[i - 1] == flag) word = std::to_string(*batch_size);
    if (batch_size && word.starts_with(fmt::format("{}=", flag)))
      word = fmt::format("{}={}", flag, *batch_size);
    text += ' ' + shell_word(word);
  }
  return text;
}

std::string next_text(const std::vector<std::pair<std::string, std::string>>& commands) {
  std::string text = "Next\n";
  for (const auto& [command, purpose] : commands)
    text += fmt::format("  {} {}\n      {}\n", shell_word(typed_words().front()), command, purpose);
  return text;
}

}  // namespace nodewise::tools
