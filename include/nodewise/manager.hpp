// Lists and dictionaries with names, which any process reads and changes. Part of builds that found LMDB; not
// in nodewise.hpp.
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

/// An array as a value: it owns a copy of its bytes. Large arrays belong in a segment, whose name is then the
/// value. Thread class: value.
struct ManagedArray {
  DType dtype = DType::f64;
  std::vector<std::uint64_t> shape;  ///< Row-major.
  std::vector<std::byte> bytes;      ///< As many as the shape says.

  /// Copies `elements`; without a shape, as one row of them.
  template <Element T>
  static ManagedArray of(std::span<T> elements, std::vector<std::uint64_t> shape) {
    const auto bytes = std::as_bytes(elements);
    return {dtype_of<T>, std::move(shape), {bytes.begin(), bytes.end()}};
  }
  template <Element T>
  static ManagedArray of(std::span<T> elements) {
    return of(elements, {elements.size()});
  }
  /// Throws InvalidArgument if they are of another type.
  template <Element T>
  std::span<const T> elements() const {
    if (dtype != dtype_of<T>) throw_other_dtype(dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  friend bool operator==(const ManagedArray&, const ManagedArray&) = default;  ///< Compares bytes.

 private:
  [[noreturn]] NODEWISE_PUBLIC void throw_other_dtype(DType wanted) const;
};

/// What a list or dictionary holds: nothing, a truth, a number, text (any bytes), or an array.
using ManagedValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, ManagedArray>;

namespace detail {
class ManagerScope;
}

// Handles of lists and dictionaries. Asking for one touches nothing: a name means an empty list or dictionary
// until somebody writes to it. A handle that came from a Manager does each call in a transaction of its own,
// seen by others whole or not at all; one that came from a change or a look works inside that, and ends with
// it.
//
// All calls throw InvalidArgument if the name is of the other kind; FormatError if what is stored is damaged;
// SystemError as Manager says. Those that write throw OutOfMemory if the directory is full, and SystemError
// (EDEADLK) if the calling thread is inside a change already, and this is not one of its handles. All throw
// SystemError (EBUSY) where another process let the directory grow, and the calling thread is inside a change
// or look of any Manager: it must end that first. Thread class of those from a Manager: any thread; of the
// others: the thread of the change or look. Cost, where nothing is said: the logarithm of what there is, and
// copying the values; for a write also what the file system takes to make it last.

/// A list, for reading.
class NODEWISE_PUBLIC ManagedListReader {
 public:
  std::uint64_t size() const;
  /// Throws OutOfRange.
  ManagedValue get(std::uint64_t i) const;
  /// All, of one moment. Cost: their number.
  std::vector<ManagedValue> values() const;
  const std::string& name() const noexcept { return name_; }

 protected:
  friend class ManagerLook;
  ManagedListReader(std::shared_ptr<const detail::ManagerScope> scope, std::string name)
      : scope_(std::move(scope)), name_(std::move(name)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
  std::string name_;
};

/// A list. `set`, `append` and `extend` throw InvalidArgument for an array whose bytes are not those of its
/// shape, and for more than 4 GiB.
class NODEWISE_PUBLIC ManagedList : public ManagedListReader {
 public:
  /// Returns its index.
  std::uint64_t append(const ManagedValue& value) const;
  /// All, one behind the other. Returns the index of the first.
  std::uint64_t extend(std::span<const ManagedValue> values) const;
  /// Throws OutOfRange.
  void set(std::uint64_t i, const ManagedValue& value) const;
  /// Takes the last, or the first; nothing from an empty list.
  std::optional<ManagedValue> pop_back() const;
  std::optional<ManagedValue> pop_front() const;
  /// Throws OutOfRange. Cost: all behind it are moved.
  void erase(std::uint64_t i) const;
  /// Cost: their number.
  void clear() const;

 private:
  friend class ManagerChange;
  using ManagedListReader::ManagedListReader;
};

/// A dictionary, for reading. Keys are up to 500 bytes, any bytes, in the order of those; of longer ones
/// InvalidArgument is thrown.
class NODEWISE_PUBLIC ManagedDictionaryReader {
 public:
  std::uint64_t size() const;
  bool contains(const std::string& key) const;
  /// Nothing where it has no such key.
  std::optional<ManagedValue> get(const std::string& key) const;
  /// All, of one moment, in their order. Cost: their number.
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

/// A dictionary. `set` throws as that of a list.
class NODEWISE_PUBLIC ManagedDictionary : public ManagedDictionaryReader {
 public:
  /// Makes or replaces it.
  void set(const std::string& key, const ManagedValue& value) const;
  /// Stores what `next` makes of the value (nothing where there is none), and returns it; no other process
  /// writes meanwhile. Throws what `next` throws; then nothing is changed. `next` may be called twice, as in
  /// Manager::change.
  ManagedValue update(const std::string& key,
                      const std::function<ManagedValue(std::optional<ManagedValue>)>& next) const;
  /// Whether it was there.
  bool erase(const std::string& key) const;
  /// Cost: their number.
  void clear() const;

 private:
  friend class ManagerChange;
  using ManagedDictionaryReader::ManagedDictionaryReader;
};

/// One moment of everything in a Manager, however long one looks, and whoever writes. Throws InvalidArgument
/// if used when the look is over. Thread class: one thread.
class NODEWISE_PUBLIC ManagerLook {
 public:
  /// Both throw InvalidArgument unless the name has 1 to 255 bytes.
  ManagedListReader list(const std::string& name) const;
  ManagedDictionaryReader dictionary(const std::string& name) const;
  /// Of all lists and dictionaries, in the order of their bytes. Cost: their number.
  std::vector<std::string> names() const;

 private:
  friend class Manager;
  explicit ManagerLook(std::shared_ptr<const detail::ManagerScope> scope) : scope_(std::move(scope)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
};

/// Several changes that others see all at once. Reading in it sees what it has changed. Throws
/// InvalidArgument if used when the change is over. Thread class: one thread.
class NODEWISE_PUBLIC ManagerChange {
 public:
  /// Both throw InvalidArgument unless the name has 1 to 255 bytes.
  ManagedList list(const std::string& name) const;
  ManagedDictionary dictionary(const std::string& name) const;
  /// Of all lists and dictionaries, in the order of their bytes. Cost: their number.
  std::vector<std::string> names() const;
  /// Takes a list or dictionary away with all in it; whether there was one. Cost: what it held.
  bool remove(const std::string& name) const;

 protected:
  friend class Manager;
  explicit ManagerChange(std::shared_ptr<const detail::ManagerScope> scope) : scope_(std::move(scope)) {}
  std::shared_ptr<const detail::ManagerScope> scope_;
};

struct ManagerOptions {
  /// What the directory may hold, at least 1 MiB; 0: what it was made for, 1 GiB for a new one. Opening with
  /// more than it was made for lets it grow, for all processes. The file takes room only for what is in it.
  std::uint64_t max_bytes = 0;
};

/// Lists and dictionaries in a directory, of any process of this user: those that run together, and those
/// that come later. They are changed in transactions: one writer at a time, however many processes and
/// threads want to; readers wait for nobody, and nobody waits for them. Whoever is killed leaves the state
/// before his change or after it. What a write returned from lasts, a crash of the machine included; in
/// /dev/shm, where only a restart of the machine ends it, that costs nothing.
///
/// All of one directory in one process share its opening, by whatever path. A forked child has a Manager of
/// its own from its first use on, whatever its parent was doing; a change or look of its parent it cannot go
/// on with (SystemError, EPERM). Copies are the same Manager. Thread class: any thread.
///
/// The directory must lie on this machine: what other machines may have too is refused.
class NODEWISE_PUBLIC Manager : public ManagerChange {
 public:
  /// Makes the directory (mode 0700; those above it must be there), or takes an empty one. Throws SystemError
  /// (EEXIST: a Manager is there already; ENOTDIR, EACCES, ...), InvalidArgument (options; the directory
  /// holds other things), OutOfMemory.
  static Manager create(const std::string& directory, const ManagerOptions& options = {});
  /// Throws SystemError (ENOENT: there is none, or its maker died over it; EPERM: it is another user's),
  /// FormatError (damaged, truncated, of a version from the future, or of something else).
  static Manager open(const std::string& directory, const ManagerOptions& options = {});
  /// Of processes that do so at once, one makes it. Throws as both, but for EEXIST and ENOENT.
  static Manager open_or_create(const std::string& directory, const ManagerOptions& options = {});

  /// Does all that `change` does at once, or nothing of it if that throws, or this process is killed. All
  /// other writers wait meanwhile. Reading by the Manager's own handles sees the state before. `change` is
  /// called a second time where the directory was full because of a killed reader. Throws what `change`
  /// throws; SystemError (EDEADLK: the calling thread is inside a change already).
  void change(const std::function<void(ManagerChange&)>& change) const;
  /// Shows `look` one state. What is replaced meanwhile keeps its room until then: look briefly. Throws what
  /// `look` throws; SystemError (EAGAIN: a thousand looks at once).
  void look(const std::function<void(const ManagerLook&)>& look) const;

  const std::string& directory() const noexcept;  ///< Absolute, without links.
  std::uint64_t max_bytes() const;

 private:
  explicit Manager(std::shared_ptr<const detail::ManagerScope> scope) : ManagerChange(std::move(scope)) {}
};

}  // namespace nodewise
