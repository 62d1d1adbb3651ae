#include <nodewise/shared_objects.hpp>

#include <cerrno>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "objects/directory.hpp"
#include "pages/parts.hpp"
#include "segment/owner.hpp"

namespace nodewise {

struct SharedObjects::State {
  explicit State(const std::shared_ptr<SegmentFile>& file) : pages(SegmentFile::pages(file)), store(file) {}
  Pages pages;
  objects::Store store;
};

std::string_view to_string(SharedObjectKind kind) noexcept {
  switch (kind) {
    case SharedObjectKind::value:
      return "value";
    case SharedObjectKind::array:
      return "array";
    case SharedObjectKind::mutex:
      return "mutex";
    case SharedObjectKind::event:
      return "event";
    case SharedObjectKind::barrier:
      return "barrier";
  }
  return {};
}

SharedObjects SharedObjects::create(const std::string& name, const SharedObjectsOptions& options) {
  SegmentHeader header;
  header.kind = SegmentKind::objects;
  header.content_hash = objects::content_hash();
  header.keep = options.keep;
  const auto file = SegmentFile::create({.name = name,
                                         .kind = PageKind::base,
                                         .data_bytes = objects::Store::data_bytes(options.bytes),
                                         .header_bytes = segment_header_bytes(header)});
  auto state = std::make_shared<State>(file);
  file->make_present(state->pages);
  state->store.prepare();
  header.placing_rung = PlacingRung::first_touch;
  file->publish(header);
  return SharedObjects(std::move(state));
}

SharedObjects SharedObjects::opened(std::shared_ptr<SegmentFile> file) {
  const SegmentHeader& header = file->header();
  if (header.kind != SegmentKind::objects)
    throw InvalidArgument(base::text("SharedObjects: segment \"", file->name(), "\" holds a ",
                                     to_string(header.kind), ", not objects"));
  if (header.content_hash != objects::content_hash())
    throw FormatError(base::text("SharedObjects: segment \"", file->name(),
                                 "\" holds objects of another layout: use the build of nodewise, and the C "
                                 "library, that made it"));
  if (header.owner.pid_namespace != this_process().pid_namespace)
    throw SystemError(base::text("SharedObjects: segment \"", file->name(),
                                 "\" was made in another pid namespace, where the owners of its mutexes "
                                 "have other numbers"),
                      ENOTSUP);
  return SharedObjects(std::make_shared<State>(file));
}

SharedObjects SharedObjects::open(const std::string& name, const Patience& patience) {
  return opened(SegmentFile::open(name, Access::read_write, Leftover::collected, SegmentWait(patience)));
}

SharedObjects SharedObjects::open_descriptor(int descriptor) {
  return opened(SegmentFile::open_descriptor(descriptor, Access::read_write));
}

SharedObjects SharedObjects::open_or_create(const std::string& name, const SharedObjectsOptions& options) {
  return open_or_make([&] { return if_there([&] { return open(name); }); },
                      [&] { return create(name, options); });
}

detail::SharedPlace SharedObjects::get(const std::string& name, SharedObjectKind kind,
                                       const detail::SharedType& type, std::uint64_t count,
                                       const void* initial) const {
  if (count == 0)
    throw InvalidArgument(
        base::text("SharedObjects: ", base::quoted(name), " would have no element; 1 or more are possible"));
  return {state_, state_->store.find_or_make(
                      {.name = name, .kind = kind, .type = type, .count = count, .initial = initial})};
}

SharedMutex SharedObjects::mutex(const std::string& name) const {
  return SharedMutex(get(name, SharedObjectKind::mutex, {}, 1));
}

SharedEvent SharedObjects::event(const std::string& name) const {
  return SharedEvent(get(name, SharedObjectKind::event, {}, 1));
}

SharedBarrier SharedObjects::barrier(const std::string& name, unsigned parties) const {
  constexpr unsigned most_parties = 65535;
  if (parties == 0 || parties > most_parties)
    throw InvalidArgument(base::text("SharedObjects: barrier ", base::quoted(name), " of ", parties,
                                     " parties; 1 to ", most_parties, " are possible"));
  return SharedBarrier(get(name, SharedObjectKind::barrier, {}, parties), parties);
}

std::vector<SharedObjectInfo> SharedObjects::list() const {
  return state_->store.list();
}
std::uint64_t SharedObjects::bytes_left() const {
  return state_->store.bytes_left();
}
const std::string& SharedObjects::name() const noexcept {
  return state_->store.file().name();
}
int SharedObjects::descriptor() const noexcept {
  return name().empty() ? state_->store.file().descriptor() : -1;
}
void SharedObjects::remove() const {
  state_->store.file().remove();
}

}  // namespace nodewise
