#include "benches/process/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace voxmark {
namespace {

std::atomic<int> pending{0};
static_assert(std::atomic<int>::is_always_lock_free);

void remember(int signal) {
  int none = 0;
  if (!pending.compare_exchange_strong(none, signal)) {
    _exit(128 + signal);  // asked twice: stop at once; children die with us
  }
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a wait for a child is to end when the signal comes.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int pending_interrupt() { return pending.load(); }

}  // namespace voxmark
