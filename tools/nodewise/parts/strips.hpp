// The picture: a strip for each node, its batches along it.
#pragma once

#include <string>
#include <vector>

#include <nodewise/placement.hpp>
#include <nodewise/plan.hpp>

#include "parts/terminal.hpp"

namespace nodewise::tools {

/// What a plan promises of each batch: local, or cut where a part of it lies on a neighbour's page.
std::vector<BatchRun> planned_runs(const Plan& plan);

/// One line for each shard and a legend. `runs` say something about every batch, ascending.
std::string draw_strips(const Plan& plan, const std::vector<BatchRun>& runs, const Screen& screen);

/// Rows of equal length in aligned columns, two spaces apart; `alignment` has 'l' or 'r' for each column.
std::string draw_table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment);

}  // namespace nodewise::tools
