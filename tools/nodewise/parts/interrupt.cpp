#include "parts/interrupt.hpp"

#include <unistd.h>

#include <csignal>

namespace nodewise::tools {
namespace {

volatile std::sig_atomic_t received = 0;

// Never destroyed: a signal may come while the process ends.
Stop& token() {
  static Stop& instance = *new Stop;
  return instance;
}

extern "C" void note_interrupt(int signal) {
  received = signal;
  token().request();
}

}  // namespace

Stop stop_on_interrupt() {
  Stop stop = token();  // made before a handler can need it
  struct sigaction wanted {};
  wanted.sa_handler = note_interrupt;
  wanted.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
      ::sigaction(signal, &wanted, nullptr);
  }
  return stop;
}

int interrupting_signal() noexcept {
  return received;
}

void check_interrupt() {
  token().check("nodewise");
}

void die_by(int signal) {
  ::sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, signal);
  ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
  std::signal(signal, SIG_DFL);
  ::raise(signal);
  constexpr int base = 128;  // what a shell would make of it
  ::_exit(base + signal);
}

}  // namespace nodewise::tools
