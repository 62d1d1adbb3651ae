// Creates the file of a segment: chooses its pages, its folder, its name and its size.
#include <algorithm>
#include <cerrno>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/mark.hpp"
#include "base/text.hpp"
#include "os/space_text.hpp"
#include "pages/huge_pages.hpp"
#include "segment/file.hpp"
#include "segment/list.hpp"
#include "segment/names.hpp"
#include "segment/removal.hpp"

namespace nodewise {
namespace {

// Errors that depend on the folder and the user, so that another folder may accept the file.
bool is_refusal(int error) {
  return error == EACCES || error == EPERM || error == EROFS || error == EOVERFLOW;
}

}  // namespace

void SegmentFile::choose_pages(const SegmentRequest& request) {
  const std::size_t base_page_bytes = os::current().base_page_bytes();
  kind_ = PageKind::base;
  page_bytes_ = alignment_ = base_page_bytes;
  if (request.kind == PageKind::hugetlb) {
    kind_ = PageKind::hugetlb;
    // A plan has base pages if their size is not known.
    const bool stated = request.hugetlb_page_bytes > base_page_bytes;
    page_bytes_ = stated ? request.hugetlb_page_bytes : default_hugetlb_page_bytes();
    if (page_bytes_ == 0) throw_no_hugetlb("Segment");
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
  // Full folders are tried last.
  std::stable_partition(folders.begin(), folders.end(),
                        [&](const std::string& folder) { return has_room(os::current().space(folder)); });
  return folders;
}

// Creates the file in the first folder in which this user may write.
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

// It is better to refuse now than to fail half way. Only populating the pages shows whether the space really
// suffices.
void SegmentFile::check_space() const {
  const std::string folder = path_.substr(0, path_.rfind('/'));
  const auto space = os::current().space(folder);
  const std::uint64_t needed = data_offset_ + data_bytes_;
  if (has_room(space)) return;
  throw PlacementError(base::text("Segment: ", what(), " needs ", base::human_bytes(needed), " (", needed,
                                  " bytes), and ", folder, " has ", base::human_bytes(space.value.free_bytes),
                                  " (", space.value.free_bytes, " bytes) free of ",
                                  base::human_bytes(space.value.total_bytes), os::space_remedy(space.value),
                                  ", remove segments (nodewise segments gc), or make one without a name"));
}

// A file of huge pages cannot go on with other pages. Mapping reserves all of its pages, and populating them
// uses them; control groups limit both.
void SegmentFile::check_huge_pages() const {
  if (kind_ != PageKind::hugetlb) return;
  const std::uint64_t needed = data_offset_ + data_bytes_;
  const std::string why = huge_pages_limited(needed, page_bytes_);
  if (why.empty()) return;
  throw PlacementError(base::text("Segment: ", what(), " needs ", base::human_bytes(needed), " (", needed,
                                  " bytes) of huge pages, and ", why));
}

std::shared_ptr<SegmentFile> SegmentFile::create(const SegmentRequest& request) {
  const std::shared_ptr<SegmentFile> file(new SegmentFile);
  os::Os& os = os::current();
  file->name_ = request.name;
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
  file->check_huge_pages();
  const std::uint64_t bytes = file->data_offset_ + file->data_bytes_;
  if (const int error = os.resize_file(file->descriptor(), bytes))
    file->fail(base::text("making it ", bytes, " bytes long"), error);
  if (request.name.empty())
    if (const int error = os.seal_size(file->descriptor())) file->fail("sealing its size", error);
  base::pass(base::Mark::file_sized);
  file->map(Access::read_write);
  return file;
}

SegmentFile::Step SegmentFile::create_named(bool has_other_folders) {
  os::Os& os = os::current();
  const auto made = keep([&] { return os.create_shared(path_); });
  if (made.error == EEXIST) {
    if (!collect_leftover(name_, path_)) clear_name(name_, path_);
    return Step::again;
  }
  if (has_other_folders && is_refusal(made.error)) return Step::elsewhere;
  if (!made.ok()) fail("making the file", made.error);
  draft_ = true;
  base::pass(base::Mark::file_made);
  // A reader may hold this lock for a moment, while it checks whether the maker is alive.
  int error = os.lock_byte(descriptor(), maker_byte, os::Lock::exclusive, true);
  if (error == 0) error = os.lock_byte(descriptor(), holder_byte, os::Lock::shared, false);
  const auto named = is_named(descriptor(), path_);
  base::pass(base::Mark::file_locked);
  if (error == 0 && named.value) return Step::done;
  if (error == 0) error = named.error;
  if (error != 0 && error != EAGAIN) fail("locking the file", error);
  // Another process found the file before it was locked, and concluded that its maker is dead.
  draft_ = false;
  file_.close();
  return Step::again;
}

// A name belongs to one segment, even if its file may lie in several folders. If two processes make files
// with this name in two folders, both files exist now. So at least one of the two finds the other file, and
// gives up its own.
void SegmentFile::clear_other_folders() const {
  for (const std::string& folder : segment_folders()) {
    const std::string path = segment_path(folder, name_);
    while (os::current().path_status(path).ok() && !is_named(descriptor(), path).value)
      if (!collect_leftover(name_, path)) clear_name(name_, path);
  }
}

}  // namespace nodewise
