// The directory of a segment's objects; it finds and makes objects.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nodewise/shared_objects.hpp>

#include "objects/layout.hpp"
#include "segment/file.hpp"

namespace nodewise::objects {

/// The object that is requested.
struct Request {
  const std::string& name;
  SharedObjectKind kind;
  detail::SharedType type;
  std::uint64_t count = 1;
  const void* initial = nullptr;  ///< only for a value
};

/// Locks a mutex. If its owner dies, the data is not damaged, because changes become visible by a single
/// store. Throws SystemError (EDEADLK: this thread holds the mutex already).
void lock_for_writing(os::RobustMutex& mutex, const char* what);

/// Thread class: any thread.
class Store {
 public:
  /// For a new segment, or for one that was opened. Throws FormatError.
  explicit Store(std::shared_ptr<SegmentFile> file);

  /// The bytes of data that a segment needs for `object_bytes` bytes of objects.
  static std::uint64_t data_bytes(std::uint64_t object_bytes);
  /// Prepares a new segment before it is published. Throws SystemError.
  void prepare();

  /// The address of the object, which is made if it does not exist. Throws as SharedObjects.
  std::byte* find_or_make(const Request& request);
  std::vector<SharedObjectInfo> list() const;
  std::uint64_t bytes_left() const;
  const SegmentFile& file() const noexcept { return *file_; }

 private:
  std::uint32_t published() const;
  Entry entry(std::uint32_t index) const;
  std::optional<Entry> find(const std::string& name, std::uint32_t first, std::uint32_t end) const;
  std::byte* place_of(const Entry& entry, const Request& request) const;
  void check_place(const Entry& entry) const;
  std::uint64_t end_of_objects(std::uint32_t count) const;
  std::byte* make(const Request& request, std::uint32_t index);
  [[noreturn]] void refuse(const std::string& fault) const;

  std::shared_ptr<SegmentFile> file_;
  Directory* directory_;
};

}  // namespace nodewise::objects
