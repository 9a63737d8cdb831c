#include "training/read_ahead.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "workloads/network/batch.h"

namespace voxmark {
namespace {

Batch numbered(std::uint64_t index) {
  Batch batch;
  batch.images = static_cast<std::int64_t>(index);
  return batch;
}

TEST(ReadAhead, HandsOutInOrderWhateverIsReadyFirst) {
  ReadAhead<Batch> batches(
      [](std::uint64_t index) {
        std::this_thread::sleep_for(std::chrono::milliseconds(index % 3 == 0 ? 5 : 0));
        return numbered(index);
      },
      7, 40, 3, 4);
  for (std::int64_t index = 7; index < 40; ++index) {
    EXPECT_EQ(batches.next().images, index);
  }
}

TEST(ReadAhead, HoldsNoMoreThanItsDepth) {
  std::atomic<std::uint64_t> begun{0};
  ReadAhead<Batch> batches(
      [&](std::uint64_t index) {
        ++begun;
        return numbered(index);
      },
      0, 100, 4, 3);
  for (std::uint64_t taken = 1; taken <= 20; ++taken) {
    batches.next();
    EXPECT_LE(begun.load(), taken + 3);
  }
}

TEST(ReadAhead, PassesOnWhatWentWrongWhereItBelongs) {
  ReadAhead<Batch> batches(
      [](std::uint64_t index) {
        if (index == 2) {
          throw_bad_input("case 2 cannot be read");
        }
        return numbered(index);
      },
      0, 4, 2, 4);
  EXPECT_EQ(batches.next().images, 0);
  EXPECT_EQ(batches.next().images, 1);
  EXPECT_THROW(batches.next(), Error);
  EXPECT_EQ(batches.next().images, 3);
}

TEST(ReadAhead, StopsWithBatchesLeft) {
  ReadAhead<Batch> batches(numbered, 0, 1000000, 2, 2);
  EXPECT_EQ(batches.next().images, 0);
}

// In a process of a user who may have so many processes and threads: 0 when all went well.
int status_with_tasks(rlim_t tasks) {
  const pid_t process = fork();
  if (process == 0) {
    constexpr uid_t kNobody = 65531;  // who has no other process; privileged users have no limit
    const rlimit limit{tasks, tasks};
    if (setrlimit(RLIMIT_NPROC, &limit) != 0 || setuid(kNobody) != 0) {
      _exit(99);
    }
    bool right = true;
    {
      ReadAhead<Batch> batches(numbered, 0, 20, 4, 4);
      for (std::int64_t index = 0; index < 20; ++index) {
        right = batches.next().images == index && right;
      }
    }
    _exit(right ? 0 : 1);
  }
  int status = 0;
  waitpid(process, &status, 0);
  return status;
}

TEST(ReadAhead, GoesOnWithTheThreadsThatTheSystemGives) {
  if (getuid() != 0) {
    GTEST_SKIP() << "not root: cannot become a user with no process";
  }
  for (const rlim_t tasks : {1U, 2U, 3U}) {
    const int status = status_with_tasks(tasks);
    if (WEXITSTATUS(status) == 99) {
      GTEST_SKIP() << "this root cannot become another user";
    }
    EXPECT_EQ(status, 0) << tasks;
  }
}

TEST(ReadAhead, EachThreadBeginsAsItIsTold) {
  std::atomic<int> begun = 0;
  {
    ReadAhead<int> items([](std::uint64_t index) { return static_cast<int>(index); }, 0, 4, 3, 4,
                         [&] { ++begun; });
    EXPECT_EQ(items.next(), 0);
  }
  EXPECT_EQ(begun, 3);
}

}  // namespace
}  // namespace voxmark
