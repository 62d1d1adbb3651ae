// All of nodewise, in the order of a batch's life.
#pragma once

#include <nodewise/batch_ring.hpp>
#include <nodewise/buffer.hpp>
#include <nodewise/dtype.hpp>
#include <nodewise/error.hpp>
#include <nodewise/feature_statistics.hpp>
#include <nodewise/layout.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/means.hpp>
#include <nodewise/node_pools.hpp>
#include <nodewise/node_resource.hpp>
#include <nodewise/npy.hpp>
#include <nodewise/pages.hpp>
#include <nodewise/placement.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/replicated.hpp>
#include <nodewise/resources.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/shared_objects.hpp>
#include <nodewise/team.hpp>
#include <nodewise/topology.hpp>
#include <nodewise/version.hpp>
#include <nodewise/view.hpp>
