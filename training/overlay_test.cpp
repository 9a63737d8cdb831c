#include "training/overlay.h"

#include <gtest/gtest.h>
#include <png.h>

#include <algorithm>
#include <array>

#include "workloads/test_files.h"

namespace voxmark {
namespace {

// 4 x 4 x 4 voxels without contrast; the slices through label 1 at (3, 3, 3) are shown.
Subject dark() {
  return {"dark", {4, 4, 4}, 1, std::vector<float>(64, 0.0F), std::vector<std::uint8_t>(64, 0)};
}

std::array<int, 3> pixel(const Picture& picture, std::int64_t column, std::int64_t row) {
  const auto i = static_cast<std::size_t>((row * picture.width + column) * 3);
  return {picture.rgb[i], picture.rgb[i + 1], picture.rgb[i + 2]};
}

TEST(Overlay, ShowsPredictionRedTruthBlueAndAgreementPurple) {
  const Subject subject = dark();
  std::vector<std::uint8_t> prediction(64);
  std::vector<std::uint8_t> truth(64);
  const auto at = [](std::size_t x, std::size_t y, std::size_t z) { return x + 4 * (y + 4 * z); };
  prediction[at(3, 3, 3)] = truth[at(3, 3, 3)] = 1;  // agreement: right, front, up
  prediction[at(0, 3, 3)] = 1;                       // left
  truth[at(3, 0, 3)] = 2;                            // back
  const Picture picture = draw_overlay(subject, prediction, truth);
  ASSERT_EQ(picture.height, 320);
  ASSERT_EQ(picture.width, 3 * 320 + 2 * 8);
  // Axial slice z = 3: columns are x, rows from the front (y = 3).
  const auto agreement = pixel(picture, 300, 10);
  const auto predicted = pixel(picture, 10, 10);
  const auto wanted = pixel(picture, 300, 310);
  EXPECT_EQ(pixel(picture, 160, 160), (std::array<int, 3>{0, 0, 0}));
  EXPECT_GT(predicted[0], 3 * predicted[2]);
  EXPECT_GT(wanted[2], 3 * wanted[0]);
  EXPECT_GT(agreement[0], 2 * agreement[1]);
  EXPECT_GT(agreement[2], 2 * agreement[1]);
}

TEST(Overlay, KeepsTheAspectOfVoxels) {
  const Subject subject = dark();
  const std::vector<std::uint8_t> nothing(64);
  const Picture picture = draw_overlay(subject, nothing, {}, {1, 1, 2});
  // Axial 160 x 160, coronal 160 x 320, sagittal 160 x 320.
  EXPECT_EQ(picture.width, 3 * 160 + 2 * 8);
  EXPECT_EQ(picture.height, 320);
}

TEST(WritePng, IsReadBackPixelByPixel) {
  TemporaryFolder folder;
  Picture picture{3, 2, {}};
  for (std::uint8_t i = 0; i < 18; ++i) picture.rgb.push_back(static_cast<std::uint8_t>(7 * i));
  write_png(folder.path("picture.png"), picture);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(png_image_begin_read_from_file(&image, folder.path("picture.png").c_str()), 0);
  image.format = PNG_FORMAT_RGB;
  ASSERT_EQ(image.width, 3U);
  ASSERT_EQ(image.height, 2U);
  std::vector<std::uint8_t> read(18);
  ASSERT_NE(png_image_finish_read(&image, nullptr, read.data(), 0, nullptr), 0);
  EXPECT_EQ(read, picture.rgb);
}

}  // namespace
}  // namespace voxmark
