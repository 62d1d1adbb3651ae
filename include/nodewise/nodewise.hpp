// All of nodewise, in the order of a batch's life: read the headers in this order too. Only manager.hpp is
// left out, as a build without LMDB does not have it.
#pragma once

// The words that all other headers use.
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

// Topology: what the machine is.
#include <nodewise/machine.hpp>
#include <nodewise/topology.hpp>

// Plan: what would lie where.
#include <nodewise/plan.hpp>

// Buffer: memory, populated by pinned workers as the plan says.
#include <nodewise/pages.hpp>
#include <nodewise/team.hpp>

#include <nodewise/allowance.hpp>
#include <nodewise/buffer.hpp>
#include <nodewise/stay_pinned.hpp>

// Batches: views that never copy, the loader that hands them out, and streams of them.
#include <nodewise/stream.hpp>
#include <nodewise/view.hpp>

#include <nodewise/buffer_stream.hpp>
#include <nodewise/loader.hpp>

#include <nodewise/load.hpp>

// Means, and the report of where the pages are.
#include <nodewise/means.hpp>
#include <nodewise/placement.hpp>

// Beside this life: arrangements inside a batch, and statistics of features.
#include <nodewise/feature_statistics.hpp>
#include <nodewise/layout.hpp>

// Pools: memory of one node for allocators.
#include <nodewise/node_resource.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>

#include <nodewise/node_pools.hpp>
#include <nodewise/replicated.hpp>

// Between processes.
#include <nodewise/segment.hpp>

#include <nodewise/batch_ring.hpp>
#include <nodewise/shared_objects.hpp>
