#include "tools/voxmark/largest_fit.h"

#include <gtest/gtest.h>

#include "backends/registry.h"

namespace voxmark {
namespace {

std::int64_t planned_bytes(const Dims& image, std::int64_t batch) {
  const Program program = lower(unet3d({}), batch, image, Mode::training);
  return find_backend("naive").backend->plan(program, {}).total_bytes();
}

TEST(LargestFit, TakesTheWholeScanWithAsManyImagesAsFit) {
  const Dims scan{240, 240, 144};
  const auto fit = largest_fit(*find_backend("naive").backend, {}, {}, planned_bytes(scan, 3));
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->image, scan);
  EXPECT_EQ(fit->batch, 3);
  EXPECT_EQ(fit->plan.total_bytes(), planned_bytes(scan, 3));
}

TEST(LargestFit, StopsAByteShortOfTheNextImage) {
  const Dims scan{240, 240, 144};
  const auto fit = largest_fit(*find_backend("naive").backend, {}, {}, planned_bytes(scan, 3) - 1);
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->batch, 2);
}

TEST(LargestFit, FallsBackToSmallerImages) {
  const auto fit =
      largest_fit(*find_backend("naive").backend, {}, {}, planned_bytes({240, 240, 144}, 1) - 1);
  ASSERT_TRUE(fit.has_value());
  EXPECT_LT(fit->image.voxels(), 240 * 240 * 144);
}

TEST(LargestFit, FindsTheLargestCubeOfABatch) {
  const auto fit =
      largest_cube(*find_backend("naive").backend, {}, {}, 2, planned_bytes({48, 48, 48}, 2));
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->image, (Dims{48, 48, 48}));
  EXPECT_EQ(fit->batch, 2);
}

TEST(LargestFit, IsNothingWhereNotEvenTheParametersFit) {
  EXPECT_FALSE(largest_fit(*find_backend("naive").backend, {}, {}, 1'000'000).has_value());
}

}  // namespace
}  // namespace voxmark
