// The file of a segment, as one process has it open: create.cpp makes it, open.cpp opens one, publish.cpp
// lets others in, leave.cpp gives it up. The locks that tell its holders are in locks.hpp.
#pragma once

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/segment.hpp>

#include "os/file.hpp"
#include "os/fork_watch.hpp"
#include "os/os.hpp"
#include "segment/header.hpp"
#include "segment/locks.hpp"

namespace nodewise {

/// Size and pages of a segment that is to be made.
struct SegmentRequest {
  std::string name;  ///< Empty: a memfd.
  PageKind kind = PageKind::automatic;
  std::size_t hugetlb_page_bytes = 0;  ///< With PageKind::hugetlb; 0: the default.
  std::uint64_t data_bytes = 0;
  std::uint64_t header_bytes = 0;  ///< Of the header to come.
};

class SegmentFile {
 public:
  /// Makes the file, exclusively, and maps it; no other process can open it as a segment before publish(). A
  /// file that a dead maker left under the name is replaced. Throws SystemError (EEXIST: the name is taken),
  /// PlacementError (the file system lacks the bytes).
  static std::shared_ptr<SegmentFile> create(const SegmentRequest& request);
  /// Maps one that is published, waiting for its maker. Throws as Segment::open.
  static std::shared_ptr<SegmentFile> open(const std::string& name, Access access);
  static std::shared_ptr<SegmentFile> open_descriptor(int descriptor, Access access);
  ~SegmentFile();
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  /// Fills in the sizes of the header, writes it, and so lets other processes in.
  void publish(SegmentHeader header);
  /// Of one that was opened, or is published.
  const SegmentHeader& header() const noexcept { return header_; }

  const std::string& name() const noexcept { return name_; }
  const std::string& path() const noexcept { return path_; }
  int descriptor() const noexcept { return file_.descriptor(); }
  std::byte* data() const noexcept { return data_; }
  std::uint64_t data_bytes() const noexcept { return data_bytes_; }
  std::uint64_t data_offset() const noexcept { return data_offset_; }
  PageKind kind() const noexcept { return kind_; }
  std::size_t page_bytes() const noexcept { return page_bytes_; }
  Access access() const noexcept { return access_; }
  /// Makes all data present, by the calling thread. Throws SystemError where there is no room.
  void make_present(const Pages& pages) const;
  /// Removes the name, if it still leads to this file.
  void remove() const;
  /// The data, owned by `file` together with all that share it.
  static Pages pages(const std::shared_ptr<SegmentFile>& file);

 private:
  enum class Step { done, again, elsewhere };
  SegmentFile() = default;
  void choose_pages(const SegmentRequest& request);
  std::vector<std::string> possible_folders() const;
  void create_in(const std::vector<std::string>& folders);
  bool has_room(const os::Result<os::Space>& space) const;
  void check_space() const;
  Step create_named(bool has_other_folders);
  void clear_other_folders() const;
  Step open_named(Access access);
  void check_owner() const;
  bool is_published() const;
  Step await_maker();
  void read_header();
  os::Result<void*> map_part(std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                             bool writable) const;
  void map(Access access);
  void leave() noexcept;
  void give_up() noexcept;
  void detach() noexcept;
  std::string what() const;
  [[noreturn]] void fail(const std::string& call, int error) const;

  std::string name_;
  std::string path_;
  os::File file_;
  int process_ = 0;  // the process that opened it; its forked children must not touch the locks
  bool draft_ = false;
  Access access_ = Access::read_write;
  PageKind kind_ = PageKind::base;
  std::size_t page_bytes_ = 0;
  std::size_t alignment_ = 0;
  std::byte* data_ = nullptr;
  std::uint64_t data_offset_ = 0;
  std::uint64_t data_bytes_ = 0;
  SegmentHeader header_;
  os::ForkWatch fork_watch_{[this] { detach(); }};
};

/// What `open` gives, or nothing where there is no such segment.
template <class Open>
auto if_there(Open open) -> std::optional<decltype(open())> {
  try {
    return open();
  } catch (const SystemError& error) {
    if (error.code() != ENOENT) throw;
    return std::nullopt;
  }
}

/// Returns what `open` gives, or what `create` makes where that is nothing. A process that finds another one
/// faster (EEXIST) opens again, and waits for that one's segment.
template <class Open, class Create>
auto open_or_make(Open open, Create create) -> decltype(create()) {
  while (true) {
    if (auto opened = open()) return std::move(*opened);
    try {
      return create();
    } catch (const SystemError& error) {
      if (error.code() != EEXIST) throw;
    }
  }
}

}  // namespace nodewise
