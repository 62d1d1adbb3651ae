// A Manager keeps lists and dictionaries with names in a directory, for all processes of one user. They are
// read and written in transactions: a change is a transaction that may write, a look is one that only reads.
// Only builds that found LMDB have this header; nodewise.hpp does not include it.
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

/// An array as a value. It owns a copy of its bytes, so put a large array into a segment instead, and store
/// the name of the segment. Thread class: value.
struct ManagedArray {
  DType dtype = DType::f64;
  std::vector<std::uint64_t> shape;  ///< The number of elements in each dimension.
  std::vector<std::byte> bytes;      ///< Row-major; as many bytes as shape and type need.

  /// A copy of `elements`. Without a shape, the array has one dimension.
  template <Element T>
  static ManagedArray of(std::span<T> elements, std::vector<std::uint64_t> shape) {
    const auto bytes = std::as_bytes(elements);
    return {dtype_of<T>, std::move(shape), {bytes.begin(), bytes.end()}};
  }
  template <Element T>
  static ManagedArray of(std::span<T> elements) {
    return of(elements, {elements.size()});
  }
  /// Throws InvalidArgument if the elements have another type.
  template <Element T>
  std::span<const T> elements() const {
    if (dtype != dtype_of<T>) throw_other_dtype(dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  /// Compares the bytes of the elements, not their values.
  friend bool operator==(const ManagedArray&, const ManagedArray&) = default;

 private:
  [[noreturn]] NODEWISE_PUBLIC void throw_other_dtype(DType wanted) const;
};

/// A value in a list or dictionary: nothing, a boolean, a number, text (any bytes), or an array.
using ManagedValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, ManagedArray>;

namespace detail {
class ManagerScope;
}

// Handles of lists and dictionaries. Getting a handle reads nothing: a name stands for an empty list or
// dictionary until the first write to it. With a handle from a Manager, each call is a transaction of its
// own, which others see as a whole or not at all. A handle from a change or a look works inside that
// transaction, and becomes invalid when the transaction ends.
//
// All calls throw InvalidArgument if the name belongs to the other kind, FormatError if the stored data is
// damaged, and SystemError as the comment of Manager says. Calls that write throw OutOfMemory if the
// directory is full, and SystemError (ENOSPC) if its file system is. They throw SystemError (EDEADLK) if the
// calling thread is inside a change, and the handle does not come from that change. A call that begins a
// transaction throws SystemError (EBUSY) if another process has enlarged the directory, but this process
// cannot use the new size yet, because the calling thread is inside a change or look of any Manager. That
// change or look must end first.
//
// Thread class: handles from a Manager: any thread; all others: the thread of the change or look. Cost,
// unless stated otherwise: logarithmic in the number of entries, plus copying the values. A write also waits
// until the file system has stored it.

/// A list that can be read.
class NODEWISE_PUBLIC ManagedListReader {
 public:
  std::uint64_t size() const;
  /// Throws OutOfRange.
  ManagedValue get(std::uint64_t i) const;
  /// All values at one moment. Cost: linear in their number.
  std::vector<ManagedValue> values() const;
  const std::string& name() const noexcept { return name_; }

 protected:
  friend class ManagerLook;
  ManagedListReader(std::shared_ptr<const detail::ManagerScope> scope, std::string name)
      : scope_(std::move(scope)), name_(std::move(name)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
  std::string name_;
};

/// A list that can be read and written. `set`, `append` and `extend` throw InvalidArgument if the bytes of an
/// array do not fit its shape and type, or if a value has 4 GiB or more.
class NODEWISE_PUBLIC ManagedList : public ManagedListReader {
 public:
  /// Appends one value, and returns its index.
  std::uint64_t append(const ManagedValue& value) const;
  /// Appends all `values`, and returns the index of the first of them.
  std::uint64_t extend(std::span<const ManagedValue> values) const;
  /// Throws OutOfRange.
  void set(std::uint64_t i, const ManagedValue& value) const;
  /// Removes the last or first value, and returns it. Returns nullopt if the list is empty.
  std::optional<ManagedValue> pop_back() const;
  std::optional<ManagedValue> pop_front() const;
  /// Throws OutOfRange. Cost: linear in the number of values behind number `i`, which are moved.
  void erase(std::uint64_t i) const;
  /// Cost: linear in the number of values.
  void clear() const;

 private:
  friend class ManagerChange;
  using ManagedListReader::ManagedListReader;
};

/// A dictionary that can be read. A key has at most 500 bytes, of any value; every call throws
/// InvalidArgument for a longer key. Keys are ordered by their bytes.
class NODEWISE_PUBLIC ManagedDictionaryReader {
 public:
  std::uint64_t size() const;
  bool contains(const std::string& key) const;
  /// Returns nullopt if there is no such key.
  std::optional<ManagedValue> get(const std::string& key) const;
  /// All keys, or all entries, at one moment, in the order of the keys. Cost: linear in their number.
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

/// A dictionary that can be read and written. `set` throws as ManagedList::set.
class NODEWISE_PUBLIC ManagedDictionary : public ManagedDictionaryReader {
 public:
  /// Stores `value` under `key`, and replaces a value that was there.
  void set(const std::string& key, const ManagedValue& value) const;
  /// Stores `next(value)` under `key`, and returns it. `next` gets the present value, or nullopt if there is
  /// none. No other process writes during the call. If `next` throws, nothing is changed, and the exception
  /// is passed on. `next` may be called twice, for the reason that Manager::change gives.
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

/// A look shows everything in a Manager as it was when the look began, whatever others write during the look.
/// After the look has ended, its members throw InvalidArgument. Thread class: one thread.
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

/// A change makes several writes, which others see all at once. Reads inside the change see what the change
/// has written so far. After the change has ended, its members throw InvalidArgument. Thread class: one
/// thread.
class NODEWISE_PUBLIC ManagerChange {
 public:
  /// Both throw InvalidArgument unless the name has 1 to 255 bytes.
  ManagedList list(const std::string& name) const;
  ManagedDictionary dictionary(const std::string& name) const;
  /// The names of all lists and dictionaries, in the order of their bytes. Cost: linear in their number.
  std::vector<std::string> names() const;
  /// Removes a list or dictionary with all its entries; returns whether it existed. Cost: linear in the
  /// number of its entries.
  bool remove(const std::string& name) const;

 protected:
  friend class Manager;
  explicit ManagerChange(std::shared_ptr<const detail::ManagerScope> scope) : scope_(std::move(scope)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
};

struct ManagerOptions {
  /// The most bytes that the directory may hold, at least 1 MiB. 0: the present limit of the directory (1 GiB
  /// if it is new). Opening with a higher limit raises the limit, for all processes. The file takes space
  /// only for what is stored.
  std::uint64_t max_bytes = 0;
};

/// Lists and dictionaries in a directory. All processes of one user can use them, including those that start
/// later. There is one writer at a time; readers do not wait for writers, and writers do not wait for
/// readers. If a writer is killed, its transaction takes effect as a whole or not at all. A write that has
/// returned is durable, even if the machine crashes. A directory in /dev/shm is the exception: a write waits
/// for no disk there, and the data is lost when the machine restarts or crashes.
///
/// If a process has several Managers of one directory, they share one opening of the directory, whatever
/// their paths. A forked child opens the directory again at its first call. It cannot continue a change or
/// look of its parent (SystemError, EPERM). Copies are handles of the same Manager. Thread class: any thread.
///
/// The directory must be on a local file system. Network file systems are refused, because other machines may
/// use them too.
class NODEWISE_PUBLIC Manager : public ManagerChange {
 public:
  /// Makes the directory (mode 0700; its parent must exist), or takes an empty one. Throws SystemError
  /// (EEXIST: there is a Manager already; EPERM: as for open(); ENOSPC: the file system is full; ENOTDIR,
  /// EACCES, ...), InvalidArgument (bad options, or the directory contains other files) and OutOfMemory.
  static Manager create(const std::string& directory, const ManagerOptions& options = {});
  /// Opens a Manager that exists. Throws SystemError (ENOENT: there is no Manager, or its maker died before
  /// it was finished; EPERM: it belongs to another user, or its mode lets other users write to it; ENOSPC:
  /// the file system is full, and LMDB's table of readers has no room in it) and FormatError (the file is
  /// damaged, truncated, of a later version, or not a Manager's).
  static Manager open(const std::string& directory, const ManagerOptions& options = {});
  /// Opens the Manager, or makes it if there is none. If several processes call this at the same time, one of
  /// them makes it. Throws as create() and open(), except EEXIST and ENOENT.
  static Manager open_or_create(const std::string& directory, const ManagerOptions& options = {});

  /// Calls `change`, and applies all its writes in one transaction. If `change` throws, or this process is
  /// killed, none of the writes is applied. During the call, all other writers wait, and handles from the
  /// Manager still read the state before the change. If the directory is full, the library clears what killed
  /// readers held, and looks whether another process has enlarged the directory. If that makes room, `change`
  /// is called a second time. Throws what `change` throws, and SystemError (EDEADLK) if the calling thread is
  /// inside a change already.
  void change(const std::function<void(ManagerChange&)>& change) const;
  /// Calls `look` with the state of one moment. Values that are replaced during the call keep their space
  /// until the call ends, so the call should be short. Throws what `look` throws, and SystemError (EAGAIN) if
  /// there are a thousand looks already.
  void look(const std::function<void(const ManagerLook&)>& look) const;

  const std::string& directory() const noexcept;  ///< The absolute path, with symbolic links resolved.
  std::uint64_t max_bytes() const;

 private:
  explicit Manager(std::shared_ptr<const detail::ManagerScope> scope) : ManagerChange(std::move(scope)) {}
};

}  // namespace nodewise
