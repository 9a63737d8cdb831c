#include "workloads/images/augment.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <tuple>
#include <utility>
#include <vector>

#include "workloads/network/philox.h"

namespace voxmark {
namespace {

constexpr std::uint64_t kAugmentStreams = 4ULL << 56U;  // apart from every tensor's stream

// What a random number is for.
enum class Draw : std::uint64_t {
  flip,
  axis,
  turn,
  plane,
  quarters,
  offset_d,
  offset_h,
  offset_w,
  count
};

// One of 0..choices-1.
std::int64_t draw(Draw what, std::int64_t choices, std::uint64_t seed, std::uint64_t epoch,
                  std::uint64_t position) {
  const std::uint64_t index =
      position * static_cast<std::uint64_t>(Draw::count) + static_cast<std::uint64_t>(what);
  const std::uint64_t bits = uniform_24_bits(seed, kAugmentStreams + epoch, index);
  return static_cast<std::int64_t>((bits * static_cast<std::uint64_t>(choices)) >> 24U);
}

std::array<std::int64_t, 3> extents_of(const Dims& dims) { return {dims.d, dims.h, dims.w}; }

// Copies each voxel's channels from where `source(d, h, w)` says.
template <class Source>
std::vector<float> reorder(const std::vector<float>& values, const Dims& dims, std::size_t channels,
                           const Source& source) {
  std::vector<float> result(values.size());
  auto to = result.begin();
  for (std::int64_t d = 0; d < dims.d; ++d) {
    for (std::int64_t h = 0; h < dims.h; ++h) {
      for (std::int64_t w = 0; w < dims.w; ++w) {
        const std::array<std::int64_t, 3> from = source({d, h, w});
        const std::int64_t voxel = (from[0] * dims.h + from[1]) * dims.w + from[2];
        const auto first = values.begin() + static_cast<std::ptrdiff_t>(voxel) *
                                                static_cast<std::ptrdiff_t>(channels);
        to = std::copy(first, first + static_cast<std::ptrdiff_t>(channels), to);
      }
    }
  }
  return result;
}

}  // namespace

Augmentation draw_augmentation(const Dims& dims, std::uint64_t seed, std::uint64_t epoch,
                               std::uint64_t position) {
  Augmentation augmentation;
  const auto choose = [&](Draw what, std::int64_t choices) {
    return static_cast<int>(draw(what, choices, seed, epoch, position));
  };
  if (choose(Draw::flip, 2) == 1) {
    augmentation.flip_axis = choose(Draw::axis, 3);
    return augmentation;
  }
  const std::array<std::int64_t, 3> extents = extents_of(dims);
  std::vector<std::pair<int, int>> planes;
  for (const auto& plane : {std::pair{0, 1}, std::pair{0, 2}, std::pair{1, 2}}) {
    if (extents[static_cast<std::size_t>(plane.first)] ==
        extents[static_cast<std::size_t>(plane.second)]) {
      planes.push_back(plane);
    }
  }
  if (!planes.empty() && choose(Draw::turn, 2) == 1) {
    const int plane = choose(Draw::plane, static_cast<std::int64_t>(planes.size()));
    std::tie(augmentation.first, augmentation.second) = planes[static_cast<std::size_t>(plane)];
    augmentation.quarter_turns = 1 + choose(Draw::quarters, 3);
  }
  return augmentation;
}

Sample augment(const Sample& sample, const SampleShape& shape, const Augmentation& augmentation) {
  const std::array<std::int64_t, 3> extents = extents_of(shape.dims);
  const auto source = [&](std::array<std::int64_t, 3> index) {
    if (augmentation.flip_axis >= 0) {
      const auto axis = static_cast<std::size_t>(augmentation.flip_axis);
      index[axis] = extents[axis] - 1 - index[axis];
    }
    const auto first = static_cast<std::size_t>(augmentation.first);
    const auto second = static_cast<std::size_t>(augmentation.second);
    assert(first == second || extents[first] == extents[second]);
    for (int turn = 0; turn < augmentation.quarter_turns; ++turn) {
      // rot90: result[i][j] = values[j][last - i]
      const std::int64_t row = index[first];
      index[first] = index[second];
      index[second] = extents[first] - 1 - row;
    }
    return index;
  };
  return {
      reorder(sample.input, shape.dims, static_cast<std::size_t>(shape.input_channels), source),
      reorder(sample.target, shape.dims, static_cast<std::size_t>(target_channels(shape)), source)};
}

Dims draw_offset(const Dims& volume, const Dims& window, WindowPlace place, std::uint64_t seed,
                 std::uint64_t epoch, std::uint64_t position) {
  const Dims middle = centred(volume, window);
  const auto along = [&](Draw what, std::int64_t spare, std::int64_t centre) {
    if (spare <= 0) {
      return centre;
    }
    if (place == WindowPlace::anywhere) {
      return draw(what, spare + 1, seed, epoch, position);
    }
    const std::int64_t furthest = centre / 5;  // floor(0.2 * margin)
    return centre - furthest + draw(what, 2 * furthest + 1, seed, epoch, position);
  };
  return {along(Draw::offset_d, volume.d - window.d, middle.d),
          along(Draw::offset_h, volume.h - window.h, middle.h),
          along(Draw::offset_w, volume.w - window.w, middle.w)};
}

}  // namespace voxmark
