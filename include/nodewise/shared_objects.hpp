// Small objects with names, which processes share: values, arrays, mutexes, events and barriers. They lie in
// a segment (segment.hpp), which is memory that several processes map.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <nodewise/deadline.hpp>
#include <nodewise/expects.hpp>
#include <nodewise/export.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/stop.hpp>

namespace nodewise {

enum class SharedObjectKind : unsigned char { value, array, mutex, event, barrier };
NODEWISE_PUBLIC std::string_view to_string(SharedObjectKind kind) noexcept;

/// A type that can lie in shared memory, because its bytes mean the same in every process. The bytes of a
/// pointer do not, so this concept rejects pointers. It cannot see a pointer inside a T.
template <class T>
concept SharedData = std::is_trivially_copyable_v<T> && std::default_initializable<T> &&
                     std::is_same_v<T, std::remove_cv_t<T>> && !std::is_pointer_v<T> &&
                     !std::is_member_pointer_v<T> && !std::is_array_v<T> && alignof(T) <= 128;

namespace detail {

/// Integers of 128 bits, which are std::integral only with the compiler's extensions switched on.
#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 SignedWide;
__extension__ typedef unsigned __int128 Wide;
#else
using SignedWide = std::int64_t;
using Wide = std::uint64_t;
#endif

template <class T>
inline constexpr bool is_integer = (std::is_integral_v<T> && !std::is_same_v<T, bool>) ||
                                   std::is_same_v<T, SignedWide> || std::is_same_v<T, Wide>;

/// How many leading bytes make up the value of a T. An x87 long double has ten such bytes. The rest are
/// padding, which may differ between equal numbers.
template <class T>
constexpr std::size_t meaningful_bytes() noexcept {
  constexpr int x87_digits = 64;
  constexpr std::size_t x87_bytes = 10;
  return std::numeric_limits<T>::digits == x87_digits && std::is_floating_point_v<T> ? x87_bytes : sizeof(T);
}

/// What two programs compare before they share a T. Number types have names that do not depend on the
/// compiler ("i32", "f64", ...); the names of other types are the compiler's.
struct SharedType {
  std::string_view name;
  std::uint64_t bytes = 0;
  std::uint64_t alignment = 0;
};

template <class T>
std::string_view type_name() noexcept {
  if constexpr (std::is_same_v<T, bool>)
    return "bool";
  else if constexpr (std::is_same_v<T, float>)
    return "f32";
  else if constexpr (std::is_same_v<T, double>)
    return "f64";
  else if constexpr (std::is_same_v<T, long double>)
    return "long double";
  else if constexpr (!is_integer<T>)
    return typeid(T).name();
  else if constexpr (T(-1) < T(0))
    return sizeof(T) == 1   ? "i8"
           : sizeof(T) == 2 ? "i16"
           : sizeof(T) == 4 ? "i32"
           : sizeof(T) == 8 ? "i64"
                            : "i128";
  else
    return sizeof(T) == 1   ? "u8"
           : sizeof(T) == 2 ? "u16"
           : sizeof(T) == 4 ? "u32"
           : sizeof(T) == 8 ? "u64"
                            : "u128";
}

template <class T>
SharedType shared_type() noexcept {
  return {type_name<T>(), sizeof(T), alignof(T)};
}

/// The address of an object, and the owner that keeps its segment mapped.
struct SharedPlace {
  std::shared_ptr<const void> segment;
  std::byte* at = nullptr;
};

/// Converts a T of at most eight bytes to a word, and back.
template <class T>
std::uint64_t to_word(const T& value) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, static_cast<const void*>(&value), sizeof(T));
  return word;
}
template <class T>
T from_word(std::uint64_t word) noexcept {
  T value{};
  std::memcpy(static_cast<void*>(&value), &word, sizeof(T));
  return value;
}

/// Reads a value of more than eight bytes. The result is never a mixture of two values.
NODEWISE_PUBLIC void read_large(std::byte* at, void* value, std::size_t bytes);

/// While a LargeWriter exists, no other writer can write the same value. Throws SystemError (EDEADLK) if the
/// calling thread is already writing this value.
class NODEWISE_PUBLIC LargeWriter {
 public:
  LargeWriter(std::byte* at, std::size_t bytes);
  ~LargeWriter();
  LargeWriter(const LargeWriter&) = delete;
  LargeWriter& operator=(const LargeWriter&) = delete;
  void read(void* value) const noexcept;
  void write(const void* value) noexcept;

 private:
  std::byte* at_;
  std::size_t bytes_;
};

}  // namespace detail

/// A T that can be compared byte by byte: a type without padding, or a floating-point type (0.0 and -0.0 then
/// differ).
template <class T>
concept SharedComparable = SharedData<T> &&
    (std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>);

template <class T>
concept SharedInteger = SharedData<T> && detail::is_integer<T>;

/// A T that processes read and change as a whole: no process sees half of a change, even if the process that
/// makes the change is killed. Copies are handles of the same value. Thread class: any thread.
template <SharedData T>
class SharedValue {
 public:
  /// Values of up to eight bytes are one atomic word. Larger values have one writer at a time; readers wait
  /// only if writers follow one another without a pause.
  static constexpr bool is_lock_free() noexcept { return sizeof(T) <= sizeof(std::uint64_t); }

  T load() const {
    if constexpr (is_lock_free()) {
      return detail::from_word<T>(word().load());
    } else {
      T value{};
      detail::read_large(place_.at, &value, sizeof(T));
      return value;
    }
  }
  void store(const T& value) const {
    if constexpr (is_lock_free())
      word().store(detail::to_word(value));
    else
      detail::LargeWriter(place_.at, sizeof(T)).write(&value);
  }
  /// Stores `value`; returns the previous value.
  T exchange(const T& value) const {
    return change([&](const T&) { return value; }).before;
  }
  /// Stores `desired` if the value equals `expected` byte by byte (0.0 and -0.0 differ). Otherwise copies the
  /// current value to `expected`. Returns whether `desired` was stored.
  bool compare_exchange(T& expected, const T& desired) const requires SharedComparable<T> {
    if constexpr (is_lock_free()) {
      std::uint64_t was = detail::to_word(expected);
      if (word().compare_exchange_strong(was, detail::to_word(desired))) return true;
      expected = detail::from_word<T>(was);
      return false;
    } else {
      detail::LargeWriter writer(place_.at, sizeof(T));
      T was{};
      writer.read(&was);
      const bool same = std::memcmp(&was, &expected, detail::meaningful_bytes<T>()) == 0;
      if (same)
        writer.write(&desired);
      else
        expected = was;
      return same;
    }
  }
  /// Stores `next(value)` and returns it. For values of up to eight bytes, `next` may be called several
  /// times. For larger values it is called once, while other writers wait. If `next` throws, the value does
  /// not change, and the exception is passed on.
  template <class Next>
  requires std::is_invocable_r_v<T, Next&, const T&> T update(Next next)
  const { return change(next).after; }

  // These five are for integers, which wrap around as unsigned integers do. Each returns the previous value.
  T fetch_add(T more) const requires SharedInteger<T> { return fetch(more, std::plus<>()); }
  T fetch_sub(T less) const requires SharedInteger<T> { return fetch(less, std::minus<>()); }
  T fetch_and(T bits) const requires SharedInteger<T> { return fetch(bits, std::bit_and<>()); }
  T fetch_or(T bits) const requires SharedInteger<T> { return fetch(bits, std::bit_or<>()); }
  T fetch_xor(T bits) const requires SharedInteger<T> { return fetch(bits, std::bit_xor<>()); }

 private:
  friend class SharedObjects;
  struct Change {
    T before;
    T after;
  };
  explicit SharedValue(detail::SharedPlace place) noexcept : place_(std::move(place)) {}

  std::atomic<std::uint64_t>& word() const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(place_.at);
  }
  template <class Next>
  Change change(Next&& next) const {
    if constexpr (is_lock_free()) {
      for (std::uint64_t was = word().load();;) {
        const T before = detail::from_word<T>(was);
        const auto after = static_cast<T>(next(before));
        if (word().compare_exchange_weak(was, detail::to_word(after))) return {before, after};
      }
    } else {
      detail::LargeWriter writer(place_.at, sizeof(T));
      T before{};
      writer.read(&before);
      const auto after = static_cast<T>(next(std::as_const(before)));
      writer.write(&after);
      return {before, after};
    }
  }
  template <class Operation>
  T fetch(T other, Operation operation) const {
    using Unsigned = std::conditional_t<(sizeof(T) > sizeof(std::uint64_t)), detail::Wide, std::uint64_t>;
    return change([&](const T& value) {
             return static_cast<T>(operation(static_cast<Unsigned>(value), static_cast<Unsigned>(other)));
           })
        .before;
  }

  detail::SharedPlace place_;
};

/// An array whose elements are 0 at first. Elements are plain memory: callers must order accesses to the same
/// element if one of them is a write, for example by a SharedMutex. Copies are handles of the same array.
/// Thread class: immutable, except the elements.
template <SharedData T>
class SharedArray {
 public:
  using value_type = T;
  T* data() const noexcept { return reinterpret_cast<T*>(place_.at); }  ///< Aligned to 128.
  std::size_t size() const noexcept { return size_; }
  /// Precondition: i < size().
  NODEWISE_EXPECTS_INLINE T& operator[](std::size_t i) const noexcept {
    NODEWISE_EXPECTS(i < size_);
    return data()[i];
  }
  T* begin() const noexcept { return data(); }
  T* end() const noexcept { return data() + size_; }
  /// Valid as long as a copy of this array exists.
  std::span<T> span() const noexcept { return {data(), size_}; }

 private:
  friend class SharedObjects;
  SharedArray(detail::SharedPlace place, std::size_t size) noexcept : place_(std::move(place)), size_(size) {}
  detail::SharedPlace place_;
  std::size_t size_;
};

/// A mutex between processes. If a process dies while it holds the mutex, the data that the mutex guards may
/// be half changed. Then every attempt to lock the mutex throws OwnerDied, until the data is repaired by
/// repair() or when_owner_died(). Not recursive. The mutex works with std::lock_guard, std::unique_lock and
/// std::scoped_lock. Copies are handles of the same mutex. Precondition: the mutex is unlocked when the last
/// copy is destroyed. Thread class: any thread; when_owner_died() one thread at a time.
class NODEWISE_PUBLIC SharedMutex {
 public:
  /// Throws OwnerDied if a process died while it held the mutex, and the data was not repaired since; the
  /// caller then does not hold the mutex. Throws SystemError (EDEADLK) if the calling thread holds the mutex
  /// already.
  void lock() const;
  /// Returns false if the mutex is held, by the calling thread or another one. Throws OwnerDied as lock()
  /// does.
  bool try_lock() const;
  /// These three return false if the time ends before the mutex is locked. They throw as lock() does.
  template <class Rep, class Period>
  bool try_lock_for(const std::chrono::duration<Rep, Period>& time) const {
    return try_lock_until(detail::after(time));
  }
  bool try_lock_until(std::chrono::steady_clock::time_point until) const;
  template <class Clock, class Duration>
  bool try_lock_until(const std::chrono::time_point<Clock, Duration>& until) const {
    while (!try_lock_for(detail::left_until(until)))
      if (detail::left_until(until) <= detail::Seconds::zero()) return false;
    return true;
  }
  /// Does nothing if the calling thread does not hold the mutex. A forked child does not hold the mutexes
  /// that its parent holds.
  void unlock() const noexcept;

  /// Locks the mutex. If a process died while it held the mutex, calls `repair`, and marks the data as
  /// repaired. Then unlocks the mutex. Returns whether `repair` was called. If `repair` throws, or the
  /// process dies while `repair` runs, the data is not marked as repaired. Throws SystemError as lock() does,
  /// and what `repair` throws.
  bool repair(const std::function<void()>& repair) const;
  /// After this call, lock() and the try_ functions never throw OwnerDied: instead, they call `repair` while
  /// the mutex is held, and then succeed. This is so for this handle, and for copies that are made of this
  /// handle later. Thread class: one thread at a time.
  void when_owner_died(std::function<void()> repair);

 private:
  friend class SharedObjects;
  explicit SharedMutex(detail::SharedPlace place) noexcept : place_(std::move(place)) {}
  bool finish_lock(int outcome, const char* call) const;
  void finish_repair(const std::function<void()>& repair) const;
  detail::SharedPlace place_;
  std::function<void()> repair_;
};

/// A flag that processes can wait for. If a process dies in set(), processes that wait may notice the flag
/// some fifty milliseconds late. Copies are handles of the same event. Thread class: any thread.
class NODEWISE_PUBLIC SharedEvent {
 public:
  /// Sets the flag and releases all waiting threads, even if the flag is cleared immediately afterwards.
  void set() const noexcept;
  void clear() const noexcept;
  bool is_set() const noexcept;
  /// Waits until the flag is set.
  void wait() const noexcept;
  /// Waits until the flag is set, but at most for `timeout`. Returns whether the flag was set.
  template <class Rep, class Period>
  bool wait_for(const std::chrono::duration<Rep, Period>& timeout) const noexcept {
    const auto until = detail::after(timeout);
    return wait_until(&until);
  }

 private:
  friend class SharedObjects;
  explicit SharedEvent(detail::SharedPlace place) noexcept : place_(std::move(place)) {}
  bool wait_until(const std::chrono::steady_clock::time_point* until) const noexcept;
  detail::SharedPlace place_;
};

/// A barrier blocks its callers until a fixed number of parties have arrived. Then it releases all of them,
/// and the next phase begins. A caller that is killed while it waits still counts as arrived. Copies are
/// handles of the same barrier. Thread class: any thread.
class NODEWISE_PUBLIC SharedBarrier {
 public:
  /// Waits for the other parties. Returns how many of them had arrived before: each number from 0 to
  /// parties() - 1 is returned to one caller. Throws BrokenBarrier if the barrier is already broken when this
  /// is called, or if it gets broken or is reset during the wait. In rare cases this throws although all
  /// parties had arrived: if a later phase is broken or reset before this caller wakes up.
  unsigned arrive_and_wait() const;
  /// As arrive_and_wait(), but a caller that has waited for `timeout` breaks the barrier for all parties, and
  /// throws BrokenBarrier.
  template <class Rep, class Period>
  unsigned wait_for(const std::chrono::duration<Rep, Period>& timeout) const {
    const auto until = detail::after(timeout);
    return arrive(&until, nullptr);
  }
  /// As the two above. In addition, a caller whose token is requested during the wait breaks the barrier for
  /// all parties, and throws Stopped. The token is polled every fifty milliseconds, and when a signal was
  /// handled.
  unsigned arrive_and_wait(const Stop& stop) const { return arrive(nullptr, &stop); }
  template <class Rep, class Period>
  unsigned wait_for(const std::chrono::duration<Rep, Period>& timeout, const Stop& stop) const {
    const auto until = detail::after(timeout);
    return arrive(&until, &stop);
  }
  /// Breaks the barrier: callers that wait, and later callers, get BrokenBarrier until reset() is called.
  void give_up() const noexcept;
  /// Makes a broken barrier usable again. Callers that wait get BrokenBarrier.
  void reset() const noexcept;

  unsigned parties() const noexcept { return parties_; }
  unsigned waiting() const noexcept;  ///< The number of parties that have arrived in this phase.
  bool broken() const noexcept;

 private:
  friend class SharedObjects;
  SharedBarrier(detail::SharedPlace place, unsigned parties) noexcept
      : place_(std::move(place)), parties_(parties) {}
  unsigned arrive(const std::chrono::steady_clock::time_point* until, const Stop* stop) const;
  detail::SharedPlace place_;
  unsigned parties_;
};

struct SharedObjectsOptions {
  /// Room for the objects, in bytes. An object takes its size, rounded up to a multiple of 128 bytes: r
  /// bytes. A value of more than 8 bytes takes 2 r + 128 bytes. create() populates all pages.
  std::uint64_t bytes = std::uint64_t{1} << 20;
  bool keep = false;  ///< As SegmentOptions::keep.
};

/// What list() reports about an object.
struct SharedObjectInfo {
  std::string name;
  SharedObjectKind kind = SharedObjectKind::value;
  /// The type of the value, or of the elements: "i32", "f64", ..., or the compiler's name.
  std::string type;
  std::uint64_t element_bytes = 0;
  std::uint64_t count = 0;  ///< The number of elements of an array, or of parties of a barrier; else 1.
  std::uint64_t bytes = 0;  ///< The room that the object takes.
};

/// Objects with names, in a segment of their own. The first process that asks for a name makes the object;
/// every other process gets the same one. Processes may start, end, fork and be killed at any moment. If the
/// maker of an object is killed before the object is finished, the object does not exist. Objects live as
/// long as their segment; they cannot be removed one by one. A segment has at most 512 objects, with names of
/// 1 to 63 bytes.
///
/// All processes must be in the same pid namespace, because the kernel identifies the owner of a mutex by a
/// thread number, which is another one in each namespace. Copies share the segment, and handles of objects
/// keep it mapped. Thread class: any thread.
class NODEWISE_PUBLIC SharedObjects {
 public:
  /// Makes a segment called `name`. An empty name makes a memfd, which forked children inherit, and which
  /// other processes open by its descriptor. Throws InvalidArgument (bad size or name), SystemError (EEXIST:
  /// the name is taken) and PlacementError (no room). Cost: some system calls, and populating the pages.
  static SharedObjects create(const std::string& name, const SharedObjectsOptions& options = {});
  /// Opens a segment that exists. Throws what Segment::open throws, InvalidArgument if the segment holds
  /// something else, and SystemError (ENOTSUP) if the segment was made in another pid namespace. If a killed
  /// job left the segment (its maker is dead, no process holds it, and it is not kept), it is removed first.
  /// open() then throws SystemError (ENOENT), as for a name that does not exist.
  static SharedObjects open(const std::string& name, const Patience& patience = {});
  static SharedObjects open_descriptor(int descriptor);
  /// Opens the segment called `name` as open() does, or makes it if there is none. `options` are used only to
  /// make it. If several processes call this at the same time, one of them makes the segment, and the others
  /// wait. Throws as create() and open().
  static SharedObjects open_or_create(const std::string& name, const SharedObjectsOptions& options = {});

  // Each of these five returns the object called `name`, and makes the object if it does not exist. They
  // throw InvalidArgument if the name is not valid, or if the object has another kind, type or size;
  // OutOfMemory if there is no room; FormatError if the directory of objects is damaged. Cost: some hundred
  // nanoseconds for each object in the segment, so call them once for an object, and keep the handle.

  /// The value is `initial` if this call makes the object.
  template <SharedData T>
  SharedValue<T> value(const std::string& name, const T& initial = {}) const {
    return SharedValue<T>(get(name, SharedObjectKind::value, detail::shared_type<T>(), 1, &initial));
  }
  template <SharedData T>
  SharedArray<T> array(const std::string& name, std::size_t count) const {
    return SharedArray<T>(get(name, SharedObjectKind::array, detail::shared_type<T>(), count), count);
  }
  SharedMutex mutex(const std::string& name) const;
  SharedEvent event(const std::string& name) const;  ///< Not set at first.
  /// For 1 to 65535 parties.
  SharedBarrier barrier(const std::string& name, unsigned parties) const;

  /// All objects, in the order in which they were made. Throws FormatError.
  std::vector<SharedObjectInfo> list() const;
  std::uint64_t bytes_left() const;          ///< Throws FormatError.
  const std::string& name() const noexcept;  ///< Empty for a memfd.
  /// The descriptor of a memfd, for sending it to other processes; else -1.
  int descriptor() const noexcept;
  /// Removes the name now, as Segment::remove does.
  void remove() const;

 private:
  struct State;
  explicit SharedObjects(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  static SharedObjects opened(std::shared_ptr<SegmentFile> file);
  detail::SharedPlace get(const std::string& name, SharedObjectKind kind, const detail::SharedType& type,
                          std::uint64_t count, const void* initial = nullptr) const;
  std::shared_ptr<State> state_;
};

}  // namespace nodewise
