// Small things with names that processes share: values, arrays, mutexes, events and barriers.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
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

namespace nodewise {

enum class SharedObjectKind : unsigned char { value, array, mutex, event, barrier };
NODEWISE_PUBLIC std::string_view to_string(SharedObjectKind kind) noexcept;

/// What may lie in shared memory: bytes that mean the same to every process. Pointers do not, nor do they
/// inside a T, which nobody can see from here.
template <class T>
concept SharedData = std::is_trivially_copyable_v<T> && std::default_initializable<T> &&
                     std::is_same_v<T, std::remove_cv_t<T>> && !std::is_pointer_v<T> &&
                     !std::is_member_pointer_v<T> && !std::is_array_v<T> && alignof(T) <= 128;

namespace detail {

/// What two programs compare before they share a T: for numbers "i32", "f64" and the like, whatever they are
/// called; for others what this compiler calls them.
struct SharedType {
  std::string_view name;
  std::uint64_t bytes = 0;
  std::uint64_t alignment = 0;
};

template <class T>
constexpr std::string_view number_name() noexcept {
  if constexpr (std::is_same_v<T, bool>)
    return "bool";
  else if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? "f32" : sizeof(T) == 8 ? "f64" : "long double";
  else if constexpr (std::is_signed_v<T>)
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
  if constexpr (std::is_arithmetic_v<T>)
    return {number_name<T>(), sizeof(T), alignof(T)};
  else
    return {typeid(T).name(), sizeof(T), alignof(T)};
}

/// An object, and what keeps its segment mapped.
struct SharedPlace {
  std::shared_ptr<const void> segment;
  std::byte* at = nullptr;
};

/// A T of at most eight bytes as a word, and back.
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

/// Of more than eight bytes. Never half a value.
NODEWISE_PUBLIC void read_large(std::byte* at, void* value, std::size_t bytes);

/// The only writer while it lives. Throws SystemError (EDEADLK: this thread is writing it already).
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

/// A T whose bytes alone say whether two are equal.
template <class T>
concept SharedComparable = SharedData<T> &&
    (std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>);

template <class T>
concept SharedInteger = std::integral<T> && !std::is_same_v<T, bool>;

/// A T that all read and change whole: nobody ever sees half of a change, also if who makes it is killed.
/// Copies are the same value. Thread class: any thread.
template <SharedData T>
class SharedValue {
 public:
  /// Values of up to eight bytes are one word. Larger ones are written by one at a time, and read without
  /// waiting for who writes.
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
  /// Stores `value`; returns what was there.
  T exchange(const T& value) const {
    return change([&](const T&) { return value; }).before;
  }
  /// Stores `desired` if the value is `expected`, byte for byte (so 0.0 is not -0.0); else reads it into
  /// `expected`. Whether it was stored.
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
      const bool same = std::memcmp(&was, &expected, sizeof(T)) == 0;
      if (same)
        writer.write(&desired);
      else
        expected = was;
      return same;
    }
  }
  /// Stores what `next` makes of the value, and returns it. `next` may be called several times; of a large
  /// value once, with all other writers waiting. Throws what it throws; then nothing is changed.
  template <class Next>
  requires std::is_invocable_r_v<T, Next&, const T&> T update(Next next)
  const { return change(next).after; }

  // Of integers; they run over as unsigned ones do. Each returns what was there.
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
    return change([&](const T& value) {
             return static_cast<T>(
                 operation(static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(other)));
           })
        .before;
  }

  detail::SharedPlace place_;
};

/// Elements side by side, zeros at first. They are plain memory: who writes while others read or write orders
/// that by other means, a SharedMutex mostly. Copies are the same array. Thread class: immutable but for the
/// elements, which are the callers'.
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
  std::span<T> span() const noexcept {
    return {data(), size_};
  }  ///< Ends with the last of this array's copies.

 private:
  friend class SharedObjects;
  SharedArray(detail::SharedPlace place, std::size_t size) noexcept : place_(std::move(place)), size_(size) {}
  detail::SharedPlace place_;
  std::size_t size_;
};

/// A mutex between processes, which outlives those who die holding it. What it guards may then be half
/// changed: so nobody gets it before that is repaired. Not recursive; for std::lock_guard, std::unique_lock
/// and std::scoped_lock, also of several. Copies are the same mutex. The last copy ends unlocked. Thread
/// class: any thread, when_owner_died() apart.
class NODEWISE_PUBLIC SharedMutex {
 public:
  /// Throws OwnerDied where somebody died with it (and does not have it then), SystemError (EDEADLK: the
  /// calling thread has it already).
  void lock() const;
  /// Throws OwnerDied. False too if the calling thread has it.
  bool try_lock() const;
  /// Throw as lock().
  template <class Rep, class Period>
  bool try_lock_for(const std::chrono::duration<Rep, Period>& time) const {
    return try_lock_until(detail::after(time));
  }
  bool try_lock_until(std::chrono::steady_clock::time_point until) const;
  template <class Clock, class Duration>
  bool try_lock_until(const std::chrono::time_point<Clock, Duration>& until) const {
    while (!try_lock_for(until - Clock::now()))
      if (Clock::now() >= until) return false;
    return true;
  }
  /// Nothing happens where the calling thread does not have it, as a child that was forked meanwhile does
  /// not.
  void unlock() const noexcept;

  /// Locks; if somebody died with it, calls `repair`, after which the data is taken for whole; unlocks. If
  /// `repair` throws, or the process dies in it, the data stays suspect. Returns whether there was something
  /// to repair. Throws SystemError as lock(), and what `repair` throws.
  bool repair(const std::function<void()>& repair) const;
  /// From now on locking by this handle, and by copies made of it, repairs by itself and goes on. `repair`
  /// runs with the mutex held. Thread class: one thread at a time.
  void when_owner_died(std::function<void()> repair);

 private:
  friend class SharedObjects;
  explicit SharedMutex(detail::SharedPlace place) noexcept : place_(std::move(place)) {}
  bool finish_lock(int outcome, const char* call) const;
  void finish_repair(const std::function<void()>& repair) const;
  detail::SharedPlace place_;
  std::function<void()> repair_;
};

/// A flag to wait for. Copies are the same event. Thread class: any thread. A wake-up that its caller died
/// over comes some fifty milliseconds late.
class NODEWISE_PUBLIC SharedEvent {
 public:
  /// Lets all go who wait, also if it is cleared at once.
  void set() const noexcept;
  void clear() const noexcept;
  bool is_set() const noexcept;
  /// Until it is set.
  void wait() const noexcept;
  /// Not longer than that: whether it was set.
  bool wait_for(std::chrono::nanoseconds timeout) const noexcept;

 private:
  friend class SharedObjects;
  explicit SharedEvent(detail::SharedPlace place) noexcept : place_(std::move(place)) {}
  bool wait_until(const std::chrono::steady_clock::time_point* until) const noexcept;
  detail::SharedPlace place_;
};

/// Lets nobody on before so many have arrived; then all, and begins anew. Who arrived counts, also if he is
/// killed while he waits. Copies are the same barrier. Thread class: any thread.
class NODEWISE_PUBLIC SharedBarrier {
 public:
  /// Waits for the others. Returns how many had come before: 0 to parties() - 1, each once. Throws
  /// BrokenBarrier if it is broken, or is broken or reset meanwhile; also, rarely, to one who sleeps while
  /// the others pass, come again, and break it.
  unsigned arrive_and_wait() const;
  /// The same; who has waited so long breaks the barrier for all, and throws.
  unsigned wait_for(std::chrono::nanoseconds timeout) const;
  /// Breaks it: who waits or comes gets BrokenBarrier, until it is reset.
  void give_up() const noexcept;
  /// Mends it. Who waits meanwhile gets BrokenBarrier.
  void reset() const noexcept;

  unsigned parties() const noexcept { return parties_; }
  unsigned waiting() const noexcept;  ///< Who have arrived.
  bool broken() const noexcept;

 private:
  friend class SharedObjects;
  SharedBarrier(detail::SharedPlace place, unsigned parties) noexcept
      : place_(std::move(place)), parties_(parties) {}
  unsigned arrive(const std::chrono::steady_clock::time_point* until) const;
  detail::SharedPlace place_;
  unsigned parties_;
};

struct SharedObjectsOptions {
  /// For the objects; each takes its size rounded up to 128, large values (over 8 bytes) twice theirs and 128
  /// more. All is made present at once.
  std::uint64_t bytes = std::uint64_t{1} << 20;
  bool keep = false;  ///< As SegmentOptions::keep.
};

/// An object as a list shows it.
struct SharedObjectInfo {
  std::string name;
  SharedObjectKind kind = SharedObjectKind::value;
  std::string type;  ///< Of a value or of elements: "i32", "f64", or what the compiler calls it.
  std::uint64_t element_bytes = 0;
  std::uint64_t count = 0;  ///< Elements of an array, parties of a barrier; else 1.
  std::uint64_t bytes = 0;  ///< That it takes.
};

/// Objects with names, in a segment of their own. Whoever asks for one first makes it; everybody else gets
/// the same. Processes may come, go, fork and be killed at any moment. What a killed maker left unfinished is
/// not there. Objects stay as long as their segment: none is removed singly. Up to 512; names of 1 to 63
/// bytes. All processes are of one pid namespace, as the kernel knows owners of mutexes by their numbers.
/// Copies share the segment, and so do objects, which keep it mapped. Thread class: any thread.
class NODEWISE_PUBLIC SharedObjects {
 public:
  /// Without a name: a memfd, which forked children have, and others get by its descriptor. Throws
  /// InvalidArgument (sizes, name), SystemError (EEXIST: the name is taken), PlacementError (no room). Cost:
  /// some system calls, and making the bytes present.
  static SharedObjects create(const std::string& name, const SharedObjectsOptions& options = {});
  /// Throws as Segment::open, InvalidArgument if the segment holds something else, and SystemError (ENOTSUP)
  /// if it was made in another pid namespace.
  static SharedObjects open(const std::string& name);
  static SharedObjects open_descriptor(int descriptor);
  /// Opens what has the name, whatever its options; else makes it. Of processes that do so at once, one makes
  /// it, and the others wait for that. Throws as both.
  static SharedObjects open_or_create(const std::string& name, const SharedObjectsOptions& options = {});

  // What has the name, or a new one. All throw InvalidArgument if it is of another kind, type or size, or the
  // name is none; OutOfMemory if there is no room; FormatError if the directory is damaged. Cost: some
  // hundred nanoseconds for each object there is; ask once, and keep what you get.

  /// Who makes it stores `initial`.
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

  /// In the order in which they were made. Throws FormatError.
  std::vector<SharedObjectInfo> list() const;
  std::uint64_t bytes_left() const;          ///< Throws FormatError.
  const std::string& name() const noexcept;  ///< Empty for a memfd.
  int descriptor() const noexcept;           ///< Of a memfd, to send to others; else -1.
  /// Takes the name away now, as Segment::remove.
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
