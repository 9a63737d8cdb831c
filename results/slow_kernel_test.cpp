#include "results/slow_kernel.h"

#include <gtest/gtest.h>

#include "results/example_record.h"

namespace voxmark {
namespace {

// The same examples bind voxmark_reports/slow_kernels.py.
TEST(SlowKernel, AgreesWithTheExamplesThatPythonReadsToo) {
  const Json examples = read_json_file(VOXMARK_SOURCE_DIR "/results/slow_kernel_examples.json");
  ASSERT_FALSE(examples.empty());
  for (const Json& example : examples) {
    SCOPED_TRACE(dump_json(example));
    Report report = example_report();
    StageRecord& stage = report.records.front().stages.front();
    stage.implementation = example.at("implementation").get<std::string>();
    if (example.contains("told")) {
      stage.slow = example.at("told").get<bool>();
    }
    EXPECT_EQ(stage.is_slow(), example.at("slow").get<bool>());
    const Json written = to_json(report);
    EXPECT_EQ(written["records"][0]["stages"][0].contains("slow"), example.contains("told"));
    const Report again = report_from_json(written, "again");
    EXPECT_EQ(again.records.front().stages.front().slow, stage.slow);
  }
}

}  // namespace
}  // namespace voxmark
