#include "os/threads.hpp"

#include <limits.h>
#include <pthread.h>

#include <algorithm>
#include <latch>
#include <vector>

namespace nodewise::os {
namespace {

// Thread attributes for a stack of this size; 0: the default.
class Attributes {
 public:
  explicit Attributes(std::size_t stack_bytes) {
    error_ = ::pthread_attr_init(&attributes_);
    if (error_ != 0 || stack_bytes == 0) return;
    const auto least = static_cast<std::size_t>(PTHREAD_STACK_MIN);
    error_ = ::pthread_attr_setstacksize(&attributes_, std::max(stack_bytes, least));
  }
  ~Attributes() { ::pthread_attr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  int error() const noexcept { return error_; }
  const pthread_attr_t* get() const noexcept { return &attributes_; }

 private:
  pthread_attr_t attributes_{};
  int error_ = 0;
};

void* wait_for(void* all_started) {
  static_cast<std::latch*>(all_started)->wait();
  return nullptr;
}

}  // namespace

Result<unsigned> start_and_end_threads(unsigned count, std::size_t stack_bytes) {
  const Attributes attributes(stack_bytes);
  if (attributes.error() != 0) return {0, attributes.error()};
  std::vector<pthread_t> threads;
  threads.reserve(count);
  std::latch all_started(1);
  int error = 0;
  while (error == 0 && threads.size() < count) {
    pthread_t thread{};
    error = ::pthread_create(&thread, attributes.get(), wait_for, &all_started);
    if (error == 0) threads.push_back(thread);
  }
  all_started.count_down();
  for (const pthread_t thread : threads) ::pthread_join(thread, nullptr);
  return {static_cast<unsigned>(threads.size()), error};
}

std::size_t default_stack_bytes() noexcept {
  pthread_attr_t attributes{};
  std::size_t bytes = 0;
  if (::pthread_getattr_default_np(&attributes) != 0) return 0;
  if (::pthread_attr_getstacksize(&attributes, &bytes) != 0) bytes = 0;
  ::pthread_attr_destroy(&attributes);
  return bytes;
}

}  // namespace nodewise::os
