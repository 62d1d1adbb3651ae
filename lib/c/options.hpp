// Options of C, as the options of C++.
#pragma once

#include <nodewise/c/loader.h>
#include <nodewise/loader.hpp>

namespace nodewise::c {

/// Each throws InvalidArgument if a member has a value without a meaning; `call` is for the message.
PlanOptions plan_options_of(const nw_plan_options* options, const char* call);
LoaderOptions loader_options_of(const nw_loader_options* options, const char* call);
/// The options of a call that uses memory where it is. Throws InvalidArgument also if they ask for a segment.
LoaderOptions adopting_options_of(const nw_loader_options* options, const char* call);
/// The layout of the loader's options; see nw_layout.
Layout layout_of(nw_layout layout, const char* call);
Access access_of(nw_access access, const char* call);
/// Empty: NW_PAGES_DEFAULT.
std::optional<PageKind> pages_of(nw_page_kind pages, const char* call);
Scheduling scheduling_of(nw_scheduling scheduling, const char* call);
/// A flag of C, which is 0 or 1; `what` names it.
bool flag_of(std::int32_t number, const char* call, const char* what);
/// Throws InvalidArgument if a reserved member of options is not 0.
void check_reserved(std::int32_t number, const char* call);

}  // namespace nodewise::c
