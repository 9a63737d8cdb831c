#include "training/overlay.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"

namespace voxmark {
namespace {

using Colour = std::array<double, 3>;  // 0 to 255

constexpr Colour kPrediction = {230, 40, 40};
constexpr Colour kTruth = {50, 90, 240};
constexpr Colour kAgreement = {170, 60, 220};
constexpr double kOpacity = 0.55;          // of the colours; the scan shows through
constexpr std::int64_t kHeight = 320;      // of a slice, at least, in pixels
constexpr std::int64_t kGap = 8;           // between slices
constexpr double kBrightestShare = 0.995;  // of the voxels are below white

// A plane of the volume: which axis it is cut across, and which axes run right and up.
struct Plane {
  std::size_t across, right, up;
};
constexpr std::array<Plane, 3> kPlanes = {
    {{2, 0, 1}, {1, 0, 2}, {0, 1, 2}}};  // axial, coronal, ...

std::array<std::int64_t, 3> extents_of(const Dims& dims) { return {dims.d, dims.h, dims.w}; }

std::size_t index_of(const Dims& dims, const std::array<std::int64_t, 3>& voxel) {
  return static_cast<std::size_t>(voxel[0] + dims.d * (voxel[1] + dims.h * voxel[2]));
}

// Black is 0 or the darkest voxel, white a bright one: outliers would leave the rest dark.
std::pair<double, double> grey_range(const Subject& subject) {
  std::vector<float> values(
      subject.image.begin(),
      subject.image.begin() + static_cast<std::ptrdiff_t>(subject.dims.voxels()));
  const auto bright =
      values.begin() +
      static_cast<std::ptrdiff_t>(kBrightestShare * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), bright, values.end());
  const double white = static_cast<double>(*bright);
  const double black = static_cast<double>(*std::min_element(values.begin(), values.end()));
  return {black, std::max(white, black + 1e-6)};
}

// The slice across `axis` with the most labelled voxels.
std::int64_t busiest_slice(const Dims& dims, std::size_t axis,
                           std::span<const std::uint8_t> prediction,
                           std::span<const std::uint8_t> truth) {
  const auto extents = extents_of(dims);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(extents[axis]));
  std::size_t i = 0;
  for (std::int64_t z = 0; z < dims.w; ++z) {
    for (std::int64_t y = 0; y < dims.h; ++y) {
      for (std::int64_t x = 0; x < dims.d; ++x, ++i) {
        const std::array<std::int64_t, 3> voxel = {x, y, z};
        const bool labelled = prediction[i] > 0 || (!truth.empty() && truth[i] > 0);
        counts[static_cast<std::size_t>(voxel[axis])] += labelled ? 1 : 0;
      }
    }
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  return *most == 0 ? extents[axis] / 2 : most - counts.begin();
}

Colour colour_of(double grey, bool predicted, bool wanted) {
  Colour colour = {grey, grey, grey};
  if (!predicted && !wanted) return colour;
  const Colour& over = predicted && wanted ? kAgreement : (predicted ? kPrediction : kTruth);
  for (std::size_t i = 0; i < 3; ++i) colour[i] += kOpacity * (over[i] - colour[i]);
  return colour;
}

Picture beside_each_other(const std::vector<Picture>& pictures) {
  Picture all;
  for (const Picture& one : pictures) {
    all.width += one.width + (all.width > 0 ? kGap : 0);
    all.height = std::max(all.height, one.height);
  }
  all.rgb.resize(static_cast<std::size_t>(all.width * all.height * 3));
  std::int64_t left = 0;
  for (const Picture& one : pictures) {
    const std::int64_t top = (all.height - one.height) / 2;
    for (std::int64_t row = 0; row < one.height; ++row) {
      const auto from = one.rgb.begin() + static_cast<std::ptrdiff_t>(row * one.width * 3);
      std::copy(
          from, from + static_cast<std::ptrdiff_t>(one.width * 3),
          all.rgb.begin() + static_cast<std::ptrdiff_t>(((top + row) * all.width + left) * 3));
    }
    left += one.width + kGap;
  }
  return all;
}

}  // namespace

Picture draw_overlay(const Subject& subject, std::span<const std::uint8_t> prediction,
                     std::span<const std::uint8_t> truth, const std::array<double, 3>& voxel_size) {
  const auto extents = extents_of(subject.dims);
  const auto [black, white] = grey_range(subject);
  // Pixels per unit, the same in all planes.
  double largest = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    largest = std::max(largest, static_cast<double>(extents[axis]) * voxel_size[axis]);
  }
  const double scale = static_cast<double>(kHeight) / largest;

  std::vector<Picture> slices;
  for (const Plane& plane : kPlanes) {
    std::array<std::int64_t, 3> voxel{};
    voxel[plane.across] = busiest_slice(subject.dims, plane.across, prediction, truth);
    const auto pixels = [&](std::size_t axis) {
      const double size = static_cast<double>(extents[axis]) * voxel_size[axis] * scale;
      return std::max<std::int64_t>(1, std::llround(size));
    };
    Picture slice{pixels(plane.right), pixels(plane.up), {}};
    for (std::int64_t row = 0; row < slice.height; ++row) {
      voxel[plane.up] = extents[plane.up] - 1 - row * extents[plane.up] / slice.height;
      for (std::int64_t column = 0; column < slice.width; ++column) {
        voxel[plane.right] = column * extents[plane.right] / slice.width;
        const std::size_t i = index_of(subject.dims, voxel);
        const double value = static_cast<double>(subject.image[i]);
        const double grey = 255 * std::clamp((value - black) / (white - black), 0.0, 1.0);
        for (const double part :
             colour_of(grey, prediction[i] > 0, !truth.empty() && truth[i] > 0)) {
          slice.rgb.push_back(static_cast<std::uint8_t>(std::lround(part)));
        }
      }
    }
    slices.push_back(std::move(slice));
  }
  return beside_each_other(slices);
}

void write_png(const std::string& path, const Picture& picture) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> encoded(bytes);
  if (png_image_write_to_memory(&image, encoded.data(), &bytes, 0, picture.rgb.data(), 0,
                                nullptr) == 0) {
    throw_internal("{}: libpng: {}", path, image.message);
  }
  AtomicFile file(path);
  file.write(std::span<const std::byte>(encoded).first(bytes));
  file.commit();
}

}  // namespace voxmark
