// JSON that several reports of memory have in common.
#pragma once

#include <vector>

#include <nodewise/placement.hpp>

#include "base/json_writer.hpp"

namespace nodewise {

/// Writes the members that say where the bytes of an object lie.
void write_bytes(base::JsonWriter& json, const PlacementBytes& bytes);

/// Writes the member "degradations".
void write_degradations(base::JsonWriter& json, const std::vector<Degradation>& degradations);

}  // namespace nodewise
