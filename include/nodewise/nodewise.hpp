// Includes every public header except manager.hpp, which a build without LMDB does not have. The groups below
// follow a dataset from its source to the report of where it lies; read the headers in this order.
//
// Words that all headers use:
//   node         a NUMA node. The API numbers nodes from 0: this is the logical index. The kernel's own
//                number of a node is called os_index.
//   dataset      a matrix of samples (rows) and features (columns), all elements of one type
//   batch        consecutive rows of a dataset, batch_size of them; the last batch may be shorter
//   plan         the division of a dataset among nodes. Each node owns a shard: consecutive batches, and the
//                pages that hold them. A page in which two shards meet is a cut.
//   placing      mapping memory, telling the kernel on which nodes its pages belong, and populating the pages
//                (writing to them for the first time, which makes the kernel allocate them)
//   degradation  a record of something that the library asked for and the system did not give
//   team         a group of workers: threads that are pinned to CPUs while a call runs
//   view         a pointer to a batch, and its numbers of rows and columns; a view does not own the memory
//   stream       gives batches in runs; a run is some consecutive batches in contiguous memory
//   lease        an object that keeps memory, such as that of a run, mapped and unchanged while it exists
//   segment      memory with a name, which processes share
#pragma once

// Basic types that all other headers use.
#include <nodewise/dataset.hpp>
#include <nodewise/degradation.hpp>
#include <nodewise/dtype.hpp>
#include <nodewise/error.hpp>
#include <nodewise/index_set.hpp>
#include <nodewise/names.hpp>
#include <nodewise/sizes.hpp>
#include <nodewise/text.hpp>
#include <nodewise/version.hpp>

// Source: where a dataset comes from.
#include <nodewise/source.hpp>

#include <nodewise/npy.hpp>

// Topology: a description of the machine.
#include <nodewise/machine.hpp>
#include <nodewise/topology.hpp>

// Plan: which data belongs on which node.
#include <nodewise/plan.hpp>

// Buffer: memory placed as the plan says, and the team that places it.
#include <nodewise/pages.hpp>
#include <nodewise/team.hpp>

#include <nodewise/allowance.hpp>
#include <nodewise/buffer.hpp>
#include <nodewise/stay_pinned.hpp>

// Batches: views, the loader that gives them out, and streams.
#include <nodewise/stream.hpp>
#include <nodewise/view.hpp>

#include <nodewise/buffer_stream.hpp>
#include <nodewise/loader.hpp>

#include <nodewise/load.hpp>

// Means, and the report of where the pages are.
#include <nodewise/means.hpp>
#include <nodewise/placement.hpp>

// The arrangement of elements inside a batch, and statistics of features.
#include <nodewise/feature_statistics.hpp>
#include <nodewise/layout.hpp>

// Pools: memory of one node for allocators.
#include <nodewise/node_resource.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>

#include <nodewise/node_pools.hpp>
#include <nodewise/replicated.hpp>

// Memory and objects that processes share.
#include <nodewise/segment.hpp>

#include <nodewise/batch_ring.hpp>
#include <nodewise/shared_objects.hpp>

// Other libraries: tensors that are handed over without copying them.
#include <nodewise/dlpack.hpp>
