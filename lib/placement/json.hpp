// What reports of memory have in common, as JSON.
#pragma once

#include <vector>

#include <nodewise/placement.hpp>

#include "base/json_writer.hpp"

namespace nodewise {

/// The members of an object that say where its bytes lie.
void write_bytes(base::JsonWriter& json, const PlacementBytes& bytes);

/// The member "degradations".
void write_degradations(base::JsonWriter& json, const std::vector<Degradation>& degradations);

}  // namespace nodewise
