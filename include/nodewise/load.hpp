// Loads a source (source.hpp) into a loader (loader.hpp): memory is placed by a plan, and filled.
// open_or_create() does so once for all processes of a machine.
#pragma once

#include <cstdint>
#include <string>

#include <nodewise/export.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/npy.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/source.hpp>

namespace nodewise {

/// Places memory and reads the whole source into it. If the source has extents (it says where its bytes lie),
/// each piece is read as soon as its pages are populated. But if LoaderOptions::layout puts elements
/// elsewhere than Layout::rows, the source is read batch by batch, once all pages are populated. A source
/// without extents is read in whole rows, once all pages are populated. Each worker reads a part of the data
/// of its node.
///
/// If the memory is a segment, it records the identity of the source, unless SegmentOptions::origin is set.
/// If a read fails, or options.stop is requested, all workers stop, the error is thrown, the memory is freed,
/// and the name of the segment (if the memory is one) is removed. Throws what the constructors of BatchLoader
/// and Source::read throw. Thread class: any thread. Cost: one pass over the data.
NODEWISE_PUBLIC BatchLoader load(const Source& source, std::uint64_t batch_size,
                                 const LoaderOptions& options = {});
/// The same with a saved plan, as in BatchLoader(plan, options). Throws InvalidArgument if the plan is for
/// another shape or element type.
NODEWISE_PUBLIC BatchLoader load(const Source& source, const Plan& plan, const LoaderOptions& options = {});

/// Reads the whole source into an existing loader, by rows. Throws InvalidArgument if shape or element type
/// differ, if the batches of the loader are not in Layout::rows, or if the memory of the loader is read-only.
/// Otherwise throws as Source::read; the loader's elements are then unspecified.
NODEWISE_PUBLIC void read_into(const Source& source, BatchLoader& loader, const Stop& stop = {});

/// Loads a .npy file: load(npy_source(path, npy), ...).
NODEWISE_PUBLIC BatchLoader load_npy(const std::string& path, std::uint64_t batch_size,
                                     const LoaderOptions& options = {}, const NpyOptions& npy = {});

struct SharedLoadOptions {
  /// The access of the processes that open the segment. The process that loads it may always write.
  Access access = Access::read_only;
  /// If true, the segment stays when no process holds it, so that the next run can map it at once.
  bool keep = false;
  LoaderOptions loader = {};  ///< Its member `segment` is ignored.
};

/// Keeps one copy of a source for all processes of this machine, in a segment called `name`. If the segment
/// holds this source in its present state (Identity::state), it is opened. If there is no such segment, or it
/// holds an older state of the source, the source is loaded into a new segment of this name. The old segment
/// then loses its name, but processes that have it open can go on using it. A segment that a killed job left
/// (its maker is dead, no process holds it, and it is not kept) is also replaced. If several processes call
/// this at the same time, one of them loads the source and the others wait; if the loading process dies,
/// another one takes over.
///
/// Throws what load() and BatchLoader::open throw. Throws InvalidArgument if the source has no identity (it
/// is memory or a function, and was given no key), or if the segment holds another source, or has another
/// batch size or layout.
NODEWISE_PUBLIC BatchLoader open_or_create(const Source& source, const std::string& name,
                                           std::uint64_t batch_size, const SharedLoadOptions& options = {});

}  // namespace nodewise
