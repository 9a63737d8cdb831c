#include "tools/voxmark/exit_watch.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/tell.h"

namespace voxmark {
namespace {

std::atomic<bool> expected{false};
std::atomic<bool> quiet{false};

void correct_status(int /*status*/, void* /*unused*/) {
  if (expected) {
    return;
  }
  if (!quiet) {
    tell_text(stderr,
              "voxmark: a library ended the process: its words stand above. Threads may be "
              "limited (ulimit -u, a container's pids limit), or GOMP_CPU_AFFINITY may name CPUs "
              "that are not there\n");
  }
  std::fflush(nullptr);
  _exit(static_cast<int>(ExitCode::cannot_here));
}

}  // namespace

void watch_exit(bool is_child) {
  quiet = is_child;
  on_exit(correct_status, nullptr);
}

void expect_exit() { expected = true; }

}  // namespace voxmark
