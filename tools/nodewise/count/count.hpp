// nodewise count: what it was asked for, and what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "count/counted.hpp"

namespace nodewise::tools {

struct CountOptions {
  std::string topology = "4x2";
  std::string kernel = "6.12";
  std::optional<std::uint64_t> node_mib = 256;
  std::optional<std::uint64_t> timeout_seconds = 600;
  std::vector<std::string> writable;
  std::vector<std::string> command;
  std::string output;
  bool skip_boot = false;
  bool json = false;
};

struct CountResult {
  CountOptions options;
  Counted counted;
  int exit_code = 0;  ///< The program's.
};

std::string count_json(const CountResult& result);
std::string count_text(const CountResult& result);

}  // namespace nodewise::tools
