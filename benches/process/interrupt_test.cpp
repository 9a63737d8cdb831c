#include "benches/process/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace voxmark {
namespace {

// In a process of its own: an interrupt stays pending for good.
int exit_status_of(void (*body)()) {
  const pid_t process = fork();
  if (process == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Interrupt, TheFirstIsRememberedWhicheverThreadHearsIt) {
  EXPECT_EQ(exit_status_of([] {
              catch_interrupts();
              std::thread other([] { raise(SIGTERM); });
              while (pending_interrupt() == 0) {
                std::this_thread::yield();
              }
              other.join();
              _exit(pending_interrupt() == SIGTERM ? 7 : 1);
            }),
            7);
}

TEST(Interrupt, TheSecondEndsTheProcess) {
  EXPECT_EQ(exit_status_of([] {
              catch_interrupts();
              raise(SIGTERM);
              raise(SIGINT);
            }),
            130);
}

}  // namespace
}  // namespace voxmark
