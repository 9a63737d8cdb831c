#include "base/error.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

// Numbers alone would let "this machine cannot" (5) hide a failed verification (1).
TEST(ExitCode, OfTwoResultsTellsTheWorse) {
  using enum ExitCode;
  EXPECT_EQ(worse(cannot_here, answer_is_no), answer_is_no);
  EXPECT_EQ(worse(answer_is_no, cannot_here), answer_is_no);
  EXPECT_EQ(worse(internal, answer_is_no), answer_is_no);
  EXPECT_EQ(worse(internal, bad_input), bad_input);
  EXPECT_EQ(worse(done, cannot_here), cannot_here);
  EXPECT_EQ(worse(bad_input, interrupted), interrupted);
  EXPECT_EQ(worse(done, done), done);
}

}  // namespace
}  // namespace voxmark
