// The file of a segment, as a process has it open. create.cpp creates it, open.cpp opens it, publish.cpp
// makes it usable for others, leave.cpp releases it. locks.hpp describes the locks by which holders are
// known.
#pragma once

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <nodewise/deadline.hpp>
#include <nodewise/error.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/stop.hpp>

#include "os/file.hpp"
#include "os/fork_watch.hpp"
#include "os/os.hpp"
#include "segment/header.hpp"
#include "segment/locks.hpp"

namespace nodewise {

/// The size and pages of a segment that is to be created.
struct SegmentRequest {
  std::string name;  ///< Empty: a memfd.
  PageKind kind = PageKind::automatic;
  std::size_t hugetlb_page_bytes = 0;  ///< With PageKind::hugetlb; 0: the default.
  std::uint64_t data_bytes = 0;
  std::uint64_t header_bytes = 0;  ///< The size of the header that will be written.
};

/// What opening does with a segment that a killed job left (collect_leftover). Its data may be looked at; but
/// what processes use to work together must begin anew.
enum class Leftover { opened, collected };

/// How opening waits for a process that has not finished making or removing a segment.
struct SegmentWait {
  explicit SegmentWait(const Patience& patience = {}, const Stop* stop_token = nullptr)
      : until(patience ? std::optional(detail::after(*patience)) : std::nullopt), stop(stop_token) {}
  std::optional<std::chrono::steady_clock::time_point> until;  ///< Unset: without a limit.
  const Stop* stop;                                            ///< Ends the wait, unless it is null.
};

class SegmentFile {
 public:
  /// Creates the file and maps it. Other processes cannot open it as a segment before publish(). A file with
  /// this name that a dead maker left is replaced. Throws SystemError (EEXIST: the name is taken) and
  /// PlacementError (the file system has too little space).
  static std::shared_ptr<SegmentFile> create(const SegmentRequest& request);
  /// Opens and maps a segment; waits until its maker has published it. Throws as Segment::open.
  static std::shared_ptr<SegmentFile> open(const std::string& name, Access access,
                                           Leftover leftover = Leftover::opened,
                                           const SegmentWait& wait = SegmentWait());
  static std::shared_ptr<SegmentFile> open_descriptor(int descriptor, Access access);
  ~SegmentFile();
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  /// Completes the sizes in the header and writes it, so that other processes can open the segment.
  void publish(SegmentHeader header);
  /// Precondition: the segment was opened, or is published.
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
  /// The calling thread populates all data. Throws SystemError if there is no room, and PlacementError if the
  /// machine or a control group has so little memory that the kernel would end the process.
  void make_present(const Pages& pages) const;
  /// Removes the name, if it still belongs to this file.
  void remove() const;
  /// The data. `file` and all copies of these pages own it together.
  static Pages pages(const std::shared_ptr<SegmentFile>& file);

 private:
  enum class Step { done, again, elsewhere };
  SegmentFile() = default;
  void choose_pages(const SegmentRequest& request);
  std::vector<std::string> possible_folders() const;
  void create_in(const std::vector<std::string>& folders);
  bool has_room(const os::Result<os::Space>& space) const;
  void check_space() const;
  void check_huge_pages() const;
  void check_allowance() const;
  /// Opens the file by `open`. From its first moment on the opening is known to the clean-up in forked
  /// children.
  template <class Open>
  os::Result<int> keep(const Open& open) {
    const os::ForkWatch::Pause no_forks;
    const os::Result<int> opened = open();
    file_ = os::File(opened);
    return opened;
  }
  Step create_named(bool has_other_folders);
  void clear_other_folders() const;
  Step open_named(const SegmentWait& wait);
  int lock_shared(std::uint64_t byte, const SegmentWait& wait) const;
  [[noreturn]] void fail_waiting(int error) const;
  void check_owner() const;
  bool is_published() const;
  Step await_maker(const SegmentWait& wait);
  void read_header();
  os::Result<void*> map_part(std::uint64_t offset, std::size_t bytes, std::size_t alignment,
                             bool writable) const;
  void map(Access access);
  void leave() noexcept;
  void give_up() noexcept;
  void detach() noexcept;
  std::string what() const;
  [[noreturn]] void fail(const std::string& call, int error) const;
  [[noreturn]] void fail_memory(const std::string& call, int error) const;

  std::string name_;
  std::string path_;
  os::File file_;
  bool inherited_ = false;  // by fork: the locks are those of the parent
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

/// Returns what `open` returns, or nothing if there is no such segment.
template <class Open>
auto if_there(Open open) -> std::optional<decltype(open())> {
  try {
    return open();
  } catch (const SystemError& error) {
    if (error.code() != ENOENT) throw;
    return std::nullopt;
  }
}

/// Returns what `open` returns; if that is nothing, what `create` makes. If another process was faster
/// (EEXIST), it opens again, and waits for the segment of that process.
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
