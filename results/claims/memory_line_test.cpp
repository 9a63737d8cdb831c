#include "results/claims/memory_line.h"

#include <gtest/gtest.h>

#include <cmath>

#include "results/claims/example_claims.h"

namespace voxmark {
namespace {

TEST(MemoryLine, IsALineOverVoxels) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 32), measured("onednn", 0, 1, 64),
                    measured("onednn", 0, 1, 96), measured("eigen", 0, 1, 32)};
  const std::vector<MemoryLine> lines = memory_lines(report);
  ASSERT_EQ(lines.size(), 1U) << "one size makes no line";
  EXPECT_NEAR(lines[0].bytes_per_voxel, 1000, 1e-6);
  EXPECT_NEAR(lines[0].base_bytes, 1e9, 1);
  EXPECT_NEAR(lines[0].bytes_at(1e9).middle, 1.001e12, 1e5);
}

TEST(MemoryLine, HasAnIntervalFromThreeSizesOn) {
  const std::vector<double> voxels = {1, 2, 3};
  // By hand: slope 15; the line leaves 5/3, -10/3 and 5/3.
  const MemoryLine line = fit_line(voxels, std::vector<double>{10, 20, 40});
  const double deviation = std::sqrt((25.0 / 9 + 100.0 / 9 + 25.0 / 9) / 1);
  ASSERT_TRUE(line.has_interval());
  EXPECT_NEAR(line.slope().middle, 15, 1e-9);
  EXPECT_NEAR(line.slope().high - 15, 12.706 * deviation / std::sqrt(2.0), 1e-6);
  // At the mean only the level is uncertain; far away the slope, too.
  EXPECT_NEAR(line.bytes_at(2).high - line.bytes_at(2).middle, 12.706 * deviation / std::sqrt(3.0),
              1e-6);
  EXPECT_NEAR(line.bytes_at(12).high - line.bytes_at(12).middle,
              12.706 * deviation * std::sqrt(1.0 / 3 + 100.0 / 2), 1e-6);
  // The line is too unsure to say more than that it takes something.
  EXPECT_LT(line.bytes_per_voxel - (line.slope().high - 15), 0);
  EXPECT_EQ(line.slope().low, 0);
  EXPECT_EQ(line.bytes_at(1).low, 0);
  EXPECT_EQ(line.bytes_at(12).low, 40) << "no less than the largest that was measured";
  EXPECT_EQ(fit_line(voxels, std::vector<double>{3, 2, 1}).bytes_at(10).middle, 1);
  EXPECT_FALSE(fit_line(std::vector<double>{1, 2}, std::vector<double>{1, 2}).has_interval());
}

}  // namespace
}  // namespace voxmark
