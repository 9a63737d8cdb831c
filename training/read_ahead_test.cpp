#include "training/read_ahead.h"

#include <gtest/gtest.h>

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
  for (std::int64_t index = 7; index < 40; ++index) EXPECT_EQ(batches.next().images, index);
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
        if (index == 2) throw_bad_input("case 2 cannot be read");
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

}  // namespace
}  // namespace voxmark
