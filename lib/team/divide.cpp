#include <algorithm>

#include <nodewise/error.hpp>
#include <nodewise/team.hpp>

#include "base/text.hpp"

namespace nodewise {
namespace {

// The workers of one CPU; they stay together.
using CpuWorkers = std::vector<Worker>;

std::vector<CpuWorkers> group_by_cpu(std::span<const Worker> workers) {
  std::vector<CpuWorkers> groups;
  for (const Worker& worker : workers) {
    const auto same_cpu = [&](const CpuWorkers& group) { return group.front().cpu == worker.cpu; };
    const auto group = std::find_if(groups.begin(), groups.end(), same_cpu);
    if (group == groups.end())
      groups.push_back({worker});
    else
      group->push_back(worker);
  }
  return groups;
}

void check_weights(const std::vector<unsigned>& weights, std::size_t cpus) {
  if (weights.empty()) throw InvalidArgument("Team::divide: there are no weights; give one for each part");
  for (std::size_t part = 0; part < weights.size(); ++part)
    if (weights[part] == 0)
      throw InvalidArgument(base::text("Team::divide: the weight of part ", part,
                                       " is 0, and every part has workers; leave that part out"));
  if (weights.size() > cpus)
    throw InvalidArgument(base::text("Team::divide: ", weights.size(), " parts of a team whose workers have ",
                                     cpus, " CPUs; every part needs one of its own"));
}

// The number of CPUs of each part. Each part gets one. Every further CPU goes to the part with the largest
// quotient of weight and CPUs: this is the method of D'Hondt (1878).
std::vector<std::uint64_t> apportion(const std::vector<unsigned>& weights, std::size_t cpus) {
  std::vector<std::uint64_t> counts(weights.size(), 1);
  for (std::size_t left = cpus - counts.size(); left > 0; --left) {
    std::size_t best = 0;
    for (std::size_t part = 1; part < counts.size(); ++part)
      if (weights[part] * (counts[best] + 1) > weights[best] * (counts[part] + 1)) best = part;
    ++counts[best];
  }
  return counts;
}

// Which part gets the next CPU, after `dealt` of `all` CPUs: the part that is furthest behind its share so
// far. (It is never a part that has all its CPUs.) So the CPUs of a node, which are consecutive, are divided
// in the same proportion as all CPUs.
std::size_t next_part(const std::vector<std::uint64_t>& counts, const std::vector<std::uint64_t>& given,
                      std::uint64_t dealt, std::uint64_t all) {
  const auto behind = [&](std::size_t part) {
    return static_cast<std::int64_t>(counts[part] * (dealt + 1)) -
           static_cast<std::int64_t>(given[part] * all);
  };
  std::size_t best = 0;
  for (std::size_t part = 1; part < counts.size(); ++part)
    if (behind(part) > behind(best)) best = part;
  return best;
}

}  // namespace

std::vector<Team> Team::divide(const std::vector<unsigned>& weights) const {
  const std::vector<CpuWorkers> cpus = group_by_cpu(workers_);
  check_weights(weights, cpus.size());
  const std::vector<std::uint64_t> counts = apportion(weights, cpus.size());
  std::vector<std::uint64_t> given(counts.size());
  std::vector<std::vector<Worker>> workers(counts.size());
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    const std::size_t part = next_part(counts, given, i, cpus.size());
    ++given[part];
    workers[part].insert(workers[part].end(), cpus[i].begin(), cpus[i].end());
  }
  std::vector<Team> teams;
  for (auto& of_part : workers) teams.push_back(Team(*this, std::move(of_part)));
  return teams;
}

std::vector<Team> Team::divide_by_node() const {
  std::vector<Team> teams;
  for (auto begin = workers_.begin(); begin != workers_.end();) {
    const auto end = std::find_if(begin, workers_.end(),
                                  [begin](const Worker& worker) { return worker.node != begin->node; });
    teams.push_back(Team(*this, {begin, end}));
    begin = end;
  }
  return teams;
}

}  // namespace nodewise
