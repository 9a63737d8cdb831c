// How many threads a command takes, and what becomes of them where the machine or its variables
// allow fewer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

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

}  // namespace
}  // namespace voxmark
