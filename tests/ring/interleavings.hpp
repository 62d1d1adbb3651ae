// Runs code under every interleaving of its threads' accesses to shared words, with a crash at any of them.
//
// Threads are fibers that give way before each access. What a thread will do depends on what it has read
// alone, so two moments with the same words and the same histories of reading have the same future: each is
// explored once. Where several steps are possible, all that a step can change is saved, the stacks of the
// fibers included, and put back for each of them: nothing is run twice. So a fiber's variables must not own
// memory outside of its stack. Memory is sequentially consistent here.
#pragma once

#include <ucontext.h>

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

namespace nodewise::test {

class Interleavings {
 public:
  static constexpr unsigned most_words = 16;

  /// Called by a thread before it looks at, or changes, a word.
  std::uint64_t load(unsigned word) {
    give_way();
    note(world_.words[word]);
    return world_.words[word];
  }
  void store(unsigned word, std::uint64_t value) {
    give_way();
    change(word, value);
  }
  bool replace(unsigned word, std::uint64_t expected, std::uint64_t value) {
    give_way();
    const bool same = world_.words[word] == expected;
    note(same ? 1 : 0);
    if (same) change(word, value);
    return same;
  }

  /// For a thread that found nothing to do: sleeps until a word has changed, or a thread has died or ended,
  /// since it called moment().
  std::uint64_t moment() noexcept { return threads_[running_]->moment = world_.changes; }
  /// A step that is no access: `look` tells what the thread learns by it.
  template <class Look>
  auto step(Look look) {
    give_way();
    const auto seen = look();
    note(static_cast<std::uint64_t>(seen));
    return seen;
  }
  void sleep(std::uint64_t since) {
    threads_[running_]->sleeps_since = since;
    give_way();
    threads_[running_]->sleeps_since = never;
  }
  /// Something has changed that is no word: who sleeps may look again.
  void awaken() noexcept { ++world_.changes; }
  /// For a thread at a point where all that it knows is `state`.
  void settle(std::uint64_t state) { threads_[running_]->history = state; }
  unsigned running() const noexcept { return running_; }
  bool is_dead(unsigned thread) const noexcept { return threads_[thread]->dead; }
  bool somebody_died() const noexcept { return world_.crashes > 0; }
  bool is_gone(unsigned thread) const noexcept { return is_dead(thread) || has_ended(thread); }
  bool has_ended(unsigned thread) const noexcept { return threads_[thread]->ended; }

  struct Program {
    unsigned words = 0;
    unsigned crashes = 0;         ///< How many threads may die in one run.
    std::function<void()> begin;  ///< Before each run: all words are 0.
    std::vector<std::function<void()>> threads;
    std::vector<bool> mortal;             ///< Which of them may die.
    std::function<std::uint64_t()> rest;  ///< What else the future depends on.
    std::span<std::byte> memory;          ///< What else the threads change: may be copied byte by byte.
    std::function<void()> end;            ///< After each run to its end; throws what is wrong.
  };

  /// Explores; throws what `end` or a thread throws, or that all threads sleep, with the choices that led
  /// there.
  void explore(const Program& program) {
    program_ = &program;
    std::vector<Node> path;
    start();
    path.push_back(node_here());
    while (!path.empty()) {
      Node& last = path.back();
      if (last.next == last.choices.size()) {
        path.pop_back();
        continue;
      }
      const Choice choice = last.choices[last.next++];
      if (world_.steps != path.size() - 1) restore(last.saved);  // what was run before went another way
      run(choice);
      path.push_back(node_here());
      last_path_ = &path;
    }
  }
  std::uint64_t states() const noexcept { return states_; }
  std::uint64_t ends() const noexcept { return ends_; }

 private:
  static constexpr std::uint64_t never = ~std::uint64_t{0};
  struct Choice {
    unsigned thread = 0;
    bool dies = false;
  };
  struct Node {
    std::vector<Choice> choices;
    std::size_t next = 0;
    std::vector<std::byte> saved;
  };
  struct World {
    std::array<std::uint64_t, most_words> words{};
    std::uint64_t changes = 0;
    std::uint64_t steps = 0;
    unsigned crashes = 0;
  };
  struct Progress {
    bool ended = false;
    bool dead = false;
    bool entered = false;
    std::uint64_t sleeps_since = never;
    std::uint64_t moment = 0;
    std::uint64_t history = 0;
    std::jmp_buf place{};
    std::size_t unused = 0;  // bytes at the low end of the stack
  };
  struct Thread : Progress {
    ucontext_t context{};
    std::vector<std::byte> stack = std::vector<std::byte>(std::size_t{32} << 10);
    std::string failure;
  };

  static std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) noexcept {
    hash ^= value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2);
    hash *= 0xff51afd7ed558ccd;
    return hash ^ hash >> 32;
  }
  void note(std::uint64_t value) {
    threads_[running_]->history = mixed(threads_[running_]->history, value + 1);
  }
  void change(unsigned word, std::uint64_t value) {
    note(77);
    if (world_.words[word] != value) ++world_.changes;
    world_.words[word] = value;
  }
  // swapcontext would save and restore the signal mask, by a system call.
  [[gnu::noinline]] void give_way() {
    constexpr std::size_t own_frame = 512;  // more than this function has below its frame's address
    Thread& thread = *threads_[running_];
    const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
    const auto below = static_cast<std::size_t>(here - thread.stack.data());
    thread.unused = below > own_frame ? below - own_frame : 0;
    if (_setjmp(thread.place) == 0) std::longjmp(scheduler_, 1);
  }

  static void enter(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<Interleavings*>(static_cast<std::uintptr_t>(high) << 32 | low);
    Thread& thread = *self->threads_[self->running_];
    try {
      self->program_->threads[self->running_]();
    } catch (const std::exception& error) {
      thread.failure = error.what();
    }
    thread.ended = true;
    std::longjmp(self->scheduler_, 1);
  }

  // Calls `copy` for each piece of memory that a step can change, always in the same order.
  template <class Copy>
  void each_piece(Copy copy) {
    copy(std::as_writable_bytes(std::span(&world_, 1)));
    copy(program_->memory);
    for (const auto& thread : threads_) {
      Progress& progress = *thread;
      copy(std::as_writable_bytes(std::span(&progress, 1)));
      copy(std::span(thread->stack).subspan(thread->unused));  // as its Progress says by now
    }
  }
  void save(std::vector<std::byte>& to) {
    each_piece([&](std::span<std::byte> piece) { to.insert(to.end(), piece.begin(), piece.end()); });
  }
  void restore(const std::vector<std::byte>& from) {
    const std::byte* next = from.data();
    each_piece([&](std::span<std::byte> piece) {
      std::memcpy(piece.data(), next, piece.size());
      next += piece.size();
    });
  }

  void start() {
    world_ = {};
    program_->begin();
    const auto count = program_->threads.size();
    if (threads_.size() != count) {
      threads_.clear();
      for (std::size_t i = 0; i < count; ++i) threads_.push_back(std::make_unique<Thread>());
    }
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    for (auto& thread : threads_) {
      static_cast<Progress&>(*thread) = {};
      ::getcontext(&thread->context);
      thread->context.uc_stack.ss_sp = thread->stack.data();
      thread->context.uc_stack.ss_size = thread->stack.size();
      ::makecontext(&thread->context, reinterpret_cast<void (*)()>(&enter), 2,
                    static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
    }
    for (running_ = 0; running_ < count; ++running_) resume();  // to its first access
  }

  void resume() {
    Thread& thread = *threads_[running_];
    if (_setjmp(scheduler_) != 0) return;
    if (thread.entered) std::longjmp(thread.place, 1);
    thread.entered = true;
    ::setcontext(&thread.context);
  }

  void run(const Choice& choice) {
    ++world_.steps;
    running_ = choice.thread;
    if (choice.dies) {
      threads_[running_]->dead = true;
      ++world_.crashes;
      ++world_.changes;
      return;
    }
    resume();
    if (threads_[running_]->ended) ++world_.changes;
    if (!threads_[running_]->failure.empty())
      throw std::runtime_error(threads_[running_]->failure + " after" + trace());
  }

  bool awake(const Thread& thread) const noexcept {
    return !thread.dead && !thread.ended &&
           (thread.sleeps_since == never || thread.sleeps_since != world_.changes);
  }

  std::uint64_t key() const {
    std::uint64_t hash = program_->rest();
    for (unsigned word = 0; word < program_->words; ++word) hash = mixed(hash, world_.words[word]);
    for (const auto& thread : threads_) {
      const bool gone = thread->dead || thread->ended;  // what it knew matters no more
      const unsigned flags = (thread->ended ? 1U : 0U) | (thread->dead ? 2U : 0U) |
                             (awake(*thread) ? 4U : 0U) |
                             (!gone && thread->moment == world_.changes ? 8U : 0U);
      hash = mixed(mixed(hash, gone ? 0 : thread->history), flags);
    }
    return hash;
  }

  Node node_here() {
    Node node;
    bool living = false;
    for (unsigned i = 0; i < threads_.size(); ++i)
      living = living || !(threads_[i]->dead || threads_[i]->ended);
    if (!living) {
      ++ends_;
      program_->end();
      return node;
    }
    if (!seen_.insert(key()).second) return node;
    ++states_;
    for (unsigned i = 0; i < threads_.size(); ++i)
      if (awake(*threads_[i])) node.choices.push_back({i, false});
    if (node.choices.empty()) throw std::runtime_error("all sleep after" + trace());
    for (unsigned i = 0; i < threads_.size(); ++i)
      if (world_.crashes < program_->crashes && program_->mortal[i] && !threads_[i]->dead &&
          !threads_[i]->ended)
        node.choices.push_back({i, true});
    if (node.choices.size() > 1) save(node.saved);
    return node;
  }

  std::string trace() const {
    std::string text;
    if (last_path_ == nullptr) return text;
    for (const Node& node : *last_path_)
      if (node.next > 0) {
        const Choice& choice = node.choices[node.next - 1];
        text += (choice.dies ? " x" : " ") + std::to_string(choice.thread);
      }
    return text;
  }

  const Program* program_ = nullptr;
  std::jmp_buf scheduler_{};
  std::vector<std::unique_ptr<Thread>> threads_;
  unsigned running_ = 0;
  World world_;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t states_ = 0;
  std::uint64_t ends_ = 0;
  const std::vector<Node>* last_path_ = nullptr;
};

}  // namespace nodewise::test
