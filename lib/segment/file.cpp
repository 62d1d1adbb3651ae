#include "segment/file.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/mark.hpp"
#include "base/text.hpp"
#include "os/byte_lock.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"
#include "pages/huge_pages.hpp"
#include "pages/parts.hpp"
#include "segment/names.hpp"

namespace nodewise {
namespace {

// Of this user: another folder may take it.
bool is_refusal(int error) {
  return error == EACCES || error == EPERM || error == EROFS || error == EOVERFLOW;
}

}  // namespace

std::string SegmentFile::what() const {
  return name_.empty() ? "the memfd" : base::text('"', name_, "\" (", path_, ')');
}

void SegmentFile::fail(const std::string& call, int error) const {
  throw SystemError(base::text("Segment: ", what(), ": ", call), error);
}

SegmentOwner SegmentFile::this_process() {
  os::Os& os = os::current();
  const auto pid = static_cast<std::uint32_t>(os.process_id());
  return {.pid = pid,
          .uid = os.user_id(),
          .start_ticks = os::process_start_ticks(pid).value_or(0),
          .pid_namespace = os.path_status("/proc/self/ns/pid").value.inode};
}

void SegmentFile::choose_pages(const SegmentRequest& request) {
  const std::size_t base_page_bytes = os::current().base_page_bytes();
  kind_ = PageKind::base;
  page_bytes_ = alignment_ = base_page_bytes;
  if (request.kind == PageKind::hugetlb) {
    kind_ = PageKind::hugetlb;
    page_bytes_ = request.hugetlb_page_bytes != 0 ? request.hugetlb_page_bytes : default_hugetlb_page_bytes();
    if (page_bytes_ == 0)
      throw SystemError("Segment: this kernel has no hugetlb pages; ask for other ones", ENOSYS);
  } else if (request.kind != PageKind::base) {
    const TransparentPages huge = shared_transparent_pages();
    if (huge.allowed && request.data_bytes >= huge.page_bytes) {
      kind_ = PageKind::transparent;
      alignment_ = huge.page_bytes;
    }
  }
  const std::size_t unit = std::max(page_bytes_, alignment_);
  data_offset_ = base::round_up(request.header_bytes, unit);
  data_bytes_ = base::round_up(request.data_bytes, page_bytes_);
  if (data_bytes_ < request.data_bytes || !base::checked_add(data_offset_, data_bytes_))
    throw InvalidArgument(base::text("Segment: ", request.data_bytes, " bytes exceed the address space"));
}

std::vector<std::string> SegmentFile::possible_folders() const {
  if (kind_ != PageKind::hugetlb) return {memory_folder};
  auto folders = huge_page_folders(page_bytes_);
  if (folders.empty())
    throw PlacementError(base::text(
        "Segment: \"", name_, "\" is to be of pages of ", base::human_bytes(page_bytes_),
        ", and no hugetlbfs of them is mounted; mount -t hugetlbfs -o pagesize=", page_bytes_ >> 10,
        "K none FOLDER, or make a segment without a name"));
  // A full one is the last resort.
  std::stable_partition(folders.begin(), folders.end(),
                        [&](const std::string& folder) { return has_room(os::current().space(folder)); });
  return folders;
}

// The first one that this user may write to.
void SegmentFile::create_in(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    path_ = segment_path(folder, name_);
    const auto space = os::current().space(folder);
    if (!space.ok()) fail(folder, space.error);
    if (space.value.kind == os::FileSystem::other)
      throw SystemError(
          base::text("Segment: ", folder, " is no file system in memory; mount -t tmpfs tmpfs ", folder),
          ENODEV);
    Step step = Step::again;
    while (step == Step::again) step = create_named(&folder != &folders.back());
    if (step == Step::done) return;
  }
}

bool SegmentFile::has_room(const os::Result<os::Space>& space) const {
  return !space.ok() || space.value.total_bytes == 0 || space.value.free_bytes >= data_offset_ + data_bytes_;
}

// Better refused now than found out half way; that it is enough is known when the pages are there.
void SegmentFile::check_space() const {
  const std::string folder = path_.substr(0, path_.rfind('/'));
  const auto space = os::current().space(folder);
  const std::uint64_t needed = data_offset_ + data_bytes_;
  if (has_room(space)) return;
  throw PlacementError(base::text("Segment: ", what(), " needs ", base::human_bytes(needed), " (", needed,
                                  " bytes), and ", folder, " has ", base::human_bytes(space.value.free_bytes),
                                  " (", space.value.free_bytes, " bytes) free of ",
                                  base::human_bytes(space.value.total_bytes),
                                  "; enlarge it (mount -o remount,size=..., docker --shm-size), ",
                                  "remove segments (nodewise segments gc), or make one without a name"));
}

std::shared_ptr<SegmentFile> SegmentFile::create(const SegmentRequest& request) {
  const std::shared_ptr<SegmentFile> file(new SegmentFile);
  os::Os& os = os::current();
  file->name_ = request.name;
  file->process_ = os.process_id();
  file->choose_pages(request);
  if (request.name.empty()) {
    const auto made = os.create_memfd("nodewise", file->kind_ == PageKind::hugetlb ? file->page_bytes_ : 0);
    if (!made.ok()) file->fail("memfd_create", made.error);
    file->file_ = os::File(made);
  } else {
    check_segment_name(request.name);
    file->create_in(file->possible_folders());
    file->clear_other_folders();
    file->check_space();
  }
  if (const int error = os.resize_file(file->descriptor(), file->data_offset_ + file->data_bytes_))
    file->fail("ftruncate", error);
  if (request.name.empty())
    if (const int error = os.seal_size(file->descriptor())) file->fail("sealing its size", error);
  base::pass(base::Mark::file_sized);
  file->map(Access::read_write);
  return file;
}

SegmentFile::Step SegmentFile::create_named(bool has_other_folders) {
  os::Os& os = os::current();
  const auto made = os.create_shared(path_);
  if (made.error == EEXIST) {
    clear_name(path_);
    return Step::again;
  }
  if (has_other_folders && is_refusal(made.error)) return Step::elsewhere;
  if (!made.ok()) fail("making the file", made.error);
  file_ = os::File(made);
  draft_ = true;
  base::pass(base::Mark::file_made);
  // A reader may have it for a moment, to see whether a maker is there.
  int error = os.lock_byte(descriptor(), maker_byte, os::Lock::exclusive, true);
  if (error == 0) error = os.lock_byte(descriptor(), holder_byte, os::Lock::shared, false);
  const auto named = is_named(descriptor(), path_);
  base::pass(base::Mark::file_locked);
  if (error == 0 && named.value) return Step::done;
  if (error == 0) error = named.error;
  if (error != 0 && error != EAGAIN) fail("locking the file", error);
  draft_ = false;  // somebody found it before it was locked, and took it for a dead maker's
  file_.close();
  return Step::again;
}

// A name is one segment's, wherever it lies. Of two makers in two folders each has its own file by now, so
// that at least one of them finds the other's, and gives up its own.
void SegmentFile::clear_other_folders() const {
  for (const std::string& folder : segment_folders()) {
    const std::string path = segment_path(folder, name_);
    while (os::current().path_status(path).ok() && !is_named(descriptor(), path).value) clear_name(path);
  }
}

// The name is taken: by a segment, or by what a dead maker left.
void SegmentFile::clear_name(const std::string& path) const {
  os::Os& os = os::current();
  const std::string taken = base::text("Segment: the name \"", name_, "\" (", path, ')');
  const auto refuse = [&](std::string_view why, int error) {
    throw SystemError(base::text(taken, " is taken, and ", why), error);
  };
  const auto found = os.open_shared(path, true);
  if (found.error == ENOENT) return;
  if (!found.ok()) refuse("its file cannot be opened", found.error);
  const os::File opening(found);
  const auto start = opening.read_start(segment_magic_bytes);
  if (!start.ok()) refuse("its header cannot be read", start.error);
  if (begins_published(start.value))
    throw SystemError(base::text(taken, " is taken; open it, remove it (nodewise segments remove ", name_,
                                 "), or choose another one"),
                      EEXIST);
  if (const int error = os.lock_byte(opening.descriptor(), maker_byte, os::Lock::exclusive, false)) {
    if (error != EAGAIN) refuse("its file cannot be locked", error);
    // Only a maker excludes readers too; one of these goes on in a moment.
    if (os.lock_byte(opening.descriptor(), maker_byte, os::Lock::shared, false) == 0) return;
    throw SystemError(base::text(taken, " is taken: a segment is just being made by another process"),
                      EEXIST);
  }
  const auto named = is_named(opening.descriptor(), path);
  if (!named.ok()) refuse("its file cannot be looked at", named.error);
  // It may have been published after it was read: look again.
  const auto now = opening.read_start(segment_magic_bytes);
  if (!named.value || begins_published(now.value)) return;
  base::pass(base::Mark::replacing);
  if (const int error = os.remove_file(path)) refuse("what a dead maker left cannot be removed", error);
}

std::shared_ptr<SegmentFile> SegmentFile::open(const std::string& name, Access access) {
  check_segment_name(name);
  const std::shared_ptr<SegmentFile> file(new SegmentFile);
  file->name_ = name;
  file->process_ = os::current().process_id();
  file->path_ = segment_path(memory_folder, name);
  if (os::current().path_status(file->path_).error == ENOENT)
    for (const std::string& folder : huge_page_folders())
      if (os::current().path_status(segment_path(folder, name)).ok())
        file->path_ = segment_path(folder, name);
  while (file->open_named(access) == Step::again) file->file_.close();
  file->read_header();
  file->map(access);
  return file;
}

SegmentFile::Step SegmentFile::open_named(Access access) {
  os::Os& os = os::current();
  const auto opened = os.open_shared(path_, access == Access::read_write);
  if (opened.error == ENOENT)
    throw SystemError(base::text("Segment: there is no segment ", what(), "; `nodewise segments` lists them"),
                      ENOENT);
  if (!opened.ok()) fail("opening the file", opened.error);
  file_ = os::File(opened);
  check_owner();
  if (const int error = os.lock_byte(descriptor(), holder_byte, os::Lock::shared, true))
    fail("locking the file", error);
  base::pass(base::Mark::file_held);
  return await_maker();
}

void SegmentFile::check_owner() const {
  const auto status = file_.status();
  if (!status.ok()) fail("fstat", status.error);
  if (!status.value.regular) throw FormatError(base::text("Segment: ", what(), " is no regular file"));
  if (status.value.uid == os::current().user_id()) return;
  throw SystemError(base::text("Segment: ", what(), " belongs to user ", status.value.uid, ", this is user ",
                               os::current().user_id(), ": another user's memory is not to be trusted"),
                    EPERM);
}

bool SegmentFile::is_published() const {
  const auto start = file_.read_start(segment_magic_bytes);
  if (!start.ok()) fail("reading its header", start.error);
  return begins_published(start.value);
}

SegmentFile::Step SegmentFile::await_maker() {
  os::Os& os = os::current();
  if (!is_published()) {
    int error = os.lock_byte(descriptor(), maker_byte, os::Lock::shared, true);
    if (error == 0) error = os.unlock_byte(descriptor(), maker_byte);
    if (error != 0) fail("waiting for its maker", error);
  }
  const auto status = file_.status();
  if (!status.ok()) fail("fstat", status.error);
  if (status.value.links == 0) return Step::again;  // removed while this waited for it
  if (is_published()) return Step::done;
  throw SystemError(base::text("Segment: ", what(),
                               " was never finished: its maker died over it; making it anew "
                               "replaces it, `nodewise segments gc` removes it"),
                    ENOENT);
}

std::shared_ptr<SegmentFile> SegmentFile::open_descriptor(int descriptor, Access access) {
  const std::shared_ptr<SegmentFile> file(new SegmentFile);
  os::Os& os = os::current();
  file->process_ = os.process_id();
  const auto mine = os.duplicate(descriptor);
  if (!mine.ok()) file->fail("taking its descriptor", mine.error);
  file->file_ = os::File(mine);
  file->check_owner();
  if (!os.is_size_sealed(file->descriptor()))
    throw FormatError("Segment: the descriptor is of no memfd whose size is sealed; open others by name");
  file->read_header();
  file->map(access);
  return file;
}

void SegmentFile::read_header() {
  constexpr std::size_t usual_bytes = 8192;
  const auto status = file_.status();
  if (!status.ok()) fail("fstat", status.error);
  auto start = file_.read_start(usual_bytes);
  if (!start.ok()) fail("reading its header", start.error);
  const auto needed = needed_header_bytes(start.value, what());
  if (needed > usual_bytes) start = file_.read_start(needed);
  if (!start.ok()) fail("reading its header", start.error);
  header_ = parse_segment_header(start.value, status.value.bytes, what());
  page_bytes_ = header_.page_bytes;
  data_offset_ = header_.data_offset;
  data_bytes_ = header_.data_bytes;
  const std::size_t base_page_bytes = os::current().base_page_bytes();
  if (page_bytes_ < base_page_bytes)
    throw FormatError(base::text("Segment: ", what(), " has pages of ", page_bytes_,
                                 " bytes, this machine of ", base_page_bytes));
  kind_ = page_bytes_ > base_page_bytes ? PageKind::hugetlb : PageKind::base;
  alignment_ = base_page_bytes;
  const TransparentPages huge = shared_transparent_pages();
  if (kind_ == PageKind::base && huge.allowed && data_bytes_ >= huge.page_bytes &&
      data_offset_ % huge.page_bytes == 0) {
    kind_ = PageKind::transparent;
    alignment_ = huge.page_bytes;
  }
}

// A mapping keeps the opening that it was made by, in forked children too, and with it the locks: so it is
// made by another one.
os::Result<void*> SegmentFile::map_part(std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                                        bool writable) const {
  os::Os& os = os::current();
  if (name_.empty()) return os.map_shared(descriptor(), offset, bytes, alignment, writable);
  const auto opened = os.reopen(descriptor());
  if (!opened.ok()) return {nullptr, opened.error};
  const os::File opening(opened);
  return os.map_shared(opening.descriptor(), offset, bytes, alignment, writable);
}

void SegmentFile::map(Access access) {
  os::Os& os = os::current();
  access_ = access;
  if (data_bytes_ == 0) return;
  const std::size_t alignment = kind_ == PageKind::hugetlb ? os.base_page_bytes() : alignment_;
  const auto mapped = map_part(data_offset_, data_bytes_, alignment, access == Access::read_write);
  if (!mapped.ok()) fail(base::text("mapping ", data_bytes_, " bytes"), mapped.error);
  data_ = static_cast<std::byte*>(mapped.value);
  if (kind_ == PageKind::transparent && os.advise(data_, data_bytes_, os::Advice::huge_pages) != 0)
    kind_ = PageKind::base;
}

void SegmentFile::publish(SegmentHeader header) {
  os::Os& os = os::current();
  header.total_bytes = data_offset_ + data_bytes_;
  header.data_offset = data_offset_;
  header.data_bytes = data_bytes_;
  header.page_bytes = page_bytes_;
  header.owner = this_process();
  header.created_ns = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                     std::chrono::system_clock::now().time_since_epoch())
                                                     .count());
  base::pass(base::Mark::file_filled);
  const std::string bytes = write_segment_header(header);
  const std::size_t mapped_bytes = base::round_up(bytes.size(), page_bytes_);
  const auto mapped = map_part(0, mapped_bytes, os.base_page_bytes(), true);
  if (!mapped.ok()) fail("mapping its header", mapped.error);
  auto* const start = static_cast<std::byte*>(mapped.value);
  const int error = os.populate_shared(descriptor(), 0, start, mapped_bytes);
  if (error == 0) {
    std::memcpy(start + segment_magic_bytes, bytes.data() + segment_magic_bytes,
                bytes.size() - segment_magic_bytes);
    base::pass(base::Mark::header_written);
    std::uint64_t magic = 0;
    std::memcpy(&magic, bytes.data(), sizeof magic);
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(start)).store(magic, std::memory_order_release);
    base::pass(base::Mark::header_complete);
  }
  os.unmap(start, mapped_bytes);
  if (error != 0) fail("reserving its header", error);
  header_ = std::move(header);
  draft_ = false;
  if (!name_.empty()) os.unlock_byte(descriptor(), maker_byte);
}

Pages SegmentFile::pages(const std::shared_ptr<SegmentFile>& file) {
  return PagesParts::make({.data = file->data_,
                           .size_bytes = file->data_bytes_,
                           .kind = file->kind_,
                           .page_bytes = file->page_bytes_,
                           .backing = file->name_.empty() ? Backing::memfd : Backing::segment,
                           .writable = file->access_ == Access::read_write,
                           .descriptor = file->descriptor(),
                           .file_offset = file->data_offset_,
                           .release = [file](void*) {}});
}

// A page that cannot be had would end the process when it is touched: so all are made now.
void SegmentFile::make_present(const Pages& pages) const {
  const int error = PagesParts::populate(pages, data_, data_bytes_);
  if (error == 0) return;
  fail(base::text("making ", data_bytes_,
                  " bytes present (/dev/shm, the node or the control group has no more: df /dev/shm; "
                  "docker --shm-size)"),
       error);
}

os::Result<bool> SegmentFile::is_named(int descriptor, const std::string& path) {
  const auto mine = os::current().file_status(descriptor);
  if (!mine.ok()) return {false, mine.error};
  const auto named = os::current().path_status(path);
  if (!named.ok()) return {false, named.error == ENOENT ? 0 : named.error};
  return {mine.value.same_file(named.value), 0};
}

// Whoever removes a name has the maker byte: so between the look and the deed nobody else removes it, and no
// other file gets it.
int SegmentFile::remove_name(int descriptor, const std::string& path) {
  if (const int error = os::lock_patiently(descriptor, maker_byte)) return error;
  const auto named = is_named(descriptor, path);
  if (!named.value) return named.error;
  base::pass(base::Mark::removing);
  const int error = os::current().remove_file(path);
  return error == ENOENT ? 0 : error;
}

void SegmentFile::remove() const {
  if (name_.empty()) return;
  const auto opened = os::current().reopen(descriptor());
  if (!opened.ok()) fail("opening it again", opened.error);
  const os::File opening(opened);
  if (const int error = remove_name(opening.descriptor(), path_)) fail("removing its name", error);
}

// Who lets go, and can then lock the holder byte for himself, is alone. Not the other way round: of two who
// leave at once each would see the other one.
void SegmentFile::leave() noexcept {
  os::Os& os = os::current();
  base::pass(base::Mark::leaving);
  os.unlock_byte(descriptor(), holder_byte);
  const bool held = header_.page_bytes != 0;  // opened to the end, or published
  if (!held || header_.keep) return;
  const auto opened = os.reopen(descriptor());
  if (!opened.ok()) return;
  const os::File opening(opened);
  if (os.lock_byte(opening.descriptor(), holder_byte, os::Lock::exclusive, false) == 0)
    remove_name(opening.descriptor(), path_);
}

// A maker who did not come to an end has the maker byte still.
void SegmentFile::give_up() noexcept {
  os::Os& os = os::current();
  if (is_named(descriptor(), path_).value) os.remove_file(path_);
  os.unlock_byte(descriptor(), holder_byte);
  os.unlock_byte(descriptor(), maker_byte);
}

SegmentFile::~SegmentFile() {
  if (data_ != nullptr) os::current().unmap(data_, data_bytes_);
  const bool own = file_.is_open() && !name_.empty() && process_ == os::current().process_id();
  if (own && draft_)
    give_up();
  else if (own)
    leave();
  file_.close();  // while the fork watch still is: no child may keep the descriptor
}

// The child sees the memory, and has an opening of its own, without a lock: what its parent has locked ends
// with the parent.
void SegmentFile::detach() noexcept {
  if (name_.empty() || !file_.is_open()) return;
  file_ = os::File(os::current().reopen(descriptor()));
}

}  // namespace nodewise
