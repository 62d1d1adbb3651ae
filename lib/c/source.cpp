#include <nodewise/c/source.h>

#include "c/calls.hpp"
#include "c/objects.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

std::string key_of(const char* key) {
  return key == nullptr ? "" : key;
}

// The batch size of a source's dataset says nothing.
Dataset rows_of(const nw_dataset* dataset, const char* call) {
  nw_dataset rows = needed(dataset, call, "dataset");
  rows.batch_size = 1;
  return dataset_of(&rows, call);
}

}  // namespace

nw_error nw_source_open(const char* path, nw_dtype dtype, nw_source* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(path, call, "path");
    SourceOptions options;
    if (dtype != NW_DTYPE_NONE) options.dtype = dtype_of_number(dtype, call);
    *out = make_handle<nw_source>(open_source(path, options));
  });
}

nw_error nw_source_memory(const void* data, const nw_dataset* dataset, const char* key, nw_source* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const Dataset rows = rows_of(dataset, call);
    *out = make_handle<nw_source>(memory_source(data, rows.shape(), rows.dtype(), {.key = key_of(key)}));
  });
}

nw_error nw_source_function(const nw_dataset* dataset,
                            std::int32_t (*fill)(void* user, nw_range rows, void* to), void* user,
                            const char* key, nw_source* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    needed(fill, call, "fill");
    const Dataset rows = rows_of(dataset, call);
    const auto write = [fill, user](RowRange range, std::byte* to) {
      const std::int32_t answer = fill(user, {range.start, range.stop}, to);
      if (answer != 0)
        throw std::runtime_error(base::text("nw_source_function: the function of the caller returned ",
                                            answer, " for the rows ", range.start, " to ", range.stop));
    };
    *out = make_handle<nw_source>(function_source(rows.shape(), rows.dtype(), write, {.key = key_of(key)}));
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
    needed(out, call, "out") = text_of(object(source, call)->identity().name);
  });
}

nw_error nw_source_read(nw_source source, nw_range rows, void* to, nw_stop stop) {
  return run(__func__, [&](const char* call) {
    if (rows.start < rows.stop) check_pointer(to, call, "to");
    const Stop token = stop == nullptr ? Stop() : *object(stop, call);
    object(source, call)->read({rows.start, rows.stop}, static_cast<std::byte*>(to), token);
  });
}
