// Small data that is read everywhere and rarely written, with one copy on each node.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <nodewise/export.hpp>
#include <nodewise/node_pools.hpp>

namespace nodewise {

/// What replicas cost.
struct ReplicaCost {
  /// Bytes taken from each node's pool, by the node's logical index.
  std::vector<std::uint64_t> bytes_on_node;
  /// How long making the present copies took.
  double seconds = 0;
};

namespace detail {

/// The part of a Replicated that does not depend on its type: the memory of its copies, and its entry in the
/// report.
class NODEWISE_PUBLIC Replicas {
 public:
  Replicas(NodePools& pools, std::string name);
  ~Replicas();
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  /// How many copies there are: one for each node that has memory.
  std::size_t copies() const noexcept;
  std::pmr::memory_resource& memory(std::size_t copy) const noexcept;
  /// The index of the calling thread's copy, and of a node's copy. Throws OutOfRange.
  std::size_t local_copy() const;
  std::size_t copy_of(unsigned node) const;
  ReplicaCost cost() const;
  std::uint64_t version() const noexcept;
  /// Records that new copies, made in `seconds`, have replaced the old ones.
  void renewed(double seconds) noexcept;
  std::string to_json() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A T whose memory, and the memory of everything it holds, comes from one resource.
template <class T>
class Replica {
 public:
  Replica(std::pmr::memory_resource& memory, const T& value)
      : allocator_(&memory), value_(allocator_.template new_object<T>(value)) {}
  ~Replica() {
    if (value_ != nullptr) allocator_.delete_object(value_);
  }
  Replica(Replica&& other) noexcept
      : allocator_(other.allocator_), value_(std::exchange(other.value_, nullptr)) {}
  Replica& operator=(Replica&&) = delete;

  const T& value() const noexcept { return *value_; }

 private:
  std::pmr::polymorphic_allocator<> allocator_;
  T* value_;
};

// Whether a T can be copied to a node with everything it holds; see Replicable.
template <class T>
inline constexpr bool takes_memory = std::uses_allocator_v<T, std::pmr::polymorphic_allocator<>>;
template <class First, class Second>  // hands it on
inline constexpr bool takes_memory<std::pair<First, Second>> = true;

template <class T>
constexpr bool is_replicable();

template <class T, std::size_t... i>
constexpr bool all_replicable(std::index_sequence<i...>) {
  return (is_replicable<std::remove_const_t<std::tuple_element_t<i, T>>>() && ...);
}

template <class T>
constexpr bool is_replicable() {
  if constexpr (std::is_trivially_copyable_v<T>)
    return true;
  else if constexpr (!takes_memory<T>)
    return false;
  else if constexpr (requires { std::tuple_size<T>::value; })
    return all_replicable<T>(std::make_index_sequence<std::tuple_size_v<T>>());
  else if constexpr (requires { typename T::value_type; })
    return is_replicable<typename T::value_type>();
  else
    return true;
}

}  // namespace detail

/// A T that can be copied to a node with everything it holds. T is trivially copyable, or takes the memory of
/// what it holds from a std::pmr::memory_resource (std::pmr::vector, not std::vector) and has elements that
/// are Replicable. Pointers are copied as they are: the data that they point to stays where it is.
template <class T>
concept Replicable = detail::is_replicable<T>();

/// A value of which every node with memory has a copy of its own.
/// Thread class: value; update() ends what local() and on() gave.
template <Replicable T>
class Replicated {
 public:
  /// Copies `value` to each node. `name` is for the report. Precondition: `pools` outlives this, which no
  /// check could see. Throws what the pools throw, OutOfMemory mostly; then nothing is left behind.
  Replicated(NodePools& pools, const T& value, std::string name = {})
      : replicas_(std::make_unique<detail::Replicas>(pools, std::move(name))) {
    update(value);
  }
  Replicated(Replicated&&) noexcept = default;

  /// The copy on the node where the calling thread runs. Cost: some tens of nanoseconds; call it once for
  /// each worker.
  const T& local() const { return copies_[replicas_->local_copy()].value(); }
  /// The copy on `node` (logical index), or on the nearest node that has memory. Throws OutOfRange.
  const T& on(unsigned node) const { return copies_[replicas_->copy_of(node)].value(); }

  /// Copies another value to each node, and then destroys the old copies. If copying throws, the old copies
  /// stay.
  void update(const T& value) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<detail::Replica<T>> fresh;
    fresh.reserve(replicas_->copies());
    for (std::size_t copy = 0; copy < replicas_->copies(); ++copy)
      fresh.emplace_back(replicas_->memory(copy), value);
    copies_.swap(fresh);
    fresh.clear();
    replicas_->renewed(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  /// 1, and one more after each update().
  std::uint64_t version() const noexcept { return replicas_->version(); }
  ReplicaCost cost() const { return replicas_->cost(); }

 private:
  std::unique_ptr<detail::Replicas> replicas_;
  std::vector<detail::Replica<T>> copies_;  // destroyed before the memory
};

}  // namespace nodewise
