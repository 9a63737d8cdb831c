#include "training/prediction/predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "training/prediction/tiles.h"
#include "workloads/data_sets/phantom.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

PredictorOptions small_options() {
  PredictorOptions options;
  options.backend = &naive_backend();
  options.threads = 2;
  options.network.filters = 2;
  options.memory_bytes = std::int64_t{1} << 32U;
  return options;
}

Weights weights_of(const PredictorOptions& options) {
  return initial_weights(lower(unet3d(options.network), 1, {16, 16, 16}, Mode::training), 3);
}

Subject drawn(const Dims& dims) {
  PhantomOptions options;
  options.dims = dims;
  return phantom_subject(options, 0);
}

TEST(TileBegins, CoverEveryVoxelAndOverlapByHalf) {
  EXPECT_EQ(tile_begins(32, 32), (std::vector<std::int64_t>{0}));
  EXPECT_EQ(tile_begins(64, 32), (std::vector<std::int64_t>{0, 16, 32}));
  EXPECT_EQ(tile_begins(48, 32), (std::vector<std::int64_t>{0, 16}));
  EXPECT_EQ(tile_begins(80, 32), (std::vector<std::int64_t>{0, 16, 32, 48}));
}

TEST(BlendWeight, IsPositiveAndLargestInTheMiddle) {
  EXPECT_GT(blend_weight(0, 16), 0);
  EXPECT_EQ(blend_weight(0, 16), blend_weight(15, 16));
  EXPECT_GT(blend_weight(7, 16), blend_weight(6, 16));
}

TEST(Predictor, PadsByTheEdgesAndCutsBack) {
  const PredictorOptions options = small_options();
  Predictor predictor(options);
  predictor.set_weights(weights_of(options));
  const Subject subject = drawn({20, 16, 13});
  const std::vector<float> prediction = predictor.predict(subject);
  ASSERT_EQ(prediction.size(), static_cast<std::size_t>(subject.dims.voxels()));

  // The same, padded by hand: 6 + 6 along x, 1 + 2 along z.
  Subject padded{"padded", {32, 16, 16}, 1, {}, {}};
  for (std::int64_t z = 0; z < 16; ++z) {
    for (std::int64_t y = 0; y < 16; ++y) {
      for (std::int64_t x = 0; x < 32; ++x) {
        const std::int64_t from_x = std::clamp<std::int64_t>(x - 6, 0, 19);
        const std::int64_t from_z = std::clamp<std::int64_t>(z - 1, 0, 12);
        padded.image.push_back(
            subject.image[static_cast<std::size_t>(from_x + 20 * (y + 16 * from_z))]);
        padded.labels.push_back(0);
      }
    }
  }
  // Scaled by the voxels of the original, which lie in the middle.
  PredictorOptions whole = options;
  whole.scale_window = Dims{20, 16, 13};
  Predictor other(whole);
  other.set_weights(weights_of(options));
  const std::vector<float> expected = other.predict(padded);
  for (std::int64_t x = 0; x < 20; ++x) {
    for (std::int64_t y = 0; y < 16; ++y) {
      for (std::int64_t z = 0; z < 13; ++z) {
        EXPECT_FLOAT_EQ(prediction[static_cast<std::size_t>((x * 16 + y) * 13 + z)],
                        expected[static_cast<std::size_t>(((x + 6) * 16 + y) * 16 + z + 1)]);
      }
    }
  }
}

// Tiles along one axis, each predicted by itself here: the weights along the others cancel.
TEST(Predictor, BlendsTilesByTheirWeights) {
  PredictorOptions options = small_options();
  options.tile = Dims{16, 16, 16};
  const Subject subject = drawn({32, 16, 16});
  Predictor predictor(options);
  const Weights weights = weights_of(options);
  predictor.set_weights(weights);
  const std::vector<float> found = predictor.predict(subject);

  const Program program = lower(unet3d(options.network), 1, {16, 16, 16}, Mode::inference);
  CompileOptions compile;
  compile.readable = {program.prediction};
  const auto executable = naive_backend().compile(program, compile);
  set_weights(*executable, program, weights);
  constexpr std::size_t kPlane = 16 * 16;
  std::vector<double> sums(32 * kPlane);
  std::vector<double> shares(32 * kPlane);
  const auto scales = scale_of(subject, {}, subject.dims, 1);  // the whole image is scaled once
  for (const std::size_t begin : {0U, 8U, 16U}) {
    Sample sample =
        cut_sample(subject, {static_cast<std::int64_t>(begin), 0, 0}, {{16, 16, 16}, 1, 1}, scales);
    executable->load({1, {16, 16, 16}, 1, 1, std::move(sample.input), std::move(sample.target)});
    executable->run();
    std::vector<double> prediction(16 * kPlane);
    executable->read(program.prediction, prediction);
    for (std::size_t d = 0; d < 16; ++d) {
      const double weight = static_cast<double>(std::min(d + 1, 16 - d));
      for (std::size_t i = 0; i < kPlane; ++i) {
        sums[(begin + d) * kPlane + i] += weight * prediction[d * kPlane + i];
        shares[(begin + d) * kPlane + i] += weight;
      }
    }
  }
  double largest_change = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(found[i]), sums[i] / shares[i], 1e-6) << i;
    largest_change = std::max(largest_change, std::abs(sums[i] / shares[i] - sums[0] / shares[0]));
  }
  EXPECT_GT(largest_change, 0.01);  // not all the same, which any weights would blend to
}

TEST(Predictor, TilesWhatDoesNotFitAndSaysSo) {
  PredictorOptions options = small_options();
  const Subject subject = drawn({48, 32, 32});
  Predictor whole(options);
  whole.set_weights(weights_of(options));
  whole.predict(subject);
  EXPECT_FALSE(whole.tiled_for_memory());

  options.small_tile = {16, 32, 32};
  options.memory_bytes = whole.planned_bytes() - 1;
  Predictor tiled(options);
  tiled.set_weights(weights_of(options));
  const std::vector<float> prediction = tiled.predict(subject);
  EXPECT_TRUE(tiled.tiled_for_memory());
  for (const float value : prediction) {
    ASSERT_TRUE(value > 0 && value < 1);
  }

  options.memory_bytes = 1000;
  Predictor nowhere(options);
  nowhere.set_weights(weights_of(options));
  try {
    nowhere.predict(subject);
    FAIL() << "predicted in 1000 bytes";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::cannot_here);
  }
}

TEST(Predictor, GivesProbabilitiesOfEveryClassAtFullResolutionFromDownsampledImages) {
  PredictorOptions options = small_options();
  options.network.classes = 3;
  options.network.input_channels = 4;
  options.downsample = 2;
  Predictor predictor(options);
  predictor.set_weights(weights_of(options));
  const Subject subject = drawn({33, 32, 32});
  const std::vector<float> prediction = predictor.predict(subject);
  ASSERT_EQ(prediction.size(), static_cast<std::size_t>(4 * subject.dims.voxels()));
  for (std::size_t voxel = 0; voxel < prediction.size(); voxel += 4) {
    const float sum =
        prediction[voxel] + prediction[voxel + 1] + prediction[voxel + 2] + prediction[voxel + 3];
    ASSERT_NEAR(sum, 1, 1e-5);
  }
}

}  // namespace
}  // namespace voxmark
