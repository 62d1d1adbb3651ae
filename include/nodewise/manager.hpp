// Lists and dictionaries with names, which any process of the user reads and changes. Only in builds that
// found LMDB; nodewise.hpp does not include this header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nodewise/dtype.hpp>
#include <nodewise/error.hpp>
#include <nodewise/export.hpp>

namespace nodewise {

/// An array as a value: it owns a copy of its bytes. Large arrays belong in a segment; store the segment's
/// name as the value. Thread class: value.
struct ManagedArray {
  DType dtype = DType::f64;
  std::vector<std::uint64_t> shape;  ///< Row-major.
  std::vector<std::byte> bytes;      ///< Precondition of every write: as many as shape and type need.

  /// Copies `elements`; without a shape the array has one dimension.
  template <Element T>
  static ManagedArray of(std::span<T> elements, std::vector<std::uint64_t> shape) {
    const auto bytes = std::as_bytes(elements);
    return {dtype_of<T>, std::move(shape), {bytes.begin(), bytes.end()}};
  }
  template <Element T>
  static ManagedArray of(std::span<T> elements) {
    return of(elements, {elements.size()});
  }
  /// Throws InvalidArgument if the elements are of another type.
  template <Element T>
  std::span<const T> elements() const {
    if (dtype != dtype_of<T>) throw_other_dtype(dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  friend bool operator==(const ManagedArray&, const ManagedArray&) =
      default;  ///< Compares the bytes of the elements, not their values.

 private:
  [[noreturn]] NODEWISE_PUBLIC void throw_other_dtype(DType wanted) const;
};

/// What a list or dictionary holds: nothing, a boolean, a number, text (any bytes), or an array.
using ManagedValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, ManagedArray>;

namespace detail {
class ManagerScope;
}

// Handles of lists and dictionaries. Getting a handle touches nothing: a name stands for an empty list or
// dictionary until the first write to it. A handle from a Manager does each call in a transaction of its own,
// which others see as a whole or not at all. A handle from a change or a look works inside that change or
// look, and becomes invalid when it ends.
//
// All calls throw InvalidArgument if the name is of the other kind; FormatError if the stored data is
// damaged; SystemError as Manager says. Writing calls throw OutOfMemory if the directory is full, and
// SystemError (EDEADLK) if the calling thread is inside a change already and the handle is not of that
// change. A call that begins a transaction throws SystemError (EBUSY) if another process has let the
// directory grow and the calling thread is still inside a change or look of any Manager; end that one first.
// Thread class of handles from a Manager: any thread; of the others: the thread of the change or look. Cost,
// unless said otherwise: logarithmic in the number of entries, plus copying the values; a write also waits
// until the file system has stored it.

/// A list, for reading.
class NODEWISE_PUBLIC ManagedListReader {
 public:
  std::uint64_t size() const;
  /// Throws OutOfRange.
  ManagedValue get(std::uint64_t i) const;
  /// All values, of one moment. Cost: linear in their number.
  std::vector<ManagedValue> values() const;
  const std::string& name() const noexcept { return name_; }

 protected:
  friend class ManagerLook;
  ManagedListReader(std::shared_ptr<const detail::ManagerScope> scope, std::string name)
      : scope_(std::move(scope)), name_(std::move(name)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
  std::string name_;
};

/// A list. `set`, `append` and `extend` throw InvalidArgument for an array whose number of bytes does not fit
/// its shape and type, and for a value of 4 GiB or more.
class NODEWISE_PUBLIC ManagedList : public ManagedListReader {
 public:
  /// Appends one value, and returns its index.
  std::uint64_t append(const ManagedValue& value) const;
  /// Appends all `values`, and returns the index of the first of them.
  std::uint64_t extend(std::span<const ManagedValue> values) const;
  /// Throws OutOfRange.
  void set(std::uint64_t i, const ManagedValue& value) const;
  /// Removes and returns the last value, or the first; nullopt from an empty list.
  std::optional<ManagedValue> pop_back() const;
  std::optional<ManagedValue> pop_front() const;
  /// Throws OutOfRange. Cost: linear in the number of values behind it, which are moved.
  void erase(std::uint64_t i) const;
  /// Cost: linear in the number of values.
  void clear() const;

 private:
  friend class ManagerChange;
  using ManagedListReader::ManagedListReader;
};

/// A dictionary, for reading. Keys have at most 500 bytes, of any value, and are ordered by their bytes.
/// Every call throws InvalidArgument for a longer key.
class NODEWISE_PUBLIC ManagedDictionaryReader {
 public:
  std::uint64_t size() const;
  bool contains(const std::string& key) const;
  /// Returns nullopt where there is no such key.
  std::optional<ManagedValue> get(const std::string& key) const;
  /// All keys, or all entries, of one moment, in the order of the keys. Cost: linear in their number.
  std::vector<std::string> keys() const;
  std::vector<std::pair<std::string, ManagedValue>> items() const;
  const std::string& name() const noexcept { return name_; }

 protected:
  friend class ManagerLook;
  ManagedDictionaryReader(std::shared_ptr<const detail::ManagerScope> scope, std::string name)
      : scope_(std::move(scope)), name_(std::move(name)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
  std::string name_;
};

/// A dictionary. `set` throws as ManagedList::set.
class NODEWISE_PUBLIC ManagedDictionary : public ManagedDictionaryReader {
 public:
  /// Stores the value under `key`, in place of one that was there.
  void set(const std::string& key, const ManagedValue& value) const;
  /// Stores `next(value)`, and returns it; `next` gets nullopt where there is no such key. No other process
  /// writes during the call. Throws what `next` throws; then nothing is changed. `next` may be called twice,
  /// as in Manager::change.
  ManagedValue update(const std::string& key,
                      const std::function<ManagedValue(std::optional<ManagedValue>)>& next) const;
  /// Returns whether the key was there.
  bool erase(const std::string& key) const;
  /// Cost: linear in the number of entries.
  void clear() const;

 private:
  friend class ManagerChange;
  using ManagedDictionaryReader::ManagedDictionaryReader;
};

/// Shows everything in a Manager as it was when the look began, whatever is written during the look. Throws
/// InvalidArgument if it is used after the look has ended. Thread class: one thread.
class NODEWISE_PUBLIC ManagerLook {
 public:
  /// Both throw InvalidArgument unless the name has 1 to 255 bytes.
  ManagedListReader list(const std::string& name) const;
  ManagedDictionaryReader dictionary(const std::string& name) const;
  /// The names of all lists and dictionaries, in the order of their bytes. Cost: linear in their number.
  std::vector<std::string> names() const;

 private:
  friend class Manager;
  explicit ManagerLook(std::shared_ptr<const detail::ManagerScope> scope) : scope_(std::move(scope)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
};

/// Several changes that others see all at once. Reads inside the change see what it has changed so far.
/// Throws InvalidArgument if it is used after the change has ended. Thread class: one thread.
class NODEWISE_PUBLIC ManagerChange {
 public:
  /// Both throw InvalidArgument unless the name has 1 to 255 bytes.
  ManagedList list(const std::string& name) const;
  ManagedDictionary dictionary(const std::string& name) const;
  /// The names of all lists and dictionaries, in the order of their bytes. Cost: linear in their number.
  std::vector<std::string> names() const;
  /// Removes a list or dictionary with all its entries; returns whether there was one. Cost: linear in its
  /// entries.
  bool remove(const std::string& name) const;

 protected:
  friend class Manager;
  explicit ManagerChange(std::shared_ptr<const detail::ManagerScope> scope) : scope_(std::move(scope)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
};

struct ManagerOptions {
  /// The most bytes that the directory may hold, at least 1 MiB; 0: as many as it was made for, 1 GiB for a
  /// new one. Opening with more than it was made for lets it grow, for all processes. The file takes room
  /// only for what is stored.
  std::uint64_t max_bytes = 0;
};

/// Lists and dictionaries in a directory, for all processes of one user: those that run at the same time, and
/// those that start later. They are changed in transactions. There is one writer at a time; readers wait for
/// no writer, and no writer waits for readers. A writer that is killed leaves the state before its change, or
/// the state after it. A write that has returned is durable, even if the machine crashes. A directory in
/// /dev/shm is the exception: a write waits for no disk there, and the data is lost when the machine restarts
/// or crashes.
///
/// All Managers of one directory in one process share one opening of it, whatever path they were opened by. A
/// forked child gets an opening of its own at its first call; it cannot continue a change or look of its
/// parent (SystemError, EPERM). Copies are handles of the same Manager. Thread class: any thread.
///
/// The directory must be on a local file system: network file systems, which other machines may use too, are
/// refused.
class NODEWISE_PUBLIC Manager : public ManagerChange {
 public:
  /// Makes the directory (mode 0700; its parent must exist), or takes an empty one. Throws SystemError
  /// (EEXIST: a Manager is there already; ENOTDIR, EACCES, ...), InvalidArgument (bad options, or the
  /// directory holds other files), OutOfMemory.
  static Manager create(const std::string& directory, const ManagerOptions& options = {});
  /// Throws SystemError (ENOENT: there is no Manager, or its maker died before it was finished; EPERM: it is
  /// another user's), FormatError (the file is damaged, truncated, of a later version, or no Manager's).
  static Manager open(const std::string& directory, const ManagerOptions& options = {});
  /// Opens the Manager, or makes it if there is none. Where several processes do so at once, one makes it.
  /// Throws as create() and open(), except EEXIST and ENOENT.
  static Manager open_or_create(const std::string& directory, const ManagerOptions& options = {});

  /// Applies all writes of `change` in one transaction; if `change` throws, or this process is killed, none
  /// of them is applied. All other writers wait during the call. During the call, handles that came from the
  /// Manager still read the state before the change. If the directory is full, and clearing killed readers or
  /// growth by another process makes room, `change` is called a second time. Throws what `change` throws;
  /// SystemError (EDEADLK: the calling thread is inside a change already).
  void change(const std::function<void(ManagerChange&)>& change) const;
  /// Calls `look` with the state of one moment. Values that are replaced during the look keep their room
  /// until it ends, so it should be short. Throws what `look` throws; SystemError (EAGAIN: there are a
  /// thousand looks already).
  void look(const std::function<void(const ManagerLook&)>& look) const;

  const std::string& directory() const noexcept;  ///< The absolute path, with symbolic links resolved.
  std::uint64_t max_bytes() const;

 private:
  explicit Manager(std::shared_ptr<const detail::ManagerScope> scope) : ManagerChange(std::move(scope)) {}
};

}  // namespace nodewise
