#include "benches/run/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "base/testing/terminal.h"
#include "results/example_record.h"

namespace voxmark {
namespace {

using testing::HasSubstr;
using testing::Not;

// A stream that is no terminal, and what was written to it.
class ProgressTest : public testing::Test {
 protected:
  ~ProgressTest() override { std::fclose(stream_); }

  std::string written() const {
    std::string text(1 << 16, '\0');
    const ssize_t bytes = pread(fileno(stream_), text.data(), text.size(), 0);
    return text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
  }

  // Waits, for as long as a very slow machine may need.
  bool comes(const std::string& text) const {
    for (int i = 0; i < 6000 && written().find(text) == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return written().find(text) != std::string::npos;
  }

  static CaseSpec spec() {
    CaseSpec spec;
    spec.backend = "onednn";
    return spec;
  }

  std::FILE* stream_ = std::tmpfile();
};

TEST_F(ProgressTest, SaysAgainWhatTakesLong) {
  Progress progress(stream_, 2, std::chrono::milliseconds(20));
  progress.verifying(spec());
  EXPECT_TRUE(comes("verifying against naive in double, "));
  progress.timing(spec(), std::nullopt);
  StepMessage step;
  step.step_seconds = 0.5;
  progress.step(spec(), step);
  EXPECT_TRUE(comes("step 1 of 7: 0.5 s, "));
}

TEST_F(ProgressTest, CountsTheStepsOfADisturbedCaseAnew) {
  Progress progress(stream_, 2, std::chrono::milliseconds(20));
  progress.timing(spec(), std::nullopt);
  StepMessage step;
  for (int i = 0; i < 9; ++i) {
    progress.step(spec(), step);
  }
  EXPECT_TRUE(comes("again after 1 disturbed, step 2 of 7: "));
}

TEST_F(ProgressTest, IsQuietBetweenCases) {
  Progress progress(stream_, 2, std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(written(), "");
}

TEST_F(ProgressTest, LeavesOutWhatIsSkippedWhereThatIsAsked) {
  const auto skip = [this](Progress& progress) {
    progress.finished(spec(), example_failure("onednn", 0, Outcome::skipped, "no time"), 90.0);
  };
  Progress progress(stream_, 3);
  skip(progress);
  EXPECT_THAT(written(), HasSubstr("[1/3] onednn"));
  EXPECT_THAT(written(), HasSubstr("skipped: no time"));
  progress.leave_out_skipped();
  skip(progress);
  EXPECT_THAT(written(), Not(HasSubstr("[2/3]")));
  progress.finished(spec(), example_record("onednn", 0), std::nullopt);
  EXPECT_THAT(written(), HasSubstr("[3/3] onednn")) << "it counts";
}

TEST_F(ProgressTest, CountsWhatIsAdded) {
  Progress progress(stream_, 1);
  progress.finished(spec(), example_record("onednn", 0), std::nullopt);
  progress.added(2);
  progress.finished(spec(), example_record("onednn", 1), 90.0);
  EXPECT_THAT(written(), HasSubstr("[1/1] onednn"));
  EXPECT_THAT(written(), HasSubstr("[2/3] onednn"));
  EXPECT_THAT(written(), HasSubstr("; about 90 s left\n"));
}

TEST_F(ProgressTest, CountsWhatAnEarlierSessionMeasured) {
  Progress progress(stream_, 64);
  progress.resumed(40, 2);  // two of them were added to the 64
  progress.finished(spec(), example_record("onednn", 0), std::nullopt);
  EXPECT_THAT(written(), HasSubstr("[41/66] onednn"));
}

TEST_F(ProgressTest, LeavesNoLineOfACaseThatIsUnfinished) {
  const Terminal terminal;
  Progress progress(terminal.stream(), 1);
  progress.verifying(spec());
  progress.ended();
  EXPECT_EQ(terminal.screen(), "end");
}

TEST_F(ProgressTest, LeavesNoLineWhereAnErrorEndsIt) {
  const Terminal terminal;
  {
    Progress progress(terminal.stream(), 1);
    progress.verifying(spec());
  }
  EXPECT_EQ(terminal.screen(), "end");
}

TEST(HumanSeconds, AreOfTheUnitThatReadsBest) {
  EXPECT_EQ(human_seconds(45), "45 s");
  EXPECT_EQ(human_seconds(720), "12 min");
  EXPECT_EQ(human_seconds(47 * 3600), "47.0 h");
  EXPECT_EQ(human_seconds(684 * 3600), "28.5 days");
}

TEST_F(ProgressTest, WarnsOfSlowKernelsOncePerCase) {
  Progress progress(stream_, 2);
  Record record = example_record("onednn", 0);
  progress.finished(spec(), record, std::nullopt);
  EXPECT_THAT(written(), Not(HasSubstr("Warning")));
  record.stages.front().implementation = "ref:any";
  progress.finished(spec(), record, std::nullopt);
  EXPECT_THAT(written(),
              HasSubstr("Warning: onednn 64x64x64 batch 1 fp32: slow kernels: 1 of 1 stages run "
                        "by ref:any (first encodeA_conv0)\n"));
  const std::string before = written();
  CaseSpec second = spec();
  second.process = 1;
  progress.finished(second, record, std::nullopt);
  EXPECT_THAT(written().substr(before.size()), Not(HasSubstr("Warning")));
}

}  // namespace
}  // namespace voxmark
