// Publishes a segment: writes its header, and the magic last.
#include <atomic>
#include <cstring>
#include <utility>

#include "base/checked.hpp"
#include "base/mark.hpp"
#include "os/kernel_files.hpp"
#include "os/space_text.hpp"
#include "segment/file.hpp"
#include "segment/owner.hpp"

namespace nodewise {

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
  if (!mapped.ok()) fail("mapping its header" + os::no_proc_text(mapped.error), mapped.error);
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
  if (error != 0)
    fail("reserving its header" + (name_.empty() ? std::string() : os::space_text(path_)), error);
  header_ = std::move(header);
  draft_ = false;
  if (!name_.empty()) os.unlock_byte(descriptor(), maker_byte);
}

}  // namespace nodewise
