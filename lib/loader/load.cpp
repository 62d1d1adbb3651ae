#include <nodewise/load.hpp>

#include <utility>
#include <vector>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "layout/arranging.hpp"
#include "loader/filling.hpp"
#include "team/run.hpp"
#include "team/shares.hpp"

namespace nodewise {
namespace {

std::string described(Shape shape, DType dtype) {
  return base::text(shape.samples, " x ", shape.features, ' ', dtype_name(dtype));
}

void check_alike(const char* call, const Source& source, const Dataset& dataset) {
  if (dataset.shape() == source.shape() && dataset.dtype() == source.dtype()) return;
  throw InvalidArgument(base::text(call, ": ", source.identity().name, " holds ",
                                   described(source.shape(), source.dtype()), ", and the memory is for ",
                                   described(dataset.shape(), dataset.dtype())));
}

void read_rows(const Source& source, Buffer& buffer, const Team& team, const Stop& stop) {
  const Dataset& dataset = buffer.plan().dataset();
  const auto rows = rows_by_worker(buffer.plan(), team);
  const JointStop joint(stop);
  run_team(team, [&](unsigned worker, bool) {
    joint.run([&](const Stop& all) {
      for (const base::Range& range : rows[worker]) {
        const RowRange part{range.begin, range.end};
        source.read(part, buffer.address_of(dataset.bytes(part).begin), all);
      }
    });
  });
}

void read_batches(const Source& source, Buffer& buffer, const Team& team, const Stop& stop) {
  const std::uint64_t row_bytes = buffer.plan().dataset().row_bytes();
  const JointStop joint(stop);
  const auto fill = [&](std::byte* at, ByteRange bytes) {
    const RowRange rows{bytes.begin / row_bytes, bytes.end / row_bytes};
    joint.run([&](const Stop& all) { source.read(rows, at, all); });
  };
  fill_arranged(buffer, fill, team);
}

Filling filling_from(const Source& source, const Stop& stop) {
  if (source.has_extents())
    return {.fill = [source](std::byte* at, ByteRange bytes,
                             const Stop& all) { source.read_bytes(bytes, at, all); },
            .after = {}};
  return {.fill = {}, .after = [source, stop](Buffer& buffer, const Team& team) {
            if (is_filled_as_rows(buffer.plan(), buffer.layout()))
              read_rows(source, buffer, team, stop);
            else
              read_batches(source, buffer, team, stop);
          }};
}

LoaderOptions recording(const Source& source, const LoaderOptions& options) {
  LoaderOptions all = options;
  if (all.segment && all.segment->origin == Identity{}) all.segment->origin = source.identity();
  return all;
}

}  // namespace

BatchLoader load(const Source& source, std::uint64_t batch_size, const LoaderOptions& options) {
  return LoaderAccess::filled(source.dataset(batch_size), recording(source, options),
                              filling_from(source, options.stop));
}

BatchLoader load(const Source& source, const Plan& plan, const LoaderOptions& options) {
  check_alike("load", source, plan.dataset());
  return LoaderAccess::filled(plan, recording(source, options), filling_from(source, options.stop));
}

void read_into(const Source& source, BatchLoader& loader, const Stop& stop) {
  check_alike("read_into", source, loader.dataset());
  if (loader.num_batches() == 0) return;
  if (loader.layout() != Layout::rows)
    throw InvalidArgument(base::text("read_into: the loader has its batches in ", to_string(loader.layout()),
                                     "; load the source with LoaderOptions::layout, or convert the loader "
                                     "after it was read in rows"));
  read_rows(source, LoaderAccess::buffer(loader), loader.team(), stop);
}

BatchLoader load_npy(const std::string& path, std::uint64_t batch_size, const LoaderOptions& options,
                     const NpyOptions& npy) {
  return load(npy_source(path, npy), batch_size, options);
}

}  // namespace nodewise
