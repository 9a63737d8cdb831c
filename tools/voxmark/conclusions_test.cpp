#include "tools/voxmark/conclusions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/example_record.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(SpeedUpSentence, StandsBesideThePapersFigure) {
  const std::vector<CaseSummary> cases = summarise(
      std::vector{example_record("eigen-tensor", 0, 1.0), example_record("onednn-direct", 0, 0.25),
                  example_record("onednn", 0, 0.125)});
  EXPECT_THAT(speed_up_sentence(cases),
              AllOf(HasSubstr("onednn-direct is 4.00x"), HasSubstr("onednn: 8.00x"),
                    HasSubstr("64x64x64 and batch 2"), HasSubstr("3.4x over stock TensorFlow"),
                    HasSubstr("memory planned")));
}

TEST(SpeedUpSentence, IsMarkedWhereDisturbedProcessesDecideIt) {
  std::vector<Record> records = {example_record("eigen-tensor", 0, 1.0),
                                 example_record("onednn-direct", 0, 0.25)};
  EXPECT_THAT(speed_up_sentence(summarise(records)), Not(HasSubstr("busy")));
  records[1].facts.interference = example_interference(true, {"a hog"});
  EXPECT_THAT(speed_up_sentence(summarise(records)),
              AllOf(HasSubstr("Not to be relied on, since this machine was busy (1 of 2 processes"),
                    HasSubstr("onednn-direct is 4.00x")));
}

TEST(SpeedUpSentence, SaysWhyThereIsNoFigure) {
  const std::vector<CaseSummary> cases =
      summarise(std::vector{example_failure("eigen-tensor", 0, Outcome::invalid, "wrong gradient"),
                            example_record("onednn-direct", 0, 0.25)});
  EXPECT_THAT(speed_up_sentence(cases),
              AllOf(HasSubstr("(eigen-tensor is invalid: wrong gradient)"), HasSubstr("3.4x"),
                    Not(HasSubstr("as fast as"))));
  EXPECT_THAT(speed_up_sentence({}), HasSubstr("eigen-tensor was not run"));
}

TEST(LargestFitSentence, NamesImageBatchAndPlan) {
  const Fit fit{{240, 240, 144}, 2, {{{"activations", 3'221'225'472}}, true}};
  EXPECT_THAT(largest_fit_sentence(fit, "onednn", 4'294'967'296),
              AllOf(HasSubstr("240x240x144 with batch 2"), HasSubstr("onednn plans 3.00 GiB"),
                    HasSubstr("4.00 GiB of memory"), Not(HasSubstr("estimated"))));
  EXPECT_THAT(largest_fit_sentence(std::nullopt, "onednn", 1024), HasSubstr("No image"));
}

TEST(NextCommandSentence, CanBePastedIntoAShell) {
  EXPECT_THAT(
      next_command_sentence("build/release/bin/voxmark", "it's here", {96, 96, 80}),
      HasSubstr("build/release/bin/voxmark run --backend eigen-tensor,onednn-direct,onednn --image "
                "96x96x80 --data 'it'\\''s here' --repeats 5"));
  EXPECT_THAT(next_command_sentence("voxmark", "set", {96, 96, 80}, {true, 1e-3}),
              HasSubstr("--data set --follow-links --repeats 5"));
}

}  // namespace
}  // namespace voxmark
