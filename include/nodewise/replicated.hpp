// Small data that is read on all NUMA nodes and rarely written: each node has a copy.
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

/// What the copies cost.
struct ReplicaCost {
  /// The bytes taken from the pool of each node, by logical index.
  std::vector<std::uint64_t> bytes_on_node;
  /// How long it took to make the present copies, in seconds.
  double seconds = 0;
};

namespace detail {

/// The part of Replicated that does not depend on T: the memory of the copies, and the entry in the report.
class NODEWISE_PUBLIC Replicas {
 public:
  Replicas(NodePools& pools, std::string name);
  ~Replicas();
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  /// The number of copies: one for each node that has memory.
  std::size_t copies() const noexcept;
  std::pmr::memory_resource& memory(std::size_t copy) const noexcept;
  /// The index of the copy that the calling thread reads.
  std::size_t local_copy() const;
  /// The index of the copy for `node`. Throws OutOfRange.
  std::size_t copy_of(unsigned node) const;
  ReplicaCost cost() const;
  std::uint64_t version() const noexcept;
  /// Records that new copies have replaced the old ones, and that making them took `seconds`.
  void renewed(double seconds) noexcept;
  std::string to_json() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A T. Its memory, and the memory of everything that it holds, comes from one resource.
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

// Whether a T takes its memory from a resource that it is given; see Replicable.
template <class T>
inline constexpr bool takes_memory = std::uses_allocator_v<T, std::pmr::polymorphic_allocator<>>;
template <class First, class Second>  // a pair passes the resource to its members
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

/// A T that can be copied to a node with everything that it holds. Either it is trivially copyable; or it
/// takes all its memory from a std::pmr::memory_resource (as std::pmr::vector does, but std::vector does
/// not), and its elements are Replicable. Pointers are copied as they are; the data that they point to is not
/// copied.
template <class T>
concept Replicable = detail::is_replicable<T>();

/// A value that has a copy on every node that has memory. Thread class: value; update() invalidates the
/// references that local() and on() gave.
template <Replicable T>
class Replicated {
 public:
  /// Copies `value` to each node. `name` is used in the report. Precondition, which cannot be checked:
  /// `pools` outlives this object. Throws what the pools throw, usually OutOfMemory; no copy remains then.
  Replicated(NodePools& pools, const T& value, std::string name = {})
      : replicas_(std::make_unique<detail::Replicas>(pools, std::move(name))) {
    update(value);
  }
  Replicated(Replicated&&) noexcept = default;

  /// The copy on the node on which the calling thread runs. Cost: some tens of nanoseconds, so call it once
  /// for each worker.
  const T& local() const { return copies_[replicas_->local_copy()].value(); }
  /// The copy on `node` (logical index), or on the nearest node that has memory. Throws OutOfRange.
  const T& on(unsigned node) const { return copies_[replicas_->copy_of(node)].value(); }

  /// Copies `value` to each node, and then destroys the old copies. If copying throws, the old copies stay.
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
  /// 1 at first, and 1 more after each update().
  std::uint64_t version() const noexcept { return replicas_->version(); }
  ReplicaCost cost() const { return replicas_->cost(); }

 private:
  std::unique_ptr<detail::Replicas> replicas_;
  std::vector<detail::Replica<T>> copies_;  // destroyed before the memory
};

}  // namespace nodewise
