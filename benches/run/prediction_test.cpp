#include "benches/run/prediction.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

CaseSpec cube(std::int64_t extent) {
  CaseSpec spec;
  spec.backend = "exec:x";
  spec.image = {extent, extent, extent};
  return spec;
}

TEST(Prediction, OfMemoryIsALineThroughTheSmallestAndTheLargest) {
  const auto bytes = [](std::int64_t extent) {
    return 500'000'000 + 4000 * extent * extent * extent;
  };
  Prediction prediction;
  EXPECT_FALSE(prediction.peak_bytes(cube(128)));
  prediction.learn_peak(cube(64), bytes(64));
  prediction.learn_peak(cube(64), bytes(64) - 1000);  // another process of it took less
  EXPECT_FALSE(prediction.peak_bytes(cube(128))) << "one size tells no slope";
  prediction.learn_peak(cube(32), bytes(32));
  EXPECT_EQ(prediction.peak_bytes(cube(128)), bytes(128));
  CaseSpec other = cube(128);
  other.precision = Precision::bf16;
  EXPECT_FALSE(prediction.peak_bytes(other));
  other = cube(128);
  other.network.filters = 8;
  EXPECT_FALSE(prediction.peak_bytes(other));
}

TEST(Prediction, OfAProcessHasItsStart) {
  Prediction prediction;
  CaseSpec first = cube(32);
  first.steps = 3;
  first.warmup = 1;
  CaseSpec second = first;
  second.process = 1;
  prediction.learn(first, 0.5);
  EXPECT_FALSE(prediction.process_seconds(first)) << "no start of it was seen";
  prediction.learn_start(first, 20);
  EXPECT_NEAR(*prediction.process_seconds(first), 4 * 0.5 + 20, 1e-9);
  EXPECT_NEAR(*prediction.process_seconds(second), 4 * 0.5 + 20, 1e-9);
  prediction.learn_start(second, 5);
  prediction.learn_start(second, 4);  // the longest counts
  EXPECT_NEAR(*prediction.process_seconds(first), 4 * 0.5 + 20, 1e-9);
  EXPECT_NEAR(*prediction.process_seconds(second), 4 * 0.5 + 5, 1e-9);
}

TEST(Prediction, OfRanksIsByAsManyRanks) {
  Prediction prediction;
  prediction.learn(cube(32), 0.5);
  CaseSpec shared = cube(32);
  shared.ranks = 2;
  EXPECT_FALSE(prediction.steps_seconds(shared));
  prediction.learn(shared, 0.75);
  EXPECT_NEAR(*prediction.steps_seconds(shared), 0.75 * (shared.warmup + shared.steps), 1e-9);
}

TEST(Prediction, OfSecondsIsByWork) {
  Prediction prediction;
  prediction.learn(cube(32), 0.5);
  CaseSpec larger = cube(64);
  larger.steps = 3;
  larger.warmup = 1;
  EXPECT_NEAR(*prediction.steps_seconds(larger), 4 * 8 * 0.5, 0.1);
}

}  // namespace
}  // namespace voxmark
