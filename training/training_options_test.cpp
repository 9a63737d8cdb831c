#include "training/training_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/naive/naive.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

TEST(TrainingOptions, OfACheckpointWithoutLevelsAreThoseOfThePapersNetwork) {
  TrainingOptions options;
  options.backend = &naive_backend();
  const DataFacts data{"phantom", "", "drawn"};
  Json state = {{"options", to_json(options)},
                {"data", data.identity},
                {"computing", computing_json(options)}};
  state["options"]["levels"] = 3;
  EXPECT_EQ(options_from_checkpoint(state, "new").network.levels, 3);
  EXPECT_THAT(refusal_of([&] { check_resumable(options, data, state, "new"); }),
              testing::HasSubstr("made with levels 3, expected 5"));
  state["options"].erase("levels");
  EXPECT_EQ(options_from_checkpoint(state, "old").network.levels, 5);
  EXPECT_TRUE(check_resumable(options, data, state, "old").empty());
  options.network.levels = 3;
  EXPECT_THAT(refusal_of([&] { check_resumable(options, data, state, "old"); }),
              testing::HasSubstr("made with levels 5, expected 3"));
}

}  // namespace
}  // namespace voxmark
