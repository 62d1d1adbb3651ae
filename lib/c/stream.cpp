#include <nodewise/c/stream.h>

#include <nodewise/buffer_stream.hpp>
#include <nodewise/means.hpp>

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"

using namespace nodewise;
using namespace nodewise::c;

nw_error nw_stream_of_loader(nw_loader loader, nw_stream* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto whole = object(loader, call);
    *out =
        make_handle<nw_stream>(std::unique_ptr<BatchStream>(std::make_unique<BufferStream>(whole->buffer())));
  });
}

nw_error nw_stream_dataset(nw_stream stream, nw_dataset* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = number_of((*object(stream, call))->dataset());
  });
}

nw_error nw_stream_next(nw_stream stream, nw_lease* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    BatchStream& batches = **object(stream, call);
    auto lease = batches.next();
    *out = lease ? make_handle<nw_lease>(HeldRun{std::move(*lease), batches.layout()}) : nullptr;
  });
}

nw_error nw_stream_rewind(nw_stream stream, std::int32_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = (*object(stream, call))->rewind() ? 1 : 0; });
}

nw_error nw_lease_run(nw_lease lease, nw_run* out) {
  return run(__func__, [&](const char* call) {
    const auto held = object(lease, call);
    nw_run result{};
    result.data = held->lease.data();
    result.batches = {held->lease.batches().start, held->lease.batches().stop};
    const auto node = held->lease.node();
    result.node = node ? static_cast<std::int32_t>(*node) : -1;
    result.layout = static_cast<nw_layout>(held->layout);
    write_result(out, result, call);
  });
}

nw_error nw_team_make(nw_topology topology, const nw_team_options* options, nw_team* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const nw_team_options given = read_options(options, call);
    TeamOptions chosen;
    chosen.workers = given.workers;
    chosen.scheduling = scheduling_of(given.scheduling, call);
    *out = make_handle<nw_team>(Team(*object(topology, call), chosen));
  });
}

nw_error nw_team_num_workers(nw_team team, std::uint32_t* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = static_cast<std::uint32_t>(object(team, call)->workers().size());
  });
}

nw_error nw_stream_means(nw_stream stream, nw_team team, double* means, std::uint64_t count) {
  return run(__func__, [&](const char* call) {
    BatchStream& batches = **object(stream, call);
    if (count != batches.dataset().num_batches())
      throw InvalidArgument(base::text(call, ": there is room for ", count, " means, and the dataset has ",
                                       batches.dataset().num_batches(), " batches"));
    if (count > 0) check_pointer(means, call, "means");
    batch_means(batches, *object(team, call), std::span(means, count));
  });
}
