// How a process gives a segment up, and how the name goes with the last of its holders.
#include "base/mark.hpp"
#include "segment/file.hpp"
#include "segment/removal.hpp"

namespace nodewise {

void SegmentFile::remove() const {
  if (name_.empty()) return;
  const auto opened = os::current().reopen(descriptor());
  if (!opened.ok()) fail("opening it again", opened.error);
  const os::File opening(opened);
  if (const int error = remove_name(opening.descriptor(), path_)) fail("removing its name", error);
}

// A process that has released its lock, and can then lock the holder byte exclusively, was the last holder.
// The order matters: if two processes tried before they released, each would see the other one.
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

// A maker that has not finished still holds the maker byte.
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

// The child sees the memory, and gets an opening of its own without locks: the parent's locks end with the
// parent.
void SegmentFile::detach() noexcept {
  if (name_.empty() || !file_.is_open()) return;
  file_ = os::File(os::current().reopen(descriptor()));
}

}  // namespace nodewise
