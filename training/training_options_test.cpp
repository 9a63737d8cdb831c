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

TEST(TrainingOptions, OfADamagedStateAreRefused) {
  TrainingOptions options;
  options.backend = &naive_backend();
  const DataFacts data{"phantom", "", "drawn"};
  const Json whole = {{"options", to_json(options)},
                      {"data", data.identity},
                      {"computing", computing_json(options)}};
  for (const Json& damage :
       {Json("text"), Json(5), Json(true), Json(), Json::array({1, 2}), Json::object()}) {
    Json state = whole;
    state["options"] = damage;
    EXPECT_THAT(refusal_of([&] { check_resumable(options, data, state, "damaged"); }),
                testing::HasSubstr("--resume damaged: made with image unknown"))
        << damage;
    EXPECT_NE(refusal_of([&] { options_from_checkpoint(state, "damaged"); }), "") << damage;
    state = whole;
    state["data"] = damage;
    EXPECT_THAT(refusal_of([&] { check_resumable(options, data, state, "damaged"); }),
                testing::HasSubstr("made with other data"))
        << damage;
    EXPECT_THAT(refusal_of([&] { check_resumable(options, data, damage, "damaged"); }),
                testing::HasSubstr("state has no \"options\""))
        << damage;
  }
}

}  // namespace
}  // namespace voxmark
