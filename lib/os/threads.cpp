#include "os/threads.hpp"

#include <limits.h>
#include <pthread.h>

#include <algorithm>
#include <latch>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "os/cgroup.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"

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

void add(std::string& list, const std::string& limit) {
  list += list.empty() ? limit : ", " + limit;
}

// Lines of /proc/self/limits are "Max address space  SOFT  HARD  bytes".
void add_limit(std::string& list, const std::string& limits, std::string_view row, const char* name,
               bool bytes) {
  const auto at = limits.find(row);
  if (at == limits.npos) return;
  std::istringstream rest(limits.substr(at + row.size(), 40));
  std::uint64_t soft = 0;
  if (rest >> soft) add(list, base::text(name, " = ", bytes ? base::human_bytes(soft) : base::text(soft)));
}

void add_groups(std::string& list) {
  for (const char* controller : {"", "pids"})
    for (const std::string& folder : group_folders(controller)) {
      const auto most = number_in(folder + "/pids.max");
      const auto used = number_in(folder + "/pids.current");
      if (most)
        add(list, base::text("pids.max of ", folder, " = ", *most, " (", used.value_or(0), " in use)"));
    }
}

void add_overcommit(std::string& list) {
  constexpr std::uint64_t never = 2;
  if (number_in("/proc/sys/vm/overcommit_memory") != never) return;
  const auto meminfo = current().read_text("/proc/meminfo");
  add(list, base::text("vm.overcommit_memory = 2 (",
                       base::human_bytes(meminfo_bytes(meminfo.value, "Committed_AS:")), " of ",
                       base::human_bytes(meminfo_bytes(meminfo.value, "CommitLimit:")), " in use)"));
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

std::string thread_limits() {
  std::string list;
  add_groups(list);
  const auto limits = current().read_text("/proc/self/limits");
  add_limit(list, limits.value, "Max processes", "RLIMIT_NPROC (ulimit -u)", false);
  add_limit(list, limits.value, "Max address space", "RLIMIT_AS (ulimit -v)", true);
  add_limit(list, limits.value, "Max data size", "RLIMIT_DATA (ulimit -d)", true);
  add_overcommit(list);
  if (const auto most = number_in("/proc/sys/kernel/threads-max"))
    add(list, base::text("kernel.threads-max = ", *most));
  return list;
}

}  // namespace nodewise::os
