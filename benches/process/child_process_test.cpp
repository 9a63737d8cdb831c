#include "benches/process/child_process.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/testing/temporary_folder.h"
#include "benches/process/descriptors.h"
#include "benches/process/guard.h"
#include "benches/process/process_status.h"
#include "benches/process/scratch_folder.h"

namespace voxmark {
namespace {

constexpr double kPatienceSeconds = 300;

ChildProcess shell(const std::string& script) {
  return ChildProcess({"/bin/sh", "-c", script}, {});
}

std::string next_line(ChildProcess& child) {
  std::string line;
  EXPECT_EQ(child.read_line(line, kPatienceSeconds), ChildProcess::Read::line);
  return line;
}

bool is_running(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string id, name, state;
  return static_cast<bool>(stat >> id >> name >> state) && state != "Z";
}

bool ends_soon(pid_t process) {
  for (int i = 0; i < 6000 && is_running(process); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return !is_running(process);
}

bool is_gone_soon(const std::string& folder) {
  for (int i = 0; i < 6000 && std::filesystem::exists(folder); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return !std::filesystem::exists(folder);
}

// In a process of its own, which tells by its exit code.
template <class Body>
int status_of(const Body& body) {
  const pid_t process = fork();
  if (process == 0) {
    _exit(body());
  }
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A pipe that lies on a stream's descriptor is that stream: dup2() then leaves it to close on exec.
TEST(ChildProcess, TalksWhateverStreamsWeHave) {
  for (const std::vector<int>& closed :
       std::vector<std::vector<int>>{{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}}) {
    const int status = status_of([&closed] {
      for (const int stream : closed) {
        close(stream);
      }
      ChildProcess child = shell("read line; echo \"got $line\"; echo error >&2");
      child.write_line("one");
      std::string line;
      child.read_line(line, kPatienceSeconds);
      child.wait(kPatienceSeconds);
      return line == "got one" && child.last_error_line() == "error" ? 0 : 1;
    });
    EXPECT_EQ(status, 0) << testing::PrintToString(closed);
  }
}

TEST(Descriptors, StandardStreamsAreTaken) {
  for (const std::vector<int>& closed :
       std::vector<std::vector<int>>{{}, {0}, {1}, {2}, {0, 2}, {0, 1, 2}}) {
    const int status = status_of([&closed] {
      for (const int stream : closed) {
        close(stream);
      }
      open_standard_streams();
      const bool lost_output = std::find(closed.begin(), closed.end(), 1) != closed.end();
      const bool refused = write(1, "", 0) < 0;
      const int next = dup(0);
      return next > 2 && refused == lost_output && write(2, "", 0) == 0 ? 0 : 1;
    });
    EXPECT_EQ(status, 0) << testing::PrintToString(closed);
  }
}

TEST(ChildProcess, TalksInLines) {
  ChildProcess child = shell("while read line; do echo \"got $line\"; done; printf end");
  child.write_line("one");
  EXPECT_EQ(next_line(child), "got one");
  child.write_line("two");
  EXPECT_EQ(next_line(child), "got two");
  child.close_input();
  std::string rest;
  EXPECT_EQ(child.read_line(rest, kPatienceSeconds), ChildProcess::Read::end)
      << "a last line without newline is no line";
  EXPECT_EQ(child.wait(kPatienceSeconds)->exit_status, 0);
}

TEST(ChildProcess, TellsStatusSignalAndLastWords) {
  ChildProcess failing = shell("echo first >&2; echo last words >&2; exit 3");
  EXPECT_EQ(failing.wait(kPatienceSeconds)->exit_status, 3);
  EXPECT_EQ(failing.last_error_line(), "last words");
  ChildProcess crashing = shell("kill -SEGV $$");
  EXPECT_EQ(crashing.wait(kPatienceSeconds)->signal, SIGSEGV);
  EXPECT_EQ(signal_name(SIGSEGV), "SIGSEGV");
}

TEST(ChildProcess, AFloodOfErrorsDoesNotBlockIt) {
  ChildProcess child = shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo done");
  EXPECT_EQ(next_line(child), "done");
}

TEST(ChildProcess, TellsWhetherAllErrorsAreKept) {
  const std::vector<std::string> command = {"/bin/sh", "-c", "printf 0123456789 >&2; sleep 600"};
  for (const std::size_t kept : {8U, 10U}) {
    ChildProcess child(command, {}, {}, kept);
    while (child.error_text().empty()) {
      std::string line;
      child.read_line(line, 0.1);
    }
    EXPECT_EQ(child.error_text(), std::string("0123456789").substr(10 - kept));
    EXPECT_EQ(child.has_whole_error_text(), kept == 10);
  }
}

TEST(ChildProcess, KeepsTheEndOfWhatNobodyReadAsLines) {
  ChildProcess child({"/bin/sh", "-c", "echo one; echo two; echo three"}, {}, {}, 10);
  EXPECT_EQ(next_line(child), "one");
  child.wait(kPatienceSeconds);
  EXPECT_EQ(child.unread_output(), "two\nthree\n");
}

TEST(ChildProcess, SilenceEndsThePatience) {
  ChildProcess child = shell("sleep 600");
  std::string line;
  EXPECT_EQ(child.read_line(line, 0.2), ChildProcess::Read::silence);
  EXPECT_FALSE(child.wait(0.1));
}

TEST(ChildProcess, HearsItsVariablesInPlaceOfOurs) {
  setenv("VOXMARK_TEST_VARIABLE", "ours", 1);
  ChildProcess child({"/bin/sh", "-c", "echo $VOXMARK_TEST_VARIABLE"},
                     {"VOXMARK_TEST_VARIABLE=its"});
  EXPECT_EQ(next_line(child), "its");
}

// Where memory runs out, the kernel ends the case, and neither its runner nor anybody else.
TEST(ChildProcess, IsTheFirstThatTheKernelEndsForMemory) {
  std::string own;
  std::ifstream("/proc/self/oom_score_adj") >> own;
  ChildProcess child = shell("cat /proc/self/oom_score_adj /proc/$PPID/oom_score_adj");
  EXPECT_EQ(next_line(child), "1000");
  EXPECT_EQ(next_line(child), own);
}

TEST(ChildProcess, AProgramThatIsNotThereIsBadInput) {
  try {
    const ChildProcess child({"/no/such/program"}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_STREQ(error.what(),
                 "child program /no/such/program: cannot be started: No such file or directory");
  }
}

TEST(ChildProcess, DiesWithItsChildrenWhenItIsNoLongerWanted) {
  pid_t grandchild = 0;
  {
    ChildProcess child = shell("sleep 600 & echo $!; wait");
    grandchild = std::stoi(next_line(child));
    EXPECT_TRUE(is_running(grandchild));
  }
  EXPECT_TRUE(ends_soon(grandchild));
}

TEST(ChildProcess, WhatItLeftRunningEndsWithIt) {
  ChildProcess child = shell("sleep 600 & echo $!");
  const pid_t grandchild = std::stoi(next_line(child));
  EXPECT_EQ(child.wait(kPatienceSeconds)->exit_status, 0);
  EXPECT_TRUE(ends_soon(grandchild));
}

TEST(ChildProcess, DiesWithItsParentAndSoDoItsChildrenAndFolders) {
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("guarded" + std::to_string(getpid()))).string();
  // A parent in between, which is killed and cannot clean up.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    std::filesystem::create_directories(folder + "/deep");
    guard_folder(folder);
    ChildProcess child = shell("sleep 600 & echo $!; wait");
    std::string line;
    child.read_line(line, kPatienceSeconds);
    const std::array<pid_t, 2> ids = {child.id(), std::stoi(line)};
    [[maybe_unused]] const ssize_t written = write(ends[1], ids.data(), sizeof ids);
    pause();
    _exit(0);
  }
  std::array<pid_t, 2> ids{};
  ASSERT_EQ(read(ends[0], ids.data(), sizeof ids), static_cast<ssize_t>(sizeof ids));
  EXPECT_TRUE(is_running(ids[0]) && is_running(ids[1]));
  EXPECT_TRUE(std::filesystem::exists(folder));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(ends_soon(ids[0]));
  EXPECT_TRUE(ends_soon(ids[1]));
  EXPECT_TRUE(is_gone_soon(folder));
  close(ends[0]);
  close(ends[1]);
}

TEST(ScratchFolder, IsRemovedWhenWeAreKilledAsSoonAsItIsThere) {
  const TemporaryFolder place;
  const pid_t process = fork();
  if (process == 0) {
    setenv("TMPDIR", place.path().c_str(), 1);
    if (ptrace(PTRACE_TRACEME) != 0) {
      _exit(0);
    }
    std::raise(SIGSTOP);
    make_scratch_folder("test");
    _exit(0);
  }
  int status = 0;
  waitpid(process, &status, 0);
  bool is_there = false;
  while (WIFSTOPPED(status) && !is_there) {  // before and after each of its system calls
    ptrace(PTRACE_SYSCALL, process, nullptr, nullptr);
    waitpid(process, &status, 0);
    is_there = !std::filesystem::is_empty(place.path());
  }
  if (!is_there) {
    GTEST_SKIP() << "this kernel lets no process trace another";
  }
  const std::string folder = std::filesystem::directory_iterator(place.path())->path();
  kill(process, SIGKILL);
  waitpid(process, &status, 0);
  EXPECT_TRUE(is_gone_soon(folder));
}

// A child that is being killed may still be in the middle of making one.
TEST(ScratchFolder, IsRemovedThoughFilesAreStillMadeInIt) {
  const TemporaryFolder place;
  const std::string folder = place.path() + "/guarded";
  std::filesystem::create_directory(folder);
  const auto make_file = [&folder](int i) {
    std::ofstream(folder + "/" + std::to_string(i)).flush();
  };
  int made = 0;
  while (made < 3000) {  // so many that to remove them takes a while
    make_file(made++);
  }
  const pid_t process = fork();
  if (process == 0) {
    guard_folder(folder);
    _exit(0);
  }
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(300)) {
    make_file(made++);
  }
  waitpid(process, nullptr, 0);
  EXPECT_TRUE(is_gone_soon(folder));
}

// ru_maxrss would tell the parent's 256 MiB here: it survives fork and exec.
TEST(ChildProcess, ItsPeakIsItsOwnAndNotItsParents) {
  constexpr std::size_t kParentBytes = std::size_t{256} << 20;
  void* ours =
      mmap(nullptr, kParentBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(ours, MAP_FAILED);
  std::memset(ours, 1, kParentBytes);
  ChildProcess child({FAULTY_CHILD, "fifty-mebibytes"}, {});
  EXPECT_EQ(next_line(child), "touched");
  const std::int64_t peak = *process_bytes(child.id(), "VmHWM");
  munmap(ours, kParentBytes);
  EXPECT_GE(peak, std::int64_t{50} << 20);
  EXPECT_LT(peak, std::int64_t{80} << 20);
}

TEST(ProcessStatus, ReadsAFigureOfAStatusText) {
  const std::string status = "Name:\tx\nVmPeak:\t  200 kB\nVmHWM:\t  1234 kB\nThreads:\t4\n";
  EXPECT_EQ(status_bytes(status, "VmHWM"), 1234 * 1024);
  EXPECT_EQ(status_bytes(status, "VmRSS"), std::nullopt);
  EXPECT_EQ(status_bytes(status, "Threads"), std::nullopt) << "no bytes";
  EXPECT_EQ(process_bytes(99999999, "VmHWM"), std::nullopt);
}

// SIGKILL comes also where the parent is gone before anybody can be told.
TEST(EndWithParent, KillsAProcessWhoseParentIsAnother) {
  const pid_t orphan = fork();
  if (orphan == 0) {
    end_with_parent(getpid());
    _exit(0);
  }
  int status = 0;
  waitpid(orphan, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
}

TEST(ProcessStatus, ResetBringsThePeakDownToWhatIsResident) {
  constexpr std::size_t kBytes = std::size_t{256} << 20;
  void* block = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(block, MAP_FAILED);
  std::memset(block, 1, kBytes);
  munmap(block, kBytes);
  const std::int64_t before = *process_bytes(0, "VmHWM");
  if (!reset_peak()) {
    GTEST_SKIP() << "this kernel does not let a process reset its peak";
  }
  EXPECT_LT(*process_bytes(0, "VmHWM"), before - (std::int64_t{200} << 20));
}

}  // namespace
}  // namespace voxmark
