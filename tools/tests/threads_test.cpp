// How many threads a command takes, and what becomes of them where the machine or its variables
// allow fewer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "benches/testing/cpu_hog.h"
#include "tools/tests/run_fixture.h"

namespace voxmark {
namespace {

using testing::HasSubstr;
using testing::Not;

class ThreadsTest : public RunTest {
 protected:
  void SetUp() override {
    RunTest::SetUp();
    if (std::thread::hardware_concurrency() < 2) {
      GTEST_SKIP() << "one CPU";
    }
  }
  void TearDown() override {
    for (const char* name : {"OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "GOMP_CPU_AFFINITY"}) {
      unsetenv(name);
    }
  }
};

TEST_F(ThreadsTest, AreAsManyAsOmpNumThreadsSaysUnlessAskedFor) {
  setenv("OMP_NUM_THREADS", "1", 1);
  const std::vector<Arguments> commands = {
      {"plan", "--backend", "naive", "--image", "16"},
      {"verify", "--backend", "naive", "--image", "16", "--filters", "1"},
      {"train", "--data", "phantom:4", "--image", "16", "--filters", "1", "--dry-run"},
      {"run", "--backend", "null", "--image", "16", "--dry-run"}};
  for (Arguments command : commands) {
    const CommandResult found = run_voxmark(command);
    EXPECT_THAT(found.err, HasSubstr("threads: 1, by OMP_NUM_THREADS=1")) << command.front();
    command.insert(command.end(), {"--threads", "2"});
    EXPECT_THAT(run_voxmark(command).err, Not(HasSubstr("OMP_NUM_THREADS"))) << command.front();
  }
  const CommandResult listed =
      run_voxmark({"run", "--backend", "null", "--image", "16", "--dry-run"});
  EXPECT_THAT(listed.out, HasSubstr("threads 1 "));
}

TEST_F(ThreadsTest, AreAllWhereOmpNumThreadsIsNoNumber) {
  setenv("OMP_NUM_THREADS", "abc", 1);
  const CommandResult listed =
      run_voxmark({"run", "--backend", "null", "--image", "16", "--dry-run"});
  EXPECT_EQ(listed.status, 0);
  EXPECT_THAT(listed.err, HasSubstr("OMP_NUM_THREADS=abc: not followed"));
  EXPECT_THAT(listed.out, Not(HasSubstr("threads 1 ")));
}

TEST_F(ThreadsTest, OfAllCopiesAreNoMoreThanTheCpus) {
  const CommandResult refused = run_voxmark(
      {"run", "--backend", "null", "--image", "16", "--copies", "4096", "--threads", "1"});
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("--copies 4096 of --threads 1 each"));
  EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
}

// libgomp takes the numbers unseen, and ends the process where a thread cannot be held there.
TEST_F(ThreadsTest, AreThoseOfCpusThatAreThere) {
  setenv("GOMP_CPU_AFFINITY", "0-1023", 1);
  const CommandResult all = run_voxmark({"run", "--backend", "null", "--image", "16", "--filters",
                                         "2", "--threads", "2", "--no-limits", "--out", report_});
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_EQ(run_voxmark({"sysinfo", "--json"}).json().at("environment").at("cpu").at("allowed"),
            static_cast<int>(std::thread::hardware_concurrency()));
  const std::string one = std::to_string(first_cpu()) + " 1000-1023";
  setenv("GOMP_CPU_AFFINITY", one.c_str(), 1);
  const CommandResult bound = run_voxmark({"run", "--backend", "null", "--image", "16", "--threads",
                                           "2", "--no-limits", "--overwrite", "--out", report_});
  EXPECT_EQ(bound.status, 64) << bound.err;
  EXPECT_THAT(bound.err, HasSubstr("GOMP_CPU_AFFINITY=" + one));
  const Arguments commands[] = {
      {"limits", "--threads", "2"},
      {"verify", "--backend", "naive", "--image", "16", "--filters", "1", "--threads", "2"},
      {"train", "--data", "phantom:4", "--image", "16", "--filters", "1", "--threads", "2",
       "--dry-run"}};
  for (const Arguments& command : commands) {
    const CommandResult found = run_voxmark(command);
    // Both threads on the one CPU that is there, or refused: never a verdict.
    EXPECT_THAT(found.status, testing::AnyOf(0, 64)) << command.front() << found.out << found.err;
  }
}

TEST_F(ThreadsTest, OneCpuForAllOfThemIsToldByTheVariableThatHoldsThem) {
  const std::string one = "{" + std::to_string(first_cpu()) + "}";
  setenv("OMP_PLACES", one.c_str(), 1);
  const CommandResult listed = run_voxmark({"limits", "--threads", "2"});
  unsetenv("OMP_PLACES");
  EXPECT_EQ(listed.status, 64) << listed.out;
  EXPECT_THAT(listed.err, HasSubstr("OMP_PLACES=" + one));
}

TEST_F(ThreadsTest, APlacementThatIsNotFollowedIsToldByItsName) {
  setenv("GOMP_CPU_AFFINITY", "junk", 1);
  const CommandResult listed =
      run_voxmark({"run", "--backend", "null", "--image", "16", "--dry-run"});
  EXPECT_EQ(listed.status, 0);
  EXPECT_THAT(listed.err, HasSubstr("GOMP_CPU_AFFINITY=junk: not followed"));
}

// As a user who may start one process and no thread more. Privileged users have no such limit.
TEST_F(ThreadsTest, ThatTheSystemRefusesAreNoVerdict) {
  if (getuid() != 0) {
    GTEST_SKIP() << "not root: cannot become a user with no process";
  }
  // Where another user can read it.
  const std::string program = "/tmp/voxmark-threads-test-" + std::to_string(getpid());
  std::filesystem::copy_file(VOXMARK_BINARY, program);
  std::filesystem::permissions(program, std::filesystem::perms{0755});
  const std::string limited =
      "cd /tmp; HOME=/nonexistent exec setpriv --reuid 65533 --regid 65533 --clear-groups prlimit "
      "--nproc=1 " +
      program;
  for (const std::string& command : Arguments{
           " limits --threads 2", " verify --backend naive --image 16 --filters 1 --threads 2",
           " train --data phantom:4 --image 16 --filters 1 --epochs 1 --steps 1 --threads 2 "
           "--dry-run",
           " run --image 16 --backend null --threads 2 --no-limits --out "
           "/tmp/voxmark-threads-test-" +
               std::to_string(getpid()) + ".json"}) {
    const int status = std::system((limited + command + " >/dev/null 2>&1").c_str());
    if (WEXITSTATUS(status) == 127) {
      GTEST_SKIP() << "no setpriv or prlimit here";
    }
    EXPECT_EQ(WEXITSTATUS(status), 5) << command;
  }
  std::filesystem::remove(program);
  std::filesystem::remove(program + ".json");
}

// hwloc asks for ever where a sandbox refuses the answer.
TEST_F(ThreadsTest, AreCountedWhereASandboxDoesNotTellTheCpus) {
  const pid_t process = fork();
  if (process == 0) {
    std::array<sock_filter, 4> refuse = {
        {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_getaffinity, 0, 1),
         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
    const sock_fprog filter = {refuse.size(), refuse.data()};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
      _exit(99);
    }
    std::freopen("/dev/null", "w", stderr);
    std::freopen("/dev/null", "w", stdout);
    execl(VOXMARK_BINARY, "voxmark", "run", "--backend", "naive", "--image", "16", "--filters", "2",
          "--no-limits", "--steps", "1", "--out", report_.c_str(), nullptr);
    _exit(98);
  }
  int status = 0;
  waitpid(process, &status, 0);
  if (WEXITSTATUS(status) == 99) {
    GTEST_SKIP() << "no filters of system calls here";
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const Json report = read_json_file(report_);
  EXPECT_EQ(report.at("records").at(0).at("outcome"), "ok") << report.at("records").at(0);
  EXPECT_TRUE(report.at("environment").at("cpu").at("topology").is_null());
}

}  // namespace
}  // namespace voxmark
