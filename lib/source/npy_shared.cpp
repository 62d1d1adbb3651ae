// One copy of a file for all processes of a machine.
#include <optional>

#include <nodewise/error.hpp>
#include <nodewise/npy.hpp>

#include "base/text.hpp"
#include "os/os.hpp"
#include "segment/file.hpp"
#include "source/file_source.hpp"

namespace nodewise {
namespace {

SegmentSource source_of(const std::string& path) {
  os::Os& os = os::current();
  const auto real_path = os.real_path(path);
  const auto status = real_path.ok() ? os.path_status(real_path.value) : os::Result<os::FileStatus>{};
  if (!real_path.ok() || !status.ok())
    throw SystemError(base::text("open_or_create: ", path, " cannot be opened"),
                      real_path.ok() ? status.error : real_path.error);
  return source::file_source(real_path.value, status.value);
}

// The segment, if it has this state of the file.
std::optional<Segment> open_current(const std::string& name, const SegmentSource& source,
                                    std::uint64_t batch_size, bool as_bf16, Access access) {
  Segment segment = Segment::open(name, access);
  if (segment.kind() != SegmentKind::dataset || segment.source().path != source.path)
    throw InvalidArgument(base::text("open_or_create: segment \"", name, "\" holds ",
                                     segment.source().path.empty() ? "something else" : segment.source().path,
                                     ", not ", source.path, "; choose another name"));
  if (segment.source() != source) {
    segment.remove();  // of an older state: who has it keeps it
    return std::nullopt;
  }
  if (segment.dataset().batch_size() != batch_size)
    throw InvalidArgument(base::text("open_or_create: segment \"", name, "\" has batches of ",
                                     segment.dataset().batch_size(), " samples, not ", batch_size,
                                     "; ask for as many, or choose another name"));
  if ((segment.dataset().dtype() == DType::bf16) != as_bf16)
    throw InvalidArgument(base::text(
        "open_or_create: segment \"", name, "\" has elements of ", dtype_name(segment.dataset().dtype()),
        as_bf16 ? ", and bf16" : ", and what the file has", " is asked for; choose another name"));
  return segment;
}

LoaderOptions options_for(const std::string& name, const SharedNpyOptions& options) {
  LoaderOptions loader = options.loader;
  loader.segment = SegmentOptions{.name = name, .keep = options.keep};
  return loader;
}

}  // namespace

BatchLoader open_or_create(const std::string& path, const std::string& name, std::uint64_t batch_size,
                           const SharedNpyOptions& options) {
  SegmentSource source;
  const auto open = [&]() -> std::optional<BatchLoader> {
    source = source_of(path);
    const auto segment =
        if_there([&] { return open_current(name, source, batch_size, options.npy.as_bf16, options.access); });
    if (!segment || !*segment) return std::nullopt;
    return BatchLoader::open(**segment, options.loader);
  };
  return open_or_make(
      open, [&] { return load_npy(source.path, batch_size, options_for(name, options), options.npy); });
}

}  // namespace nodewise
