#include "benches/process/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "benches/process/child_process.h"

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

// The machine's limits are measured to their end, whatever comes meanwhile.
TEST(Interrupt, DoesNotHideWhatAChildSays) {
  EXPECT_EQ(exit_status_of([] {
              catch_interrupts();
              raise(SIGTERM);
              ChildProcess child({"/bin/sh", "-c", "sleep 0.1; echo done"}, {});
              std::string line;
              for (int i = 0; i < 2400; ++i) {
                if (child.read_line(line, 60) == ChildProcess::Read::line) {
                  _exit(line == "done" ? 7 : 1);
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
              }
            }),
            7);
}

}  // namespace
}  // namespace voxmark
