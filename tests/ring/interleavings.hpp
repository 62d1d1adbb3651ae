// Runs code under every interleaving of its threads' accesses to shared words, with a crash at any of them.
//
// Threads are fibers that give way before each access. What a thread will do depends on what it has read
// alone, so two moments with the same words and the same histories of reading have the same future: each is
// explored once. Memory is sequentially consistent here.
#pragma once

#include <ucontext.h>

#include <array>
#include <csetjmp>
#include <cstdint>
#include <functional>
#include <memory>
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
    note(words_[word]);
    return words_[word];
  }
  void store(unsigned word, std::uint64_t value) {
    give_way();
    change(word, value);
  }
  bool replace(unsigned word, std::uint64_t expected, std::uint64_t value) {
    give_way();
    const bool same = words_[word] == expected;
    note(same ? 1 : 0);
    if (same) change(word, value);
    return same;
  }

  /// For a thread that found nothing to do: sleeps until a word has changed, or a thread has died or ended,
  /// since it called moment().
  std::uint64_t moment() noexcept { return threads_[running_]->moment = changes_; }
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
  void awaken() noexcept { ++changes_; }
  /// For a thread at a point where all that it knows is `state`.
  void settle(std::uint64_t state) { threads_[running_]->history = state; }
  unsigned running() const noexcept { return running_; }
  bool is_dead(unsigned thread) const noexcept { return threads_[thread]->dead; }
  bool somebody_died() const noexcept { return crashes_ > 0; }
  bool is_gone(unsigned thread) const noexcept { return is_dead(thread) || has_ended(thread); }
  bool has_ended(unsigned thread) const noexcept { return threads_[thread]->ended; }

  struct Program {
    unsigned words = 0;
    unsigned crashes = 0;         ///< How many threads may die in one run.
    std::function<void()> begin;  ///< Before each run: all words are 0.
    std::vector<std::function<void()>> threads;
    std::vector<bool> mortal;             ///< Which of them may die.
    std::function<std::uint64_t()> rest;  ///< What else the future depends on.
    std::function<void()> end;            ///< After each run to its end; throws what is wrong.
  };

  /// Explores; throws what `end` or a thread throws, or that all threads sleep, with the choices that led
  /// there.
  void explore(const Program& program) {
    program_ = &program;
    std::vector<Node> path;
    start({});
    path.push_back(node_here());
    while (!path.empty()) {
      Node& last = path.back();
      if (last.next == last.choices.size()) {
        path.pop_back();
        continue;
      }
      const Choice choice = last.choices[last.next++];
      if (steps_ != path.size() - 1) start(path);  // what was run before went another way
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
  };
  struct Thread {
    ucontext_t context{};
    std::vector<char> stack = std::vector<char>(std::size_t{32} << 10);
    bool ended = false;
    bool dead = false;
    std::uint64_t sleeps_since = never;
    std::uint64_t moment = 0;
    std::uint64_t history = 0;
    std::jmp_buf place{};
    bool entered = false;
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
    if (words_[word] != value) ++changes_;
    words_[word] = value;
  }
  // swapcontext would save and restore the signal mask, by a system call.
  void give_way() {
    if (_setjmp(threads_[running_]->place) == 0) std::longjmp(scheduler_, 1);
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

  // Begins anew and repeats the choices that the path has made, but for its last node's.
  void start(const std::vector<Node>& path) {
    words_.fill(0);
    changes_ = steps_ = crashes_ = 0;
    program_->begin();
    const auto count = program_->threads.size();
    if (threads_.size() != count) {
      threads_.clear();
      for (std::size_t i = 0; i < count; ++i) threads_.push_back(std::make_unique<Thread>());
    }
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    for (auto& thread : threads_) {
      thread->ended = thread->dead = false;
      thread->sleeps_since = never;
      thread->history = thread->moment = 0;
      thread->entered = false;
      ::getcontext(&thread->context);
      thread->context.uc_stack.ss_sp = thread->stack.data();
      thread->context.uc_stack.ss_size = thread->stack.size();
      ::makecontext(&thread->context, reinterpret_cast<void (*)()>(&enter), 2,
                    static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
    }
    for (running_ = 0; running_ < count; ++running_) resume();  // to its first access
    for (std::size_t i = 0; i + 1 < path.size(); ++i) run(path[i].choices[path[i].next - 1]);
  }

  void resume() {
    Thread& thread = *threads_[running_];
    if (_setjmp(scheduler_) != 0) return;
    if (thread.entered) std::longjmp(thread.place, 1);
    thread.entered = true;
    ::setcontext(&thread.context);
  }

  void run(const Choice& choice) {
    ++steps_;
    running_ = choice.thread;
    if (choice.dies) {
      threads_[running_]->dead = true;
      ++crashes_;
      ++changes_;
      return;
    }
    resume();
    if (threads_[running_]->ended) ++changes_;
    if (!threads_[running_]->failure.empty())
      throw std::runtime_error(threads_[running_]->failure + " after" + trace());
  }

  bool awake(const Thread& thread) const noexcept {
    return !thread.dead && !thread.ended && (thread.sleeps_since == never || thread.sleeps_since != changes_);
  }

  std::uint64_t key() const {
    std::uint64_t hash = program_->rest();
    for (unsigned word = 0; word < program_->words; ++word) hash = mixed(hash, words_[word]);
    for (const auto& thread : threads_) {
      const bool gone = thread->dead || thread->ended;  // what it knew matters no more
      const unsigned flags = (thread->ended ? 1U : 0U) | (thread->dead ? 2U : 0U) |
                             (awake(*thread) ? 4U : 0U) | (!gone && thread->moment == changes_ ? 8U : 0U);
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
      if (crashes_ < program_->crashes && program_->mortal[i] && !threads_[i]->dead && !threads_[i]->ended)
        node.choices.push_back({i, true});
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
  std::array<std::uint64_t, most_words> words_{};
  std::uint64_t changes_ = 0;
  std::uint64_t steps_ = 0;
  unsigned crashes_ = 0;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t states_ = 0;
  std::uint64_t ends_ = 0;
  const std::vector<Node>* last_path_ = nullptr;
};

}  // namespace nodewise::test
