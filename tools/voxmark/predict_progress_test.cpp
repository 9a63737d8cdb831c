#include "tools/voxmark/predict_progress.h"

#include <gtest/gtest.h>

#include "base/testing/terminal.h"

namespace voxmark {
namespace {

TEST(PredictProgress, LinesThatStayBeginWhereTheTerminalsLineIsEmpty) {
  const Terminal terminal;
  PredictProgress progress(terminal.stream(), 2, std::chrono::hours(1));
  progress.reading("a.nii");
  progress.say("intensities: scaled");
  progress.warn("a.nii: 4 bytes follow the voxels");
  EXPECT_EQ(terminal.screen(),
            "intensities: scaled\n"
            "warning: a.nii: 4 bytes follow the voxels\n"
            "[1/2] a.nii: readingend");
}

TEST(PredictProgress, LeavesNoLineOfAnImageThatIsDone) {
  const Terminal terminal;
  PredictProgress progress(terminal.stream(), 2, std::chrono::hours(1));
  progress.reading("a.nii");
  progress.finished();
  EXPECT_EQ(terminal.screen(), "end");
}

TEST(PredictProgress, LeavesNoLineBehindWhereAnImageFails) {
  const Terminal terminal;
  {
    PredictProgress progress(terminal.stream(), 1, std::chrono::hours(1));
    progress.reading("absent.nii");
  }
  EXPECT_EQ(terminal.screen(), "end");
}

}  // namespace
}  // namespace voxmark
