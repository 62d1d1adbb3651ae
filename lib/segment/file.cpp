#include "segment/file.hpp"

#include <cerrno>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "buffer/system_allowance.hpp"
#include "os/kernel_files.hpp"
#include "os/limits.hpp"
#include "os/size_limit.hpp"
#include "os/space_text.hpp"
#include "pages/huge_pages.hpp"
#include "pages/parts.hpp"

namespace nodewise {

std::string SegmentFile::what() const {
  return name_.empty() ? "the memfd" : base::text('"', name_, "\" (", path_, ')');
}

void SegmentFile::fail(const std::string& call, int error) const {
  throw SystemError(base::text("Segment: ", what(), ": ", call, os::size_limit_text(error)), error);
}

// Memory that the kernel refuses. The limit, or the pool, that has no more is named.
void SegmentFile::fail_memory(const std::string& call, int error) const {
  if (error != ENOMEM && error != ENOSPC && error != EFAULT) fail(call, error);  // no lack of memory
  const std::uint64_t bytes = data_offset_ + data_bytes_;
  if (kind_ == PageKind::hugetlb) fail(base::text(call, ": ", why_no_huge_pages(bytes, page_bytes_)), error);
  const std::string limits = error == ENOMEM ? os::memory_limits() : std::string();
  fail(limits.empty() ? call : base::text(call, " (limits here: ", limits, "; raise the limit)"), error);
}

// A mapping keeps the opening of its file alive, also in forked children, and so the locks of the opening.
// Therefore the mapping is made from another opening, which has no locks.
os::Result<void*> SegmentFile::map_part(std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                                        bool writable) const {
  os::Os& os = os::current();
  if (name_.empty()) return os.map_shared(descriptor(), offset, bytes, alignment, writable);
  const auto opened = os.reopen(descriptor(), writable);
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
  if (!mapped.ok())
    fail_memory(base::text("mapping ", data_bytes_, " bytes", os::no_proc_text(mapped.error)), mapped.error);
  data_ = static_cast<std::byte*>(mapped.value);
  if (kind_ == PageKind::transparent && os.advise(data_, data_bytes_, os::Advice::huge_pages) != 0)
    kind_ = PageKind::base;
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

// A control group that has no more memory ends the process that takes more.
void SegmentFile::check_allowance() const {
  if (kind_ == PageKind::hugetlb) return;
  const auto allowance = system_allowance_now();
  if (!allowance || allowance->bytes >= data_bytes_) return;
  throw PlacementError(base::text("Segment: ", what(), " needs ", base::human_bytes(data_bytes_), " (",
                                  data_bytes_, " bytes), and ", allowance->from, " leaves ",
                                  base::human_bytes(allowance->bytes), " (", allowance->bytes,
                                  " bytes); touching more would end the process"));
}

// Touching a page for which there is no memory would end the process, so all pages are populated now.
void SegmentFile::make_present(const Pages& pages) const {
  check_allowance();
  const int error = PagesParts::populate(pages, data_, data_bytes_);
  if (error == 0) return;
  if (kind_ == PageKind::hugetlb) fail_memory(base::text("making ", data_bytes_, " bytes present"), error);
  fail(base::text("making ", data_bytes_,
                  " bytes present: the file system, the node or the control group has no more",
                  name_.empty() ? std::string() : os::space_text(path_)),
       error);
}

}  // namespace nodewise
