// Releases a segment. The last holder removes the name.
#include "base/mark.hpp"
#include "os/kernel_files.hpp"
#include "segment/file.hpp"
#include "segment/removal.hpp"

namespace nodewise {

void SegmentFile::remove() const {
  if (name_.empty()) return;
  const os::ForkWatch::Pause no_forks;  // a child must not get the lock that this takes
  const auto opened = os::current().reopen(descriptor(), true);
  if (!opened.ok()) fail("opening it again" + os::no_proc_text(opened.error), opened.error);
  const os::File opening(opened);
  if (const int error = remove_name(opening.descriptor(), path_)) fail("removing its name", error);
}

// A process that has released its own lock, and can then lock the holder byte exclusively, was the last
// holder. The lock must be released first: otherwise two processes that leave together would each see the
// other's lock.
void SegmentFile::leave() noexcept {
  os::Os& os = os::current();
  base::pass(base::Mark::leaving);
  os.unlock_byte(descriptor(), holder_byte);
  const bool held = header_.page_bytes != 0;  // it was opened completely, or published
  if (!held || header_.keep) return;
  const os::ForkWatch::Pause no_forks;  // a child must not get the lock that this takes
  const auto opened = os.reopen(descriptor(), true);
  if (!opened.ok()) return;
  const os::File opening(opened);
  if (os.lock_byte(opening.descriptor(), holder_byte, os::Lock::exclusive, false) == 0)
    remove_name(opening.descriptor(), path_);
}

// A maker that has not finished still holds the maker byte.
void SegmentFile::give_up() noexcept {
  os::Os& os = os::current();
  if (is_named(descriptor(), path_).value) os.remove_file(path_);
  os.unlock_byte(descriptor(), holder_byte);
  os.unlock_byte(descriptor(), maker_byte);
}

SegmentFile::~SegmentFile() {
  if (data_ != nullptr) os::current().unmap(data_, data_bytes_);
  const bool own = file_.is_open() && !name_.empty() && !inherited_;
  if (own && draft_)
    give_up();
  else if (own)
    leave();
  file_.close();  // while the fork watch still exists, so that no child keeps the descriptor
}

// The child can use the memory. It gets an opening of its own, without locks, because the locks of the parent
// must end with the parent.
void SegmentFile::detach() noexcept {
  inherited_ = true;  // the number of a process in another pid namespace may be its parent's
  if (name_.empty() || !file_.is_open()) return;
  file_ = os::File(os::current().reopen(descriptor(), access_ == Access::read_write));
}

}  // namespace nodewise
