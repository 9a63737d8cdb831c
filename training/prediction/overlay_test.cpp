#include "training/prediction/overlay.h"

#include <gtest/gtest.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <utility>

#include "workloads/images/test_files.h"

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

// x, y, z point right, front and up.
constexpr Affine kUpright = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
constexpr std::int64_t kCaption = 30;  // above the slices

std::size_t at(std::size_t x, std::size_t y, std::size_t z) { return x + 4 * (y + 4 * z); }

bool is_red(const std::array<int, 3>& rgb) { return rgb[0] > 3 * rgb[2] && rgb[0] > 50; }
bool is_blue(const std::array<int, 3>& rgb) { return rgb[2] > 3 * rgb[0] && rgb[2] > 50; }
bool is_purple(const std::array<int, 3>& rgb) {
  return rgb[0] > 2 * rgb[1] && rgb[2] > 2 * rgb[1] && rgb[0] > 50;
}

TEST(Overlay, ShowsPredictionRedTruthBlueAndAgreementPurple) {
  const Subject subject = dark();
  std::vector<std::uint8_t> prediction(64);
  std::vector<std::uint8_t> truth(64);
  prediction[at(3, 3, 3)] = truth[at(3, 3, 3)] = 1;  // agreement: right, front, up
  prediction[at(0, 3, 3)] = 1;                       // left
  truth[at(3, 0, 3)] = 2;                            // back
  const Picture picture = draw_overlay(subject, prediction, truth, kUpright);
  ASSERT_EQ(picture.height, 2 * kCaption + 320);  // caption, slices, legend
  ASSERT_EQ(picture.width, 3 * 320 + 2 * 8);
  // Axial slice z = 3: columns are x, rows from the front (y = 3).
  EXPECT_EQ(pixel(picture, 160, kCaption + 160), (std::array<int, 3>{0, 0, 0}));
  EXPECT_TRUE(is_red(pixel(picture, 10, kCaption + 10)));
  EXPECT_TRUE(is_blue(pixel(picture, 300, kCaption + 310)));
  EXPECT_TRUE(is_purple(pixel(picture, 300, kCaption + 10)));
  // The legend: a square of each colour.
  EXPECT_TRUE(is_red(pixel(picture, 4, kCaption + 320 + 12)));
  int words = 0;
  for (std::int64_t column = 0; column < 100; ++column) {
    words += pixel(picture, column, 8)[0] > 100 ? 1 : 0;  // "AXIAL"
  }
  EXPECT_GT(words, 10);
}

// The same head, stored with other axes: the picture must not change.
TEST(Overlay, TurnsThePatientUprightWhateverTheAffineSays) {
  Subject upright = dark();
  Subject turned = dark();
  std::vector<std::uint8_t> prediction(64);
  std::vector<std::uint8_t> turned_prediction(64);
  prediction[at(3, 3, 3)] = prediction[at(0, 3, 3)] = prediction[at(3, 2, 3)] = 1;
  for (std::size_t z = 0; z < 4; ++z) {
    for (std::size_t y = 0; y < 4; ++y) {
      for (std::size_t x = 0; x < 4; ++x) {
        const auto grey = static_cast<float>(at(x, y, z));
        upright.image[at(x, y, z)] = grey;
        // Voxel axes: down, left, front.
        turned.image[at(3 - z, 3 - x, y)] = grey;
        turned_prediction[at(3 - z, 3 - x, y)] = prediction[at(x, y, z)];
      }
    }
  }
  // Columns: where a step along each voxel axis leads, a little oblique.
  constexpr Affine kTurned = {{{0.1, -1, 0, 3}, {0, 0, 1, 0}, {-1, -0.1, 0, 3}}};
  constexpr Affine kSizes = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  const Picture expected = draw_overlay(upright, prediction, {}, kSizes);
  const Picture found = draw_overlay(turned, turned_prediction, {}, kTurned);
  ASSERT_EQ(found.height, expected.height);
  // Sizes of voxels differ by half a percent.
  for (const auto& [column, row] : {std::pair<std::int64_t, std::int64_t>{300, 10},
                                    {10, 10},
                                    {300, 100},
                                    {160, 160},
                                    {100, 300},
                                    {500, 100},
                                    {900, 200}}) {
    EXPECT_EQ(pixel(found, column, kCaption + row), pixel(expected, column, kCaption + row))
        << column << ", " << row;
  }
}

TEST(Overlay, HasARowPerLabelOfSeveralClasses) {
  const Subject subject = dark();
  std::vector<std::uint8_t> prediction(64);
  std::vector<std::uint8_t> truth(64);
  prediction[at(0, 3, 3)] = 1;
  truth[at(0, 3, 3)] = 2;
  const Picture picture = draw_overlay(subject, prediction, truth, kUpright, 2);
  constexpr std::int64_t kRow = kCaption + 320;
  ASSERT_EQ(picture.height, 3 * kRow + kCaption);
  // Any label against any agrees; label by label it does not.
  EXPECT_TRUE(is_purple(pixel(picture, 10, kCaption + 10)));
  EXPECT_TRUE(is_red(pixel(picture, 10, kRow + kCaption + 10)));
  EXPECT_TRUE(is_blue(pixel(picture, 10, 2 * kRow + kCaption + 10)));
}

TEST(Overlay, ShowsTheTruthThatABadModelMisses) {
  const Subject subject = dark();
  std::vector<std::uint8_t> prediction(64);
  std::vector<std::uint8_t> truth(64);
  truth[at(0, 0, 1)] = 1;
  for (std::size_t i = 0; i < 16; ++i) {
    prediction[at(i % 4, i / 4, 3)] = 1;  // far away, and large
  }
  const Picture picture = draw_overlay(subject, prediction, truth, kUpright, 2);
  EXPECT_TRUE(is_blue(pixel(picture, 10, kCaption + 310)));  // axial: left, back
  EXPECT_FALSE(is_red(pixel(picture, 300, kCaption + 10)));
  // Label 2 is nowhere: its row shows the same place.
  constexpr std::int64_t kRow = kCaption + 320;
  EXPECT_EQ(pixel(picture, 10, 2 * kRow + kCaption + 310), (std::array<int, 3>{0, 0, 0}));
  // Without a truth the prediction is shown.
  const Picture alone = draw_overlay(subject, prediction, {}, kUpright);
  EXPECT_TRUE(is_red(pixel(alone, 300, kCaption + 10)));
}

TEST(Overlay, KeepsTheAspectOfVoxels) {
  const Subject subject = dark();
  const std::vector<std::uint8_t> nothing(64);
  constexpr Affine kTall = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2, 0}}};
  const Picture picture = draw_overlay(subject, nothing, {}, kTall);
  // Axial 160 x 160, coronal 160 x 320, sagittal 160 x 320.
  EXPECT_EQ(picture.width, 3 * 160 + 2 * 8);
  EXPECT_EQ(picture.height, 2 * kCaption + 320);
}

TEST(WritePng, IsReadBackPixelByPixel) {
  TemporaryFolder folder;
  Picture picture{3, 2, {}};
  for (std::uint8_t i = 0; i < 18; ++i) {
    picture.rgb.push_back(static_cast<std::uint8_t>(7 * i));
  }
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
