// The clock check by made-up times: what it calls a lie, and what a slow machine may do to an
// honest child.
#include "benches/exchange/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

struct Told {
  double passed = 0;  // since the message before, by the runner's clock
  double step_seconds = 0;
  double load_seconds = 0;
};

// Why the steps are refused, "" where they are not; the first one is a warm-up.
std::string fault_of(const std::vector<Told>& steps) {
  ClockCheck::Clock::time_point now;
  ClockCheck clocks(now);
  try {
    bool warmup = true;
    for (const Told& told : steps) {
      StepMessage step;
      step.warmup = warmup;
      step.load_seconds = told.load_seconds;
      step.forward_backward_seconds = told.step_seconds;
      step.step_seconds = told.step_seconds;
      now += std::chrono::duration_cast<ClockCheck::Clock::duration>(
          std::chrono::duration<double>(told.passed));
      clocks.step(step, now);
      warmup = false;
    }
    clocks.done();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "";
}

TEST(ClockCheck, TakesWhatWentBy) {
  EXPECT_EQ(fault_of({{1, 1}, {1, 1}, {1.1, 1}, {1, 0.9}}), "");
  EXPECT_EQ(fault_of({{1, 0.8, 0.2}, {1, 0.8, 0.2}, {1, 0.8, 0.2}}), "") << "a fifth is loading";
}

TEST(ClockCheck, TakesStepsThatTheMachineDelayed) {
  EXPECT_EQ(fault_of({{5, 0.01}, {0.01, 0.01}, {0.01, 0.01}, {9, 0.01}}), "") << "one of several";
  EXPECT_EQ(fault_of({{0.01, 0.01}, {0.1, 0.01}, {0.1, 0.01}}), "") << "each of two, a little";
}

TEST(ClockCheck, RefusesMoreThanWentBy) {
  EXPECT_THAT(fault_of({{0.5, 1000}}), HasSubstr("0.5 s went by"));
  EXPECT_THAT(fault_of({{1, 1}, {1, 1}, {1, 1.2}}), HasSubstr("3 s went by"));
}

TEST(ClockCheck, RefusesStepsThatLeaveTimeOut) {
  const auto kByOurClock = HasSubstr("by the runner's clock");
  EXPECT_THAT(fault_of({{0.3, 1e-6}, {0.3, 1e-6}, {0.3, 1e-6}}), kByOurClock);
  EXPECT_THAT(fault_of({{0.05, 1e-6}, {0.05, 1e-6}, {0.05, 1e-6}, {0.05, 1e-6}}), kByOurClock)
      << "short ones";
  EXPECT_THAT(fault_of({{0.3, 1e-6}, {0.3, 0.3}, {0.3, 1e-6}, {0.3, 1e-6}}), kByOurClock)
      << "one true one excuses no other";
}

TEST(ClockCheck, RefusesStepsThatAreBookedAsLoading) {
  EXPECT_THAT(
      fault_of(
          {{0.05, 0.001, 0.049}, {0.05, 0.001, 0.049}, {0.05, 0.001, 0.049}, {0.05, 0.001, 0.049}}),
      HasSubstr("loading is a quarter of both at most"));
}

}  // namespace
}  // namespace voxmark
