// A loader's options, completed from the environment: code goes before environment, environment before
// default.
#pragma once

#include <nodewise/loader.hpp>

namespace nodewise {

/// Throws InvalidArgument where NODEWISE_BINDING or NODEWISE_PAGES holds a word that means nothing.
Binding chosen_binding(const LoaderOptions& options);
PageKind chosen_pages(const LoaderOptions& options);
PlanOptions plan_options(const LoaderOptions& options);

}  // namespace nodewise
