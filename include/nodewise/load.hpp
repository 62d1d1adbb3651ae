// From a source to a loader: memory placed by plan and filled on the way, here or once for all processes.
#pragma once

#include <cstdint>
#include <string>

#include <nodewise/export.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/npy.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/source.hpp>

namespace nodewise {

/// Places memory and reads the whole source into it: a source that tells where its bytes lie piece by piece,
/// each when its pages have just been made present, another one by rows once all pages are there, each worker
/// its part of its own shards. A segment records the source's identity, unless its options name another one.
/// When a read fails, or options.stop is requested, all workers stop, the error is thrown, and no memory and
/// no name is left. Throws what the constructors of BatchLoader and Source::read throw. Thread class: any
/// thread. Cost: one pass over the data.
NODEWISE_PUBLIC BatchLoader load(const Source& source, std::uint64_t batch_size,
                                 const LoaderOptions& options = {});
/// The same with a saved plan, replayed as BatchLoader replays it. Throws InvalidArgument where the plan is
/// for another shape or element type.
NODEWISE_PUBLIC BatchLoader load(const Source& source, const Plan& plan, const LoaderOptions& options = {});

/// Reads the whole source into a loader that exists, by rows. Throws InvalidArgument where shape or element
/// type differ, and as Source::read; the loader's elements are then unspecified.
NODEWISE_PUBLIC void read_into(const Source& source, BatchLoader& loader, const Stop& stop = {});

/// load(npy_source(path)): a .npy file in one call.
NODEWISE_PUBLIC BatchLoader load_npy(const std::string& path, std::uint64_t batch_size,
                                     const LoaderOptions& options = {}, const NpyOptions& npy = {});

struct SharedLoadOptions {
  /// The access of a process that opens what another one loaded; the process that loads may write in any
  /// case.
  Access access = Access::read_only;
  /// The segment stays when no process holds it any more, so that the next run maps it at once.
  bool keep = false;
  LoaderOptions loader = {};  ///< Its member `segment` is ignored.
};

/// One copy for all processes of this machine: the segment `name`, if it holds this source in this state
/// (Identity), else the source is loaded into it. Of processes that call this together exactly one loads; the
/// others wait, and one of them takes over if it dies. A segment of an older state loses its name, and stays
/// mapped in the processes that hold it. Throws what load and BatchLoader::open throw, and InvalidArgument
/// where the source has no identity (a function or memory without a key), or the segment holds another source
/// or batches of another size.
NODEWISE_PUBLIC BatchLoader open_or_create(const Source& source, const std::string& name,
                                           std::uint64_t batch_size, const SharedLoadOptions& options = {});

}  // namespace nodewise
