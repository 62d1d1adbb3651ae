#include "objects/directory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/mark.hpp"
#include "base/read_once.hpp"
#include "base/text.hpp"
#include "objects/value.hpp"

namespace nodewise::objects {
namespace {

constexpr std::uint64_t first_object = base::round_up(sizeof(Directory), 4096);
constexpr auto last_kind = SharedObjectKind::barrier;

// Text that another process wrote; its terminating zero may be missing.
template <std::size_t size>
std::string_view text_of(const char (&text)[size]) noexcept {
  return {text, ::strnlen(text, size)};
}

std::uint64_t hash_of(const detail::SharedType& type) {
  return base::fnv1a(base::text(type.name, ' ', type.bytes, ' ', type.alignment));
}

// "array of 10 i32", for messages.
std::string described(SharedObjectKind kind, std::string_view type, std::uint64_t element_bytes,
                      std::uint64_t count) {
  const auto typed = base::text(type, " (", element_bytes, element_bytes == 1 ? " byte)" : " bytes)");
  switch (kind) {
    case SharedObjectKind::value:
      return base::text("a value of ", typed);
    case SharedObjectKind::array:
      return base::text("an array of ", count, " ", typed);
    case SharedObjectKind::mutex:
      return "a mutex";
    case SharedObjectKind::event:
      return "an event";
    case SharedObjectKind::barrier:
      return base::text("a barrier of ", count, count == 1 ? " party" : " parties");
  }
  return "something unknown";
}

std::string described(const Request& request) {
  return described(request.kind, request.type.name, request.type.bytes, request.count);
}

std::string described(const Entry& entry) {
  return described(static_cast<SharedObjectKind>(entry.kind), text_of(entry.type), entry.element_bytes,
                   entry.count);
}

bool matches(const Entry& entry, const Request& request) {
  return entry.kind == static_cast<std::uint32_t>(request.kind) && entry.type_hash == hash_of(request.type) &&
         entry.element_bytes == request.type.bytes && entry.count == request.count;
}

// The bytes of an object, rounded up so that the next object has its own cache lines.
std::optional<std::uint64_t> object_bytes(SharedObjectKind kind, std::uint64_t element_bytes,
                                          std::uint64_t count) {
  if (kind == SharedObjectKind::array) {
    const auto bytes = base::checked_mul(element_bytes, count);
    if (!bytes || *bytes > std::numeric_limits<std::uint64_t>::max() - line) return std::nullopt;
    return base::round_up(*bytes, line);
  }
  if (kind == SharedObjectKind::value) return value_bytes(element_bytes);
  return base::round_up(kind == SharedObjectKind::mutex ? sizeof(MutexCell) : sizeof(BarrierCell), line);
}

void check_name(const std::string& name) {
  if (name.empty() || name.size() >= name_bytes || name.find('\0') != std::string::npos)
    throw InvalidArgument(base::text("SharedObjects: ", base::quoted(name), " is no name of an object: 1 to ",
                                     name_bytes - 1, " bytes, none of them zero"));
}

// Zeroed memory is an array, and an event that is not set.
int initialise(std::byte* object, const Request& request) {
  switch (request.kind) {
    case SharedObjectKind::value:
      return make_value(object, request.initial, request.type.bytes);
    case SharedObjectKind::mutex:
      return reinterpret_cast<MutexCell*>(object)->mutex.make();
    case SharedObjectKind::barrier:
      reinterpret_cast<BarrierCell*>(object)->word.store(fresh_barrier, std::memory_order_relaxed);
      return 0;
    case SharedObjectKind::array:
    case SharedObjectKind::event:
      return 0;
  }
  return EINVAL;
}

struct Making {
  explicit Making(os::RobustMutex& of) : mutex(of) { lock_for_writing(mutex, "SharedObjects"); }
  ~Making() { mutex.unlock(); }
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;
  os::RobustMutex& mutex;
};

}  // namespace

void lock_for_writing(os::RobustMutex& mutex, const char* what) {
  const int error = mutex.lock();
  if (error == EOWNERDEAD)
    mutex.make_consistent();
  else if (error != 0)
    throw SystemError(base::text(what, ": locking it for writing"), error);
}

Store::Store(std::shared_ptr<SegmentFile> file)
    : file_(std::move(file)), directory_(reinterpret_cast<Directory*>(file_->data())) {
  if (file_->data_bytes() < first_object) refuse(base::text(file_->data_bytes(), " bytes hold no directory"));
}

std::uint64_t Store::data_bytes(std::uint64_t object_bytes) {
  const auto rounded = base::checked_add(object_bytes, line);
  const auto bytes = rounded ? base::checked_add(base::round_up(object_bytes, line), first_object) : rounded;
  if (object_bytes == 0 || !bytes)
    throw InvalidArgument(
        base::text("SharedObjects: a segment for ", object_bytes, " bytes of objects is not possible"));
  return *bytes;
}

void Store::prepare() {
  if (const int error = directory_->control.mutex.make())
    throw SystemError("SharedObjects: a robust mutex between processes", error);
}

void Store::refuse(const std::string& fault) const {
  throw FormatError(base::text("SharedObjects: the directory of segment \"", file_->name(),
                               "\" is damaged: ", fault, "; remove the segment and make it again"));
}

// After this load, everything that the maker wrote before its store is visible.
std::uint32_t Store::published() const {
  const auto count = directory_->control.published.load(std::memory_order_acquire);
  if (count > most_objects) refuse(base::text(count, " objects, of ", most_objects));
  return count;
}

// A peer may write here, though an entry that is published never changes: so everything that is checked or
// used of an entry is this one copy of it.
Entry Store::entry(std::uint32_t index) const {
  return base::read_once(directory_->entries[index]);
}

std::optional<Entry> Store::find(const std::string& name, std::uint32_t first, std::uint32_t end) const {
  const auto is_named = [&](const Entry& entry) { return text_of(entry.name) == name; };
  const Entry* const entries = directory_->entries;
  const Entry* const found = std::find_if(entries + first, entries + end, is_named);
  if (found == entries + end) return std::nullopt;
  const Entry copy = entry(static_cast<std::uint32_t>(found - entries));
  if (!is_named(copy)) refuse(base::text("the name ", base::quoted(name), " changed while it was read"));
  return copy;
}

// Whatever another process wrote there, addresses must stay inside the segment. So the entry must be a copy.
void Store::check_place(const Entry& entry) const {
  const auto name = base::quoted(text_of(entry.name));
  if (entry.kind > static_cast<std::uint32_t>(last_kind))
    refuse(base::text(name, " is of kind ", entry.kind));
  const auto needed =
      object_bytes(static_cast<SharedObjectKind>(entry.kind), entry.element_bytes, entry.count);
  const bool inside = entry.offset >= first_object && entry.offset % line == 0 &&
                      entry.offset <= file_->data_bytes() &&
                      entry.bytes <= file_->data_bytes() - entry.offset;
  if (!inside || !needed || entry.bytes != *needed)
    refuse(base::text(name, " has ", entry.bytes, " bytes at ", entry.offset, " of ", file_->data_bytes()));
}

std::byte* Store::place_of(const Entry& entry, const Request& request) const {
  if (!matches(entry, request))
    throw InvalidArgument(base::text("SharedObjects: ", base::quoted(request.name), " is ", described(entry),
                                     ", not ", described(request)));
  check_place(entry);
  return file_->data() + entry.offset;
}

std::uint64_t Store::end_of_objects(std::uint32_t count) const {
  if (count == 0) return first_object;
  const Entry last = entry(count - 1);
  check_place(last);
  return last.offset + last.bytes;
}

// If the object exists, this waits for no other process.
std::byte* Store::find_or_make(const Request& request) {
  check_name(request.name);
  const std::uint32_t seen = published();
  if (const auto entry = find(request.name, 0, seen)) return place_of(*entry, request);
  const Making making(directory_->control.mutex);
  const std::uint32_t count = published();
  if (const auto entry = find(request.name, std::min(seen, count), count)) return place_of(*entry, request);
  return make(request, count);
}

std::byte* Store::make(const Request& request, std::uint32_t index) {
  const std::uint64_t begin = end_of_objects(index);
  const std::uint64_t left = file_->data_bytes() - begin;
  const auto bytes = object_bytes(request.kind, request.type.bytes, request.count);
  const auto what = base::text("SharedObjects: ", base::quoted(request.name), ", ", described(request), ", ");
  if (index == most_objects)
    throw OutOfMemory(base::text(what, "has no room: segment \"", file_->name(), "\" holds ", index,
                                 " objects, which is the most"));
  if (!bytes || *bytes > left)
    throw OutOfMemory(base::text(what, "needs ", bytes ? base::text(*bytes) : "more than 2^64", " bytes; ",
                                 left, " are left in segment \"", file_->name(),
                                 "\": make it with more (SharedObjectsOptions::bytes)"));
  std::byte* const object = file_->data() + begin;
  std::memset(object, 0, *bytes);  // a maker that died may have left bytes here
  if (const int error = initialise(object, request))
    throw SystemError(base::text(what, "a robust mutex between processes"), error);
  Entry& entry = directory_->entries[index];
  entry = Entry{};
  request.name.copy(entry.name, name_bytes - 1);
  request.type.name.copy(entry.type, type_bytes - 1);
  entry.type_hash = hash_of(request.type);
  entry.element_bytes = request.type.bytes;
  entry.count = request.count;
  entry.offset = begin;
  entry.bytes = *bytes;
  entry.kind = static_cast<std::uint32_t>(request.kind);
  base::pass(base::Mark::object_made);
  directory_->control.published.store(index + 1, std::memory_order_release);
  base::pass(base::Mark::object_listed);
  return object;
}

std::vector<SharedObjectInfo> Store::list() const {
  std::vector<SharedObjectInfo> objects;
  const std::uint32_t count = published();
  for (std::uint32_t i = 0; i < count; ++i) {
    const Entry entry = this->entry(i);
    check_place(entry);
    objects.push_back({.name = std::string(text_of(entry.name)),
                       .kind = static_cast<SharedObjectKind>(entry.kind),
                       .type = std::string(text_of(entry.type)),
                       .element_bytes = entry.element_bytes,
                       .count = entry.count,
                       .bytes = entry.bytes});
  }
  return objects;
}

std::uint64_t Store::bytes_left() const {
  return file_->data_bytes() - end_of_objects(published());
}

}  // namespace nodewise::objects
