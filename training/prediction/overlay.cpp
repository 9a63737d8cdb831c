#include "training/prediction/overlay.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"

namespace voxmark {
namespace {

using Colour = std::array<double, 3>;  // 0 to 255

constexpr Colour kPrediction = {230, 40, 40};
constexpr Colour kTruth = {50, 90, 240};
constexpr Colour kAgreement = {170, 60, 220};
constexpr double kOpacity = 0.55;          // of the colours; the scan shows through
constexpr std::int64_t kHeight = 320;      // of a slice, at most, in pixels
constexpr std::int64_t kGap = 8;           // between slices, and around words
constexpr double kBrightestShare = 0.995;  // of the voxels are below white
constexpr Rgb kWords = {220, 220, 220};

// Which voxel axis runs along the patient's left-right, back-front and bottom-top axis, whether
// against it, and how long a voxel is there.
struct PatientAxis {
  std::size_t axis = 0;
  bool against = false;
  double voxel_size = 1;
};
using PatientAxes = std::array<PatientAxis, 3>;

// A plane of the patient: which axis it is cut across, and which axes run right and up.
struct Plane {
  const char* name;
  std::size_t across, right, up;
};
constexpr std::array<Plane, 3> kPlanes = {
    {{"AXIAL", 2, 0, 1}, {"CORONAL", 1, 0, 2}, {"SAGITTAL", 0, 1, 2}}};

// The closest axes first: an oblique grid has none that lie exactly along the patient's.
PatientAxes patient_axes(const Affine& affine) {
  PatientAxes axes{};
  std::array<bool, 3> row_done{};
  std::array<bool, 3> column_done{};
  const auto length = [&](std::size_t column) {
    return std::hypot(affine[0][column], affine[1][column], affine[2][column]);
  };
  for (int found = 0; found < 3; ++found) {
    double best = -1;
    std::size_t best_row = 0;
    std::size_t best_column = 0;
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t column = 0; column < 3; ++column) {
        if (row_done[row] || column_done[column]) {
          continue;
        }
        const double size = length(column);
        const double cosine = size > 0 ? std::abs(affine[row][column]) / size : 0;
        if (cosine > best) {
          best = cosine;
          best_row = row;
          best_column = column;
        }
      }
    }
    row_done[best_row] = column_done[best_column] = true;
    const double size = length(best_column);
    axes[best_row] = {best_column, affine[best_row][best_column] < 0, size > 0 ? size : 1};
  }
  return axes;
}

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

// What is drawn over a voxel: any label, or one.
struct Mask {
  std::span<const std::uint8_t> prediction;
  std::span<const std::uint8_t> truth;  // may be empty
  std::uint8_t label = 0;               // 0: any

  bool holds(std::uint8_t value) const { return label == 0 ? value > 0 : value == label; }
  bool predicted(std::size_t voxel) const { return holds(prediction[voxel]); }
  bool wanted(std::size_t voxel) const { return !truth.empty() && holds(truth[voxel]); }
};

using Slices = std::array<std::int64_t, 3>;  // the one to show, by the axis that it lies across

// Those with the most voxels that `counts` says yes to; nothing where it never does.
template <class Counts>
std::optional<Slices> busiest_slices(const Dims& dims, const Counts& counts) {
  const auto extents = extents_of(dims);
  std::array<std::vector<std::int64_t>, 3> found;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    found[axis].resize(static_cast<std::size_t>(extents[axis]));
  }
  std::size_t i = 0;
  for (std::int64_t z = 0; z < dims.w; ++z) {
    for (std::int64_t y = 0; y < dims.h; ++y) {
      for (std::int64_t x = 0; x < dims.d; ++x, ++i) {
        if (!counts(i)) {
          continue;
        }
        ++found[0][static_cast<std::size_t>(x)];
        ++found[1][static_cast<std::size_t>(y)];
        ++found[2][static_cast<std::size_t>(z)];
      }
    }
  }
  Slices slices{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto most = std::ranges::max_element(found[axis]);
    if (*most == 0) {
      return std::nullopt;
    }
    slices[axis] = most - found[axis].begin();
  }
  return slices;
}

// Through the truth: a bad model's prediction, which may be anywhere and large, would lead away
// from what it missed. Where there is no truth, through the prediction.
std::optional<Slices> slices_of(const Dims& dims, const Mask& mask) {
  const auto truth = busiest_slices(dims, [&](std::size_t voxel) { return mask.wanted(voxel); });
  if (truth) {
    return truth;
  }
  return busiest_slices(dims, [&](std::size_t voxel) { return mask.predicted(voxel); });
}

Colour colour_of(double grey, bool predicted, bool wanted) {
  Colour colour = {grey, grey, grey};
  if (!predicted && !wanted) {
    return colour;
  }
  const Colour& over = predicted && wanted ? kAgreement : (predicted ? kPrediction : kTruth);
  for (std::size_t i = 0; i < 3; ++i) {
    colour[i] += kOpacity * (over[i] - colour[i]);
  }
  return colour;
}

Picture black_picture(std::int64_t width, std::int64_t height) {
  return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3))};
}

void paste(Picture& onto, const Picture& picture, std::int64_t left, std::int64_t top) {
  for (std::int64_t row = 0; row < picture.height; ++row) {
    const auto from = picture.rgb.begin() + row * picture.width * 3;
    std::copy(from, from + picture.width * 3,
              onto.rgb.begin() + ((top + row) * onto.width + left) * 3);
  }
}

Picture draw_slice(const Subject& subject, const Mask& mask, const Slices& slices,
                   const Plane& plane, const PatientAxes& axes, double pixels_per_unit,
                   const std::pair<double, double>& greys) {
  const auto extents = extents_of(subject.dims);
  const PatientAxis& right = axes[plane.right];
  const PatientAxis& up = axes[plane.up];
  const auto pixels = [&](const PatientAxis& along) {
    const double size =
        static_cast<double>(extents[along.axis]) * along.voxel_size * pixels_per_unit;
    return std::max<std::int64_t>(1, std::llround(size));
  };
  // The voxel `share` of the way along an axis, from the patient's left, back or bottom.
  const auto voxel_at = [&](const PatientAxis& along, std::int64_t pixel, std::int64_t count) {
    const std::int64_t index = pixel * extents[along.axis] / count;
    return along.against ? extents[along.axis] - 1 - index : index;
  };
  std::array<std::int64_t, 3> voxel{};
  voxel[axes[plane.across].axis] = slices[axes[plane.across].axis];
  Picture slice{pixels(right), pixels(up), {}};
  for (std::int64_t row = 0; row < slice.height; ++row) {
    voxel[up.axis] = voxel_at(up, slice.height - 1 - row, slice.height);
    for (std::int64_t column = 0; column < slice.width; ++column) {
      voxel[right.axis] = voxel_at(right, column, slice.width);
      const std::size_t i = index_of(subject.dims, voxel);
      const double value = static_cast<double>(subject.image[i]);
      const double grey =
          255 * std::clamp((value - greys.first) / (greys.second - greys.first), 0.0, 1.0);
      for (const double part : colour_of(grey, mask.predicted(i), mask.wanted(i))) {
        slice.rgb.push_back(static_cast<std::uint8_t>(std::lround(part)));
      }
    }
  }
  return slice;
}

// The slices of one mask, each under its plane's name.
Picture draw_row(const Subject& subject, const Mask& mask, const Slices& shown,
                 const PatientAxes& axes) {
  const auto extents = extents_of(subject.dims);
  double largest = 0;
  for (const PatientAxis& along : axes) {
    largest = std::max(largest, static_cast<double>(extents[along.axis]) * along.voxel_size);
  }
  const double scale = static_cast<double>(kHeight) / largest;  // the same in all planes
  const auto greys = grey_range(subject);
  const std::string what = mask.label == 0 ? "" : fmt::format(" LABEL {}", mask.label);
  std::vector<Picture> slices;
  std::vector<std::int64_t> lefts;
  std::int64_t width = 0;
  std::int64_t height = 0;
  for (const Plane& plane : kPlanes) {
    slices.push_back(draw_slice(subject, mask, shown, plane, axes, scale, greys));
    lefts.push_back(width);
    width += std::max(slices.back().width, text_width(plane.name + what)) + kGap;
    height = std::max(height, slices.back().height);
  }
  constexpr std::int64_t kCaption = kTextHeight + 2 * kGap;
  Picture row = black_picture(width - kGap, height + kCaption);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    paste(row, slices[i], lefts[i], kCaption);
    write_text(row, lefts[i], kGap, kPlanes[i].name + what, kWords);
    // The patient's right hand, where a slice shows both.
    if (kPlanes[i].right == 0) {
      write_text(row, lefts[i] + slices[i].width - text_width("R"),
                 kCaption + (slices[i].height - kTextHeight) / 2, "R", kWords);
    }
  }
  return row;
}

Picture draw_legend(bool has_truth) {
  const auto rounded = [](const Colour& colour) {
    return Rgb{static_cast<std::uint8_t>(colour[0]), static_cast<std::uint8_t>(colour[1]),
               static_cast<std::uint8_t>(colour[2])};
  };
  std::vector<std::pair<std::string_view, Rgb>> entries = {{"PREDICTION", rounded(kPrediction)}};
  if (has_truth) {
    entries.emplace_back("TRUTH", rounded(kTruth));
    entries.emplace_back("AGREEMENT", rounded(kAgreement));
  }
  std::int64_t width = 0;
  for (const auto& [name, colour] : entries) {
    width += kTextHeight + text_width(name) + 3 * kGap;
  }
  Picture legend = black_picture(width, kTextHeight + 2 * kGap);
  std::int64_t left = 0;
  for (const auto& [name, colour] : entries) {
    fill(legend, left, kGap, kTextHeight, kTextHeight, colour);
    write_text(legend, left + kTextHeight + kGap, kGap, name, kWords);
    left += kTextHeight + text_width(name) + 3 * kGap;
  }
  return legend;
}

Picture below_each_other(const std::vector<Picture>& pictures) {
  std::int64_t width = 0;
  std::int64_t height = 0;
  for (const Picture& one : pictures) {
    width = std::max(width, one.width);
    height += one.height;
  }
  Picture all = black_picture(width, height);
  std::int64_t top = 0;
  for (const Picture& one : pictures) {
    paste(all, one, 0, top);
    top += one.height;
  }
  return all;
}

}  // namespace

Picture draw_overlay(const Subject& subject, std::span<const std::uint8_t> prediction,
                     std::span<const std::uint8_t> truth, const Affine& affine,
                     std::int64_t classes) {
  const PatientAxes axes = patient_axes(affine);
  const Mask any = {prediction, truth, 0};
  const Dims& dims = subject.dims;
  const Slices shown = slices_of(dims, any).value_or(Slices{dims.d / 2, dims.h / 2, dims.w / 2});
  std::vector<Picture> rows = {draw_row(subject, any, shown, axes)};
  for (std::int64_t label = 1; classes > 1 && label <= classes; ++label) {
    const Mask own = {prediction, truth, static_cast<std::uint8_t>(label)};
    rows.push_back(draw_row(subject, own, slices_of(dims, own).value_or(shown), axes));
  }
  rows.push_back(draw_legend(!truth.empty()));
  return below_each_other(rows);
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
