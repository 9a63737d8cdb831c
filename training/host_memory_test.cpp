#include "training/host_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/registry/registry.h"
#include "training/data.h"
#include "training/estimate.h"

namespace voxmark {
namespace {

using testing::HasSubstr;
using testing::Not;

TrainingOptions small_options() {
  TrainingOptions options;
  options.backend = find_backend("onednn").backend;
  options.memory_bytes = std::int64_t{1} << 34U;
  options.image = {32, 32, 32};
  options.network.filters = 4;
  return options;
}

// What `voxmark plan` says of the step.
std::int64_t planned_step(const TrainingOptions& options) {
  CompileOptions compile;
  compile.threads = options.threads;
  const Program step = lower(unet3d(options.network), options.batch, options.image, Mode::training);
  return options.backend->plan(step, compile).total_bytes();
}

TEST(TrainingMemory, IsTheStepThatPlanTellsAndWhatIsAddedToIt) {
  const TrainingOptions options = small_options();
  if (options.backend == nullptr) {
    GTEST_SKIP() << "onednn is not built";
  }
  const SubjectParts parts = open_parts("phantom:16", options.image, 1);
  const Estimate roomy = estimate(options, parts);
  EXPECT_EQ(roomy.memory.step, planned_step(options));
  EXPECT_GT(roomy.memory.for_speed, 0) << "with that much room nothing is computed again";
  EXPECT_EQ(roomy.memory.saved, 0);
  EXPECT_GT(roomy.memory.prediction, 0);
  EXPECT_EQ(roomy.memory.total(), roomy.memory.step + roomy.memory.for_speed +
                                      roomy.memory.host.total() + roomy.memory.prediction);
  const std::string text = to_string(roomy.memory);
  for (const char* part : {"step ", ", spent for speed ", ", images and batches read ahead ",
                           ", copies of the weights ", ", validation and test of whole images "}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(TrainingMemory, TellsWhatIsSavedWhereThereIsLittle) {
  TrainingOptions options = small_options();
  if (options.backend == nullptr) {
    GTEST_SKIP() << "onednn is not built";
  }
  const SubjectParts parts = open_parts("phantom:4", options.image, 1);
  const TrainingMemory roomy = estimate(options, parts).memory;
  options.memory_bytes = roomy.total() - roomy.for_speed - roomy.step / 20;
  const Estimate tight = estimate(options, parts);
  EXPECT_EQ(tight.memory.step, roomy.step);
  EXPECT_EQ(tight.memory.for_speed, 0);
  EXPECT_GT(tight.memory.saved, 0);
  EXPECT_THAT(to_string(tight.memory), HasSubstr(" by computing tensors again"));
  // Nothing is scored, so that nothing is predicted.
  EXPECT_EQ(tight.memory.prediction, 0);
  EXPECT_THAT(to_string(tight.memory), Not(HasSubstr("validation and test")));
}

}  // namespace
}  // namespace voxmark
