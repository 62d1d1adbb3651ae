// SharedMutex is a robust mutex with a word `suspect`, which says that the guarded data may be half changed.
// The word is set before the mutex is made consistent, and cleared after the repair; the mutex is held both
// times. If a process dies in between, either the word is set, or the next owner of the mutex sets it.
#include <cerrno>

#include <nodewise/error.hpp>

#include "base/mark.hpp"
#include "objects/layout.hpp"

namespace nodewise {
namespace {

objects::MutexCell& cell_at(const detail::SharedPlace& place) noexcept {
  return *reinterpret_cast<objects::MutexCell*>(place.at);
}

// Returns true if the mutex is locked now, and false if the time is over. Throws for every other outcome.
bool take(objects::MutexCell& cell, int outcome, const char* call) {
  switch (outcome) {
    case 0:
      return true;
    case EOWNERDEAD:
      cell.suspect.store(1, std::memory_order_relaxed);
      base::pass(base::Mark::mutex_suspect);
      cell.mutex.make_consistent();
      return true;
    case EBUSY:
    case ETIMEDOUT:
      return false;
    default:
      throw SystemError(base::text("SharedMutex::", call,
                                   outcome == EDEADLK ? ": the calling thread holds it already" : ""),
                        outcome);
  }
}

}  // namespace

// Precondition, which cannot be checked here: the mutex is held. If `repair` throws, the mutex is unlocked.
void SharedMutex::finish_repair(const std::function<void()>& repair) const {
  objects::MutexCell& cell = cell_at(place_);
  try {
    repair();
  } catch (...) {
    cell.mutex.unlock();
    throw;
  }
  base::pass(base::Mark::mutex_repaired);
  cell.suspect.store(0, std::memory_order_relaxed);
}

bool SharedMutex::finish_lock(int outcome, const char* call) const {
  objects::MutexCell& cell = cell_at(place_);
  if (!take(cell, outcome, call)) return false;
  if (cell.suspect.load(std::memory_order_relaxed) == 0) return true;
  if (repair_) {
    finish_repair(repair_);
    return true;
  }
  cell.mutex.unlock();
  throw OwnerDied(base::text(
      "SharedMutex::", call,
      ": a process died while it held the mutex, and the guarded data may be half changed: repair it "
      "(SharedMutex::repair, SharedMutex::when_owner_died)"));
}

void SharedMutex::lock() const {
  finish_lock(cell_at(place_).mutex.lock(), "lock");
}

bool SharedMutex::try_lock() const {
  const int outcome = cell_at(place_).mutex.try_lock();
  return finish_lock(outcome == EDEADLK ? EBUSY : outcome, "try_lock");
}

bool SharedMutex::try_lock_until(std::chrono::steady_clock::time_point until) const {
  return finish_lock(cell_at(place_).mutex.lock_until(until), "try_lock_until");
}

void SharedMutex::unlock() const noexcept {
  cell_at(place_).mutex.unlock();
}

bool SharedMutex::repair(const std::function<void()>& repair) const {
  objects::MutexCell& cell = cell_at(place_);
  take(cell, cell.mutex.lock(), "repair");
  const bool suspect = cell.suspect.load(std::memory_order_relaxed) != 0;
  if (suspect) finish_repair(repair);
  cell.mutex.unlock();
  return suspect;
}

void SharedMutex::when_owner_died(std::function<void()> repair) {
  repair_ = std::move(repair);
}

}  // namespace nodewise
