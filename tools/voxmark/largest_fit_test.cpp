#include "tools/voxmark/largest_fit.h"

#include <gtest/gtest.h>

#include "backends/registry/registry.h"
#include "benches/protocol/case_work.h"

namespace voxmark {
namespace {

const Backend& naive() { return *find_backend("naive").backend; }

// Of plan and batch.
std::int64_t needed_bytes(const Dims& image, std::int64_t batch) {
  CaseSpec spec;
  spec.image = image;
  spec.batch = batch;
  return naive().plan(training_program(spec), {}).total_bytes() + harness_bytes(spec);
}

CaseSpec small_images() {
  CaseSpec spec;
  spec.image = {16, 16, 16};
  return spec;
}

TEST(LargestFit, TakesTheWholeScanWithAsManyImagesAsFit) {
  const Dims scan{240, 240, 144};
  const auto fit = largest_fit(naive(), {}, needed_bytes(scan, 3));
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->image, scan);
  EXPECT_EQ(fit->batch, 3);
}

TEST(LargestFit, StopsAByteShortOfTheNextImage) {
  const Dims scan{240, 240, 144};
  const auto fit = largest_fit(naive(), {}, needed_bytes(scan, 3) - 1);
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->batch, 2);
}

TEST(LargestFit, OneMoreImageDoesNotFit) {
  constexpr std::int64_t kRoom = std::int64_t{24} << 30U;  // of thousands of small images
  const Dims image{16, 16, 16};
  const auto fit = largest_batch(naive(), small_images(), kRoom);
  ASSERT_TRUE(fit.has_value());
  EXPECT_FALSE(fit->is_bound);
  EXPECT_GT(fit->batch, 2047);
  EXPECT_LE(needed_bytes(image, fit->batch), kRoom);
  EXPECT_GT(needed_bytes(image, fit->batch + 1), kRoom);
}

TEST(LargestFit, SaysWhereTheSearchEnded) {
  constexpr std::int64_t kRoom = std::int64_t{1} << 60U;
  const auto fit = largest_batch(naive(), small_images(), kRoom);
  ASSERT_TRUE(fit.has_value());
  EXPECT_TRUE(fit->is_bound);
  EXPECT_EQ(fit->batch, 1 << 20U);
}

TEST(LargestFit, FallsBackToSmallerImages) {
  const auto fit = largest_fit(naive(), {}, needed_bytes({240, 240, 144}, 1) - 1);
  ASSERT_TRUE(fit.has_value());
  EXPECT_LT(fit->image.voxels(), 240 * 240 * 144);
}

TEST(LargestFit, FindsTheLargestCubeOfABatch) {
  CaseSpec two_images;
  two_images.batch = 2;
  const auto fit = largest_cube(naive(), two_images, needed_bytes({48, 48, 48}, 2));
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->image, (Dims{48, 48, 48}));
  EXPECT_EQ(fit->batch, 2);
}

TEST(LargestFit, IsNothingWhereNotEvenTheParametersFit) {
  EXPECT_FALSE(largest_fit(naive(), {}, 1'000'000).has_value());
}

}  // namespace
}  // namespace voxmark
