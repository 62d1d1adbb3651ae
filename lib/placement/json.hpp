// JSON that several reports of memory have in common.
#pragma once

#include <vector>

#include <nodewise/placement.hpp>

#include "base/json_writer.hpp"

namespace nodewise {

/// Writes the members that say where the bytes of an object lie. One that has no meaning under the policy is
/// null.
void write_bytes(base::JsonWriter& json, const PlacementBytes& bytes, Policy policy = Policy::blocked);

/// Writes the member "degradations".
void write_degradations(base::JsonWriter& json, const std::vector<Degradation>& degradations);

}  // namespace nodewise
