/* The C interface of nodewise: includes all of its parts. docs/c.md explains it. */
#ifndef NODEWISE_C_H
#define NODEWISE_C_H

#include <nodewise/c/base.h>
#include <nodewise/c/dlpack.h>
#include <nodewise/c/loader.h>
#include <nodewise/c/manager.h>
#include <nodewise/c/objects.h>
#include <nodewise/c/placement.h>
#include <nodewise/c/plan.h>
#include <nodewise/c/pools.h>
#include <nodewise/c/ring.h>
#include <nodewise/c/segment.h>
#include <nodewise/c/source.h>
#include <nodewise/c/stream.h>
#include <nodewise/c/topology.h>

#endif
