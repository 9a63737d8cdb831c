#include "tools/voxmark/largest_fit.h"

#include <gtest/gtest.h>

#include "backends/registry/registry.h"

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

TEST(LargestFit, OneMoreImageDoesNotFit) {
  constexpr std::int64_t kRoom = std::int64_t{24} << 30U;  // of thousands of small images
  const Dims image{16, 16, 16};
  const auto fit = largest_batch(*find_backend("naive").backend, {}, {}, image, kRoom);
  ASSERT_TRUE(fit.has_value());
  EXPECT_FALSE(fit->is_bound);
  EXPECT_GT(fit->batch, 2047);
  EXPECT_LE(planned_bytes(image, fit->batch), kRoom);
  EXPECT_GT(planned_bytes(image, fit->batch + 1), kRoom);
}

TEST(LargestFit, SaysWhereTheSearchEnded) {
  constexpr std::int64_t kRoom = std::int64_t{1} << 60U;
  const auto fit = largest_batch(*find_backend("naive").backend, {}, {}, {16, 16, 16}, kRoom);
  ASSERT_TRUE(fit.has_value());
  EXPECT_TRUE(fit->is_bound);
  EXPECT_EQ(fit->batch, 1 << 20U);
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
