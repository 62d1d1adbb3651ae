#include <nodewise/c/source.h>

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

// The options. Throws InvalidArgument if members are set that the call does not use.
nw_source_options source_options_of(const nw_source_options* options, bool key, bool dtype, bool function,
                                    const char* call) {
  const nw_source_options given = read_options(options, call);
  const bool unused = (!key && given.key != nullptr) || (!dtype && given.dtype != NW_DTYPE_NONE) ||
                      (!function && (given.any_thread != 0 || given.granule_rows != 0));
  if (unused) throw InvalidArgument(base::text(call, ": an option is set that this source does not use"));
  return given;
}

std::string key_of(const nw_source_options& options) {
  return options.key == nullptr ? "" : options.key;
}

// The batch size of a source's dataset says nothing.
Dataset rows_of(const nw_dataset* dataset, const char* call) {
  nw_dataset rows = needed(dataset, call, "dataset");
  rows.batch_size = 1;
  return dataset_of(&rows, call);
}

}  // namespace

nw_error nw_source_open(const char* path, const nw_source_options* options, nw_source* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(path, call, "path");
    const nw_source_options given = source_options_of(options, false, true, false, call);
    SourceOptions chosen;
    if (given.dtype != NW_DTYPE_NONE) chosen.dtype = dtype_of_number(given.dtype, call);
    *out = make_handle<nw_source>(open_source(path, chosen));
  });
}

nw_error nw_source_memory(const void* data, const nw_dataset* dataset, const nw_source_options* options,
                          nw_source* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const Dataset rows = rows_of(dataset, call);
    const nw_source_options given = source_options_of(options, true, false, false, call);
    *out = make_handle<nw_source>(memory_source(data, rows.shape(), rows.dtype(), {.key = key_of(given)}));
  });
}

nw_error nw_source_function(const nw_dataset* dataset,
                            std::int32_t (*fill)(void* user, std::uint64_t start, std::uint64_t stop,
                                                 void* to),
                            void* user, const nw_source_options* options, nw_source* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    needed(fill, call, "fill");
    const Dataset rows = rows_of(dataset, call);
    const nw_source_options given = source_options_of(options, true, false, true, call);
    FunctionSourceOptions chosen;
    chosen.key = key_of(given);
    chosen.calls = flag_of(given.any_thread, call, "any_thread") ? Calls::any_thread : Calls::one_at_a_time;
    chosen.granule_rows = std::max<std::uint64_t>(given.granule_rows, 1);
    const auto write = [fill, user](RowRange range, std::byte* to) {
      const std::int32_t answer = fill(user, range.start, range.stop, to);
      if (answer != 0)
        throw std::runtime_error(base::text("nw_source_function: the function of the caller returned ",
                                            answer, " for the rows ", range.start, " to ", range.stop));
    };
    *out = make_handle<nw_source>(function_source(rows.shape(), rows.dtype(), write, chosen));
  });
}

nw_error nw_source_dataset(nw_source source, nw_dataset* out) {
  return run(__func__, [&](const char* call) {
    const auto from = object(source, call);
    needed(out, call, "out") = {from->shape().samples, from->shape().features, 0, number_of(from->dtype()),
                                0};
  });
}

nw_error nw_source_name(nw_source source, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(source, call)->identity().name);
  });
}

nw_error nw_source_read(nw_source source, nw_range rows, void* to, nw_stop stop) {
  return run(__func__, [&](const char* call) {
    if (rows.start < rows.stop) check_pointer(to, call, "to");
    const Stop token = stop == nullptr ? Stop() : *object(stop, call);
    object(source, call)->read({rows.start, rows.stop}, static_cast<std::byte*>(to), token);
  });
}
