#include "parts/json.hpp"
#include "parts/system.hpp"
#include "run/run.hpp"

namespace nodewise::tools {
namespace {

Json team_of(const RunResult& result, const std::string& host) {
  Json team = Json::array();
  for (const WorkerReads& reads : result.reads)
    team.push_back({{"host", host},
                    {"rank", 0},
                    {"worker", reads.worker.worker},
                    {"node", reads.worker.node},
                    {"os_index", result.loader->buffer().topology().node(reads.worker.node).os_index},
                    {"cpu", reads.worker.cpu},
                    {"local_bytes", reads.local_bytes},
                    {"remote_bytes", reads.remote_bytes},
                    {"unknown_bytes", reads.unknown_bytes}});
  return team;
}

Json orphans_of(const RunResult& result) {
  const Topology& topology = result.loader->buffer().topology();
  Json orphans = Json::array();
  for (const Orphan& orphan : result.orphans)
    orphans.push_back({{"node", orphan.node},
                       {"os_index", topology.node(orphan.node).os_index},
                       {"read_from_node", orphan.read_from},
                       {"read_from_os_index", topology.node(orphan.read_from).os_index}});
  return orphans;
}

}  // namespace

std::string run_json(const RunResult& result) {
  const Plan& plan = result.loader->plan();
  Json placement = Json::parse(result.placement->to_json());
  placement.remove("schema");  // the run's own schema covers it
  Json run = {{"schema", "nodewise.run/1"},
              {"input",
               {{"path", result.path},
                {"samples", plan.dataset().shape().samples},
                {"features", plan.dataset().shape().features},
                {"dtype", dtype_name(plan.dataset().dtype())}}},
              {"batch_size", plan.dataset().batch_size()},
              {"num_batches", plan.num_batches()},
              {"sum_order", sum_order()},
              {"scheduling", to_string(result.loader->team().scheduling())}};
  if (const auto segment = result.loader->segment())
    run.add("segment", {{"name", segment->name()}, {"path", segment->path()}, {"kept", segment->kept()}});
  if (result.means) run.add("means", result.means->values);
  run.add("placement", std::move(placement));
  run.add("team", team_of(result, host_name()));
  run.add("orphans", orphans_of(result));
  run.add("timing", {{"topology_seconds", result.timing.topology_seconds},
                     {"place_seconds", result.timing.place_seconds},
                     {"means_seconds", result.timing.means_seconds},
                     {"verify_seconds", result.timing.verify_seconds}});
  return run.text();
}

}  // namespace nodewise::tools
