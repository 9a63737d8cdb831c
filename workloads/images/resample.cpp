#include "workloads/images/resample.h"

#include <algorithm>
#include <array>
#include <utility>

namespace voxmark {
namespace {

std::size_t index_of(const Dims& dims, std::int64_t x, std::int64_t y, std::int64_t z) {
  return static_cast<std::size_t>(x + dims.d * (y + dims.h * z));
}

// Calls visit(index in the subject) for every voxel of the box that becomes voxel (x, y, z).
template <class Visit>
void for_each_in_box(const Dims& dims, std::int64_t factor, std::int64_t x, std::int64_t y,
                     std::int64_t z, const Visit& visit) {
  for (std::int64_t k = z * factor; k < std::min((z + 1) * factor, dims.w); ++k) {
    for (std::int64_t j = y * factor; j < std::min((y + 1) * factor, dims.h); ++j) {
      for (std::int64_t i = x * factor; i < std::min((x + 1) * factor, dims.d); ++i) {
        visit(index_of(dims, i, j, k));
      }
    }
  }
}

// Where fine voxel `index` lies among the centres of the coarse ones.
struct Between {
  std::int64_t low = 0;
  std::int64_t high = 0;
  double share = 0;  // of the high one
};

Between between(std::int64_t index, std::int64_t coarse_extent, std::int64_t factor) {
  const double position = (static_cast<double>(index) + 0.5) / static_cast<double>(factor) - 0.5;
  const double inside = std::clamp(position, 0.0, static_cast<double>(coarse_extent - 1));
  const auto low = static_cast<std::int64_t>(inside);
  return {low, std::min(low + 1, coarse_extent - 1), inside - static_cast<double>(low)};
}

}  // namespace

Dims downsampled(const Dims& dims, std::int64_t factor) {
  const auto boxes = [factor](std::int64_t extent) { return (extent + factor - 1) / factor; };
  return {boxes(dims.d), boxes(dims.h), boxes(dims.w)};
}

Subject downsampled(const Subject& subject, std::int64_t factor, bool any_label) {
  const Dims dims = downsampled(subject.dims, factor);
  const auto voxels = static_cast<std::size_t>(dims.voxels());
  const auto volume = static_cast<std::size_t>(subject.dims.voxels());
  const auto channels = static_cast<std::size_t>(subject.channels);
  Subject result{subject.name, dims, subject.channels, std::vector<float>(voxels * channels),
                 std::vector<std::uint8_t>(voxels)};
  std::size_t to = 0;
  for (std::int64_t z = 0; z < dims.w; ++z) {
    for (std::int64_t y = 0; y < dims.h; ++y) {
      for (std::int64_t x = 0; x < dims.d; ++x, ++to) {
        std::array<int, 256> votes{};
        int voters = 0;
        for_each_in_box(subject.dims, factor, x, y, z, [&](std::size_t from) {
          ++votes[subject.labels[from]];
          ++voters;
        });
        // Where background does not win against them together, it is out.
        const bool labelled = any_label && voters - votes[0] > votes[0];
        result.labels[to] = static_cast<std::uint8_t>(
            std::max_element(votes.begin() + (labelled ? 1 : 0), votes.end()) - votes.begin());
        for (std::size_t channel = 0; channel < channels; ++channel) {
          double sum = 0;
          for_each_in_box(subject.dims, factor, x, y, z, [&](std::size_t from) {
            sum += static_cast<double>(subject.image[channel * volume + from]);
          });
          result.image[channel * voxels + to] = static_cast<float>(sum / voters);
        }
      }
    }
  }
  return result;
}

std::vector<float> upsampled(const std::vector<float>& values, const Dims& from,
                             std::int64_t channels, const Dims& to, std::int64_t factor) {
  const auto width = static_cast<std::size_t>(channels);
  std::vector<float> result(static_cast<std::size_t>(to.voxels()) * width);
  std::size_t voxel = 0;
  for (std::int64_t d = 0; d < to.d; ++d) {
    const Between on_d = between(d, from.d, factor);
    for (std::int64_t h = 0; h < to.h; ++h) {
      const Between on_h = between(h, from.h, factor);
      for (std::int64_t w = 0; w < to.w; ++w, ++voxel) {
        const Between on_w = between(w, from.w, factor);
        for (int corner = 0; corner < 8; ++corner) {
          const auto side = [](const Between& along, bool high) {
            return std::pair(high ? along.high : along.low, high ? along.share : 1 - along.share);
          };
          const auto [cd, share_d] = side(on_d, (corner & 1) != 0);
          const auto [ch, share_h] = side(on_h, (corner & 2) != 0);
          const auto [cw, share_w] = side(on_w, (corner & 4) != 0);
          const auto share = static_cast<float>(share_d * share_h * share_w);
          const auto source = static_cast<std::size_t>((cd * from.h + ch) * from.w + cw) * width;
          for (std::size_t channel = 0; channel < width; ++channel) {
            result[voxel * width + channel] += share * values[source + channel];
          }
        }
      }
    }
  }
  return result;
}

}  // namespace voxmark
