#include "workloads/preprocess.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace voxmark {
namespace {

// Calls visit(index in the subject's volume, index in the crop) for every voxel, in the order of
// the crop: W fastest, which is NIfTI's slowest axis.
template <class Visit>
void for_each_voxel(const Dims& volume, const Dims& offset, const Dims& crop, const Visit& visit) {
  std::size_t to = 0;
  for (std::int64_t d = 0; d < crop.d; ++d) {
    for (std::int64_t h = 0; h < crop.h; ++h) {
      for (std::int64_t w = 0; w < crop.w; ++w) {
        const std::int64_t from =
            (offset.d + d) + volume.d * ((offset.h + h) + volume.h * (offset.w + w));
        visit(static_cast<std::size_t>(from), to++);
      }
    }
  }
}

bool fits(const Dims& offset, const Dims& crop, const Dims& volume) {
  const auto axis_fits = [](std::int64_t begin, std::int64_t length, std::int64_t extent) {
    return begin >= 0 && length >= 1 && length <= extent && begin <= extent - length;
  };
  return axis_fits(offset.d, crop.d, volume.d) && axis_fits(offset.h, crop.h, volume.h) &&
         axis_fits(offset.w, crop.w, volume.w);
}

// Two passes: the sum of squares minus the square of the sum would cancel. Not for constants.
void z_normalise(std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  double squares = 0;
  for (double& value : values) {
    value -= mean;
    squares += value * value;
  }
  const double deviation = std::sqrt(squares / count);
  for (double& value : values) value /= deviation;
}

bool is_constant(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(),
                     [&](double value) { return value == values.front(); });
}

}  // namespace

std::int64_t target_channels(const SampleShape& shape) {
  return shape.classes == 1 ? 1 : shape.classes + 1;
}

Dims centre_offset(const Subject& subject, const SampleShape& shape) {
  if (!fits({}, shape.dims, subject.dims)) {
    throw_bad_input("{}: image of {} voxels, expected at least {} to crop", subject.name,
                    to_string(subject.dims), to_string(shape.dims));
  }
  return {(subject.dims.d - shape.dims.d) / 2, (subject.dims.h - shape.dims.h) / 2,
          (subject.dims.w - shape.dims.w) / 2};
}

Sample make_sample(const Subject& subject, const Dims& offset, const SampleShape& shape) {
  if (!fits(offset, shape.dims, subject.dims)) {
    throw_bad_input("{}: image of {} voxels, expected room for a crop of {} at ({}, {}, {})",
                    subject.name, to_string(subject.dims), to_string(shape.dims), offset.d,
                    offset.h, offset.w);
  }
  if (shape.input_channels < 1 || shape.input_channels > subject.channels) {
    throw_bad_input("{}: {} channels asked for, expected 1 to {}", subject.name,
                    shape.input_channels, subject.channels);
  }
  const auto voxels = static_cast<std::size_t>(shape.dims.voxels());
  const auto volume = static_cast<std::size_t>(subject.dims.voxels());
  const auto inputs = static_cast<std::size_t>(shape.input_channels);
  const auto targets = static_cast<std::size_t>(target_channels(shape));
  Sample sample{std::vector<float>(voxels * inputs), std::vector<float>(voxels * targets)};

  std::vector<double> values(voxels);
  for (std::size_t channel = 0; channel < inputs; ++channel) {
    for_each_voxel(subject.dims, offset, shape.dims, [&](std::size_t from, std::size_t to) {
      values[to] = static_cast<double>(subject.image[channel * volume + from]);
    });
    if (is_constant(values)) continue;  // stays 0; its deviation may be rounding noise instead of 0
    z_normalise(values);
    for (std::size_t i = 0; i < voxels; ++i) {
      sample.input[i * inputs + channel] = static_cast<float>(values[i]);
    }
  }
  for_each_voxel(subject.dims, offset, shape.dims, [&](std::size_t from, std::size_t to) {
    const std::size_t label = subject.labels[from];
    if (targets == 1) {
      sample.target[to] = label > 0 ? 1.0F : 0.0F;
    } else if (label < targets) {
      sample.target[to * targets + label] = 1.0F;
    } else {
      throw_bad_input("{}: label {}, expected 0 to {} for {} classes", subject.name, label,
                      shape.classes, shape.classes);
    }
  });
  return sample;
}

}  // namespace voxmark
