// One copy of a source for all processes of a machine.
#include <optional>

#include <nodewise/error.hpp>
#include <nodewise/load.hpp>

#include "base/text.hpp"
#include "segment/draft.hpp"
#include "segment/file.hpp"

namespace nodewise {
namespace {

// The segment, if it holds the present state of the source.
std::optional<Segment> open_current(const std::string& name, const Source& source, std::uint64_t batch_size,
                                    const SharedLoadOptions& options) {
  const Identity& identity = source.identity();
  const SegmentWait wait(options.loader.patience, &options.loader.stop);
  Segment segment = SegmentAccess::of(SegmentFile::open(name, options.access, Leftover::collected, wait));
  const std::string& held = segment.origin().name;
  if (segment.kind() != SegmentKind::dataset || held != identity.name)
    throw InvalidArgument(base::text("open_or_create: segment \"", name, "\" holds ",
                                     held.empty() ? "something else" : held, ", not ", identity.name,
                                     "; choose another name"));
  if (segment.origin().state != identity.state) {
    segment.remove();  // it has an older state; processes that hold it keep it
    return std::nullopt;
  }
  if (segment.dataset().batch_size() != batch_size)
    throw InvalidArgument(base::text("open_or_create: segment \"", name, "\" has batches of ",
                                     segment.dataset().batch_size(), " samples, not ", batch_size,
                                     "; ask for that batch size, or choose another name"));
  if (const Layout layout = options.loader.layout; segment.layout() != layout)
    throw InvalidArgument(base::text("open_or_create: segment \"", name, "\" has its batches in ",
                                     to_string(segment.layout()), ", not in ", to_string(layout),
                                     "; ask for that layout, or choose another name"));
  return segment;
}

}  // namespace

BatchLoader open_or_create(const Source& source, const std::string& name, std::uint64_t batch_size,
                           const SharedLoadOptions& options) {
  if (source.identity().state.empty())
    throw InvalidArgument(base::text("open_or_create: ", source.identity().name,
                                     " has no key, so no other process can recognise its data; give the ",
                                     "source a key, or use load"));
  LoaderOptions creating = options.loader;
  creating.segment = SegmentOptions{.name = name, .keep = options.keep};
  const auto open = [&]() -> std::optional<BatchLoader> {
    const auto segment = if_there([&] { return open_current(name, source, batch_size, options); });
    if (!segment || !*segment) return std::nullopt;
    return BatchLoader::open(**segment, options.loader);
  };
  return open_or_make(open, [&] { return load(source, batch_size, creating); });
}

}  // namespace nodewise
