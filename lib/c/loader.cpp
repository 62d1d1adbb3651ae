#include <nodewise/c/loader.h>

#include <nodewise/feature_statistics.hpp>
#include <nodewise/load.hpp>

#include "c/calls.hpp"
#include "c/elements.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"
#include "c/strided.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

nw_loader give(BatchLoader loader) {
  return make_handle<nw_loader>(std::move(loader));
}

void check_room(std::uint64_t room, std::uint64_t wanted, const char* call, const char* what) {
  if (room != wanted)
    throw InvalidArgument(
        base::text(call, ": there is room for ", room, " numbers, and there are ", wanted, " ", what));
}

}  // namespace

nw_error nw_loader_make(const nw_dataset* dataset, const nw_loader_options* options, nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = give(BatchLoader(dataset_of(dataset, call), loader_options_of(options, call)));
  });
}

nw_error nw_loader_copy(const void* data, const nw_dataset* dataset, const nw_loader_options* options,
                        nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const Dataset whole = dataset_of(dataset, call);
    if (whole.total_bytes() > 0) check_pointer(data, call, "data");
    *out = give(BatchLoader(data, whole, loader_options_of(options, call)));
  });
}

nw_error nw_loader_copy_strided(const void* data, const nw_dataset* dataset, std::int64_t row_stride,
                                std::int64_t col_stride, const nw_loader_options* options, nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const Dataset whole = dataset_of(dataset, call);
    if (whole.total_bytes() > 0) check_pointer(data, call, "data");
    const LoaderOptions chosen = loader_options_of(options, call);
    const Source source = strided_source(data, whole, row_stride, col_stride);
    *out = give(load(source, whole.batch_size(), chosen));
  });
}

nw_error nw_loader_adopt(void* data, const nw_dataset* dataset, nw_access access,
                         void (*release)(void* user, void* data), void* user,
                         const nw_loader_options* options, nw_loader* out) {
  // From here on the memory is released exactly once, whatever fails.
  bool released = false;
  const auto give_back = [&] {
    if (!std::exchange(released, true) && release != nullptr) release(user, data);
  };
  const nw_error error = run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const Dataset whole = dataset_of(dataset, call);
    if (whole.total_bytes() > 0) check_pointer(data, call, "data");
    const LoaderOptions chosen = adopting_options_of(options, call);
    const Access wanted = access_of(access, call);
    const auto hand = [release, user](auto* memory) {
      if (release != nullptr) release(user, const_cast<void*>(static_cast<const void*>(memory)));
    };
    released = true;  // adopt() releases, also if it throws
    if (wanted == Access::read_write)
      *out = give(BatchLoader::adopt(data, whole, chosen, std::function<void(void*)>(hand)));
    else
      *out = give(BatchLoader::adopt(static_cast<const void*>(data), whole, chosen,
                                     std::function<void(const void*)>(hand)));
  });
  if (error != NW_OK) give_back();
  return error;
}

nw_error nw_loader_load(nw_source source, std::uint64_t batch_size, const nw_loader_options* options,
                        nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = give(load(*object(source, call), batch_size, loader_options_of(options, call)));
  });
}

nw_error nw_loader_load_planned(nw_source source, nw_plan plan, const nw_loader_options* options,
                                nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const LoaderOptions chosen = loader_options_of(options, call);
    const auto division = object(plan, call);
    *out = give(source == nullptr ? BatchLoader(*division, chosen)
                                  : load(*object(source, call), *division, chosen));
  });
}

nw_error nw_loader_open(const char* name, nw_access access, const nw_loader_options* options,
                        nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = give(BatchLoader::open(name, access_of(access, call), loader_options_of(options, call)));
  });
}

nw_error nw_loader_open_or_create(nw_source source, const char* name, std::uint64_t batch_size,
                                  nw_access access, const nw_loader_options* options, nw_loader* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    SharedLoadOptions shared;
    shared.access = access_of(access, call);
    shared.loader = loader_options_of(options, call);
    shared.keep = options != nullptr && read_options(options, call).keep == 1;
    *out = give(open_or_create(*object(source, call), name, batch_size, shared));
  });
}

nw_error nw_loader_dataset(nw_loader loader, nw_dataset* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = number_of(object(loader, call)->dataset());
  });
}

nw_error nw_loader_num_batches(nw_loader loader, std::uint64_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(loader, call)->num_batches(); });
}

nw_error nw_loader_batch(nw_loader loader, std::uint64_t batch, nw_view* out) {
  return run(__func__, [&](const char* call) {
    const auto whole = object(loader, call);
    const AnyBatchView view = whole->get_batch(batch);
    needed(out, call, "out") = view_of(view, view.access());
  });
}

nw_error nw_loader_is_zero_copy(nw_loader loader, std::uint64_t batch, std::int32_t* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = object(loader, call)->is_zero_copy(batch) ? 1 : 0;
  });
}

nw_error nw_loader_write(nw_loader loader, std::uint64_t row, std::uint64_t col, nw_dtype dtype,
                         const void* value) {
  return run(__func__, [&](const char* call) {
    const auto whole = object(loader, call);
    check_pointer(value, call, "value");
    with_element(dtype_of_number(dtype, call), [&]<class T>(T number) {
      std::memcpy(&number, value, sizeof number);
      whole->write_to_buffer(row, col, number);
    });
  });
}

nw_error nw_loader_means(nw_loader loader, double* means, std::uint64_t count) {
  return run(__func__, [&](const char* call) {
    const auto whole = object(loader, call);
    check_room(count, whole->num_batches(), call, "batches");
    if (count > 0) check_pointer(means, call, "means");
    batch_means(whole->buffer(), whole->team(), std::span(means, count));
  });
}

nw_error nw_loader_rounded_means(nw_loader loader, double* means, std::uint64_t count) {
  return run(__func__, [&](const char* call) {
    const auto whole = object(loader, call);
    check_room(count, whole->num_batches(), call, "batches");
    if (count > 0) check_pointer(means, call, "means");
    std::ranges::copy(whole->get_batch_means(), means);
  });
}

nw_error nw_loader_feature_statistics(nw_loader loader, std::uint64_t ddof, double* means, double* variances,
                                      std::uint64_t count) {
  return run(__func__, [&](const char* call) {
    const auto whole = object(loader, call);
    check_room(count, whole->dataset().shape().features, call, "features");
    check_pointer(means, call, "means");
    if (variances == nullptr) {
      std::ranges::copy(feature_means(whole->buffer(), whole->team()), means);
      return;
    }
    const FeatureStatistics found = feature_statistics(whole->buffer(), whole->team(), ddof);
    std::ranges::copy(found.means, means);
    std::ranges::copy(found.variances, variances);
  });
}

nw_error nw_loader_plan(nw_loader loader, nw_plan* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_plan>(Plan(object(loader, call)->plan()));
  });
}

nw_error nw_loader_pages(nw_loader loader, nw_pages* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_pages>(Pages(object(loader, call)->pages()));
  });
}

nw_error nw_pages_range(nw_pages pages, void** data, std::size_t* bytes, nw_access* access) {
  return run(__func__, [&](const char* call) {
    const auto owner = object(pages, call);
    check_pointer(bytes, call, "bytes");
    check_pointer(access, call, "access");
    needed(data, call, "data") = const_cast<std::byte*>(std::as_const(*owner).data());
    *bytes = owner->size_bytes();
    *access = owner->writable() ? NW_READ_WRITE : NW_READ_ONLY;
  });
}

nw_error nw_loader_publish(nw_loader loader) {
  return run(__func__, [&](const char* call) { object(loader, call)->publish(); });
}

nw_error nw_loader_segment(nw_loader loader, nw_segment* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    auto segment = object(loader, call)->segment();
    if (!segment)
      throw InvalidArgument(
          base::text(call, ": the memory of the loader is no segment, or is not published yet"));
    *out = make_handle<nw_segment>(std::move(*segment));
  });
}

nw_error nw_loader_layout(nw_loader loader, nw_layout* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = static_cast<nw_layout>(object(loader, call)->layout());
  });
}
