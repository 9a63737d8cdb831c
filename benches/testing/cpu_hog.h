// What tests hold a process on, and busy beside it.
#pragma once

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace voxmark {

// That this process may use.
inline std::size_t first_cpu() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  sched_getaffinity(0, sizeof cpus, &cpus);
  std::size_t cpu = 0;
  while (!CPU_ISSET(cpu, &cpus)) {
    ++cpu;
  }
  return cpu;
}

// Holds this process, and all that it starts, on the first CPU that it may use.
class OneCpu {
 public:
  OneCpu() {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu_, &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  ~OneCpu() { sched_setaffinity(0, sizeof before_, &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

  std::size_t cpu() const { return cpu_; }

 private:
  cpu_set_t before_ = {};
  std::size_t cpu_ = first_cpu();
};

// That CPU with another process on it that never rests.
class CpuHog {
 public:
  CpuHog() : hog_(fork()) {
    if (hog_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      volatile std::uint64_t count = 0;
      while (true) {
        count = count + 1;
      }
    }
  }
  ~CpuHog() {
    kill(hog_, SIGKILL);
    waitpid(hog_, nullptr, 0);
  }
  CpuHog(const CpuHog&) = delete;
  CpuHog& operator=(const CpuHog&) = delete;

 private:
  OneCpu cpu_;
  pid_t hog_;
};

}  // namespace voxmark
