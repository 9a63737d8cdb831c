#include "workloads/network/synthetic.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "workloads/network/philox.h"

namespace voxmark {
namespace {

// Streams: a batch takes 2 * step and 2 * step + 1, weights the upper half.
constexpr std::uint64_t kWeightStreams = std::uint64_t{1} << 63U;

// One voxel in ten: tumour's share of a brain scan, roughly; of the 2^24 values of a draw.
constexpr std::uint32_t kLabelledDraws = (std::uint32_t{1} << 24U) / 10;

constexpr float kSqrt3 = 0x1.bb67aep+0F;

// In [-1, 1), exact in float.
float symmetric(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return 2.0F * uniform(seed, stream, index) - 1.0F;
}

// 0 (background) or 1..classes.
std::int64_t random_label(std::int64_t classes, std::uint64_t seed, std::uint64_t stream,
                          std::uint64_t voxel) {
  const std::uint32_t draw = uniform_24_bits(seed, stream, voxel);
  return draw < kLabelledDraws ? 1 + draw * classes / kLabelledDraws : 0;
}

void check(std::int64_t images, const Dims& dims, std::int64_t input_channels,
           std::int64_t classes) {
  bool valid = std::min({images, dims.d, dims.h, dims.w, input_channels, classes}) >= 1;
  std::int64_t bytes = sizeof(float);
  for (const std::int64_t extent : {images, dims.d, dims.h, dims.w}) {
    valid = valid && !__builtin_mul_overflow(bytes, extent, &bytes);
  }
  std::int64_t channels = 0;
  valid = valid && !__builtin_add_overflow(std::max(input_channels, classes), 1, &channels) &&
          !__builtin_mul_overflow(bytes, channels, &bytes);
  if (!valid) {
    throw_bad_input(
        "synthetic batch: {} images of {}x{}x{} with {} channels and {} classes, expected numbers "
        "from 1 whose product fits 63 bits",
        images, dims.d, dims.h, dims.w, input_channels, classes);
  }
}

}  // namespace

Batch synthetic_batch(std::int64_t images, const Dims& dims, std::int64_t input_channels,
                      std::int64_t classes, std::uint64_t seed, std::uint64_t step,
                      std::int64_t first) {
  check(images, dims, input_channels, classes);
  Batch batch;
  batch.images = images;
  batch.dims = dims;
  batch.input_channels = input_channels;
  batch.output_channels = classes == 1 ? 1 : classes + 1;

  const std::int64_t voxels = images * dims.voxels();
  const std::int64_t inputs = voxels * input_channels;
  batch.input.resize(static_cast<std::size_t>(inputs));
  float* const input = batch.input.data();
  const std::int64_t voxels_before = first * dims.voxels();
  const std::int64_t inputs_before = voxels_before * input_channels;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < inputs; ++i) {
    input[i] = symmetric(seed, 2 * step, static_cast<std::uint64_t>(inputs_before + i)) * kSqrt3;
  }

  const std::int64_t channels = batch.output_channels;
  batch.target.resize(static_cast<std::size_t>(voxels * channels));  // zeros
  float* const target = batch.target.data();
#pragma omp parallel for schedule(static)
  for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
    const std::int64_t label = random_label(classes, seed, 2 * step + 1,
                                            static_cast<std::uint64_t>(voxels_before + voxel));
    if (channels > 1) {
      target[voxel * channels + label] = 1.0F;
    } else if (label > 0) {
      target[voxel] = 1.0F;
    }
  }
  return batch;
}

std::vector<float> he_uniform(std::int64_t count, std::int64_t fan_in, std::uint64_t seed,
                              std::uint64_t stream) {
  if (count < 0 || fan_in < 1) {
    throw_bad_input("he_uniform: {} values with fan_in {}, expected at least 0 and 1", count,
                    fan_in);
  }
  // sqrt and division are correctly rounded by IEEE 754, unlike the rest of libm.
  const float limit = static_cast<float>(std::sqrt(6.0 / static_cast<double>(fan_in)));
  std::vector<float> values(static_cast<std::size_t>(count));
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    values[static_cast<std::size_t>(i)] = symmetric(seed, kWeightStreams | stream, index) * limit;
  }
  return values;
}

}  // namespace voxmark
