// Opens a segment that another process made, and checks it before its content is used.
#include <cerrno>
#include <functional>

#include <nodewise/deadline.hpp>
#include <nodewise/error.hpp>

#include "base/mark.hpp"
#include "base/text.hpp"
#include "os/byte_lock.hpp"
#include "pages/huge_pages.hpp"
#include "segment/file.hpp"
#include "segment/list.hpp"
#include "segment/names.hpp"

namespace nodewise {

std::shared_ptr<SegmentFile> SegmentFile::open(const std::string& name, Access access, Leftover leftover,
                                               const SegmentWait& wait) {
  check_segment_name(name);
  const std::shared_ptr<SegmentFile> file(new SegmentFile);
  file->name_ = name;
  file->access_ = access;
  file->path_ = segment_path(memory_folder, name);
  if (os::current().path_status(file->path_).error == ENOENT)
    for (const std::string& folder : huge_page_folders())
      if (os::current().path_status(segment_path(folder, name)).ok()) {
        file->path_ = segment_path(folder, name);
        break;
      }
  if (leftover == Leftover::collected) collect_leftover(name, file->path_);
  while (file->open_named(wait) == Step::again) file->file_.close();
  file->read_header();
  file->map(access);
  return file;
}

SegmentFile::Step SegmentFile::open_named(const SegmentWait& wait) {
  os::Os& os = os::current();
  const auto opened = keep([&] { return os.open_shared(path_, access_ == Access::read_write); });
  if (opened.error == ENOENT)
    throw SystemError(base::text("Segment: there is no segment ", what(), "; `nodewise segments` lists them"),
                      ENOENT);
  if (!opened.ok()) fail("opening the file", opened.error);
  check_owner();
  if (const int error = lock_shared(holder_byte, wait)) fail_waiting(error);
  base::pass(base::Mark::file_held);
  return await_maker(wait);
}

int SegmentFile::lock_shared(std::uint64_t byte, const SegmentWait& wait) const {
  const auto check = [&wait] { wait.stop->check("Segment"); };
  return os::lock_shared_until(descriptor(), byte, wait.until,
                               wait.stop != nullptr ? std::function<void()>(check) : nullptr);
}

void SegmentFile::fail_waiting(int error) const {
  if (error == ETIMEDOUT)
    fail(base::text("another process that is just making it, or giving it up, did not end in time; it may be "
                    "stopped (`fuser ",
                    path_, "` names it): let it go on, end it, or wait for longer"),
         error);
  fail("locking the file", error);
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

SegmentFile::Step SegmentFile::await_maker(const SegmentWait& wait) {
  if (!is_published()) {
    int error = lock_shared(maker_byte, wait);
    if (error == 0) error = os::current().unlock_byte(descriptor(), maker_byte);
    if (error != 0) fail_waiting(error);
  }
  const auto status = file_.status();
  if (!status.ok()) fail("fstat", status.error);
  if (status.value.links == 0) return Step::again;  // it was removed while this call waited
  if (is_published()) return Step::done;
  throw SystemError(base::text("Segment: ", what(),
                               " was never finished: its maker died over it; making it anew "
                               "replaces it, `nodewise segments gc` removes it"),
                    ENOENT);
}

std::shared_ptr<SegmentFile> SegmentFile::open_descriptor(int descriptor, Access access) {
  const std::shared_ptr<SegmentFile> file(new SegmentFile);
  os::Os& os = os::current();
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
  check_segment_pages(header_, base_page_bytes, what());
  kind_ = page_bytes_ > base_page_bytes ? PageKind::hugetlb : PageKind::base;
  alignment_ = base_page_bytes;
  const TransparentPages huge = shared_transparent_pages();
  if (kind_ == PageKind::base && huge.allowed && data_bytes_ >= huge.page_bytes &&
      data_offset_ % huge.page_bytes == 0) {
    kind_ = PageKind::transparent;
    alignment_ = huge.page_bytes;
  }
}

}  // namespace nodewise
