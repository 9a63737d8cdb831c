#include "workloads/images/preprocess.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/error.h"

namespace voxmark {
namespace {

// Calls visit(index in the subject's volume, index in the crop) for every voxel, in the order of
// the crop: W fastest, which is NIfTI's slowest axis. Beyond the volume, its edge voxels go on.
template <class Visit>
void for_each_voxel(const Dims& volume, const Dims& offset, const Dims& crop, const Visit& visit) {
  const auto inside = [](std::int64_t index, std::int64_t extent) {
    return std::clamp<std::int64_t>(index, 0, extent - 1);
  };
  std::size_t to = 0;
  for (std::int64_t d = 0; d < crop.d; ++d) {
    const std::int64_t x = inside(offset.d + d, volume.d);
    for (std::int64_t h = 0; h < crop.h; ++h) {
      const std::int64_t y = inside(offset.h + h, volume.h);
      for (std::int64_t w = 0; w < crop.w; ++w) {
        const std::int64_t from = x + volume.d * (y + volume.h * inside(offset.w + w, volume.w));
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
ChannelScale scale_of_values(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  const double mean = sum / count;
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return {mean, std::sqrt(squares / count)};
}

bool is_constant(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(),
                     [&](double value) { return value == values.front(); });
}

void check_window(const Subject& subject, const Dims& offset, const Dims& dims) {
  if (!fits(offset, dims, subject.dims)) {
    throw_bad_input("{}: image of {} voxels, expected room for a crop of {} at ({}, {}, {})",
                    subject.name, to_string(subject.dims), to_string(dims), offset.d, offset.h,
                    offset.w);
  }
}

void check_channels(const Subject& subject, std::int64_t channels) {
  if (channels < 1 || channels > subject.channels) {
    throw_bad_input("{}: {} channels asked for, expected 1 to {}", subject.name, channels,
                    subject.channels);
  }
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
  return centred(subject.dims, shape.dims);
}

std::vector<ChannelScale> scale_of(const Subject& subject, const Dims& offset, const Dims& dims,
                                   std::int64_t channels) {
  check_window(subject, offset, dims);
  check_channels(subject, channels);
  const auto volume = static_cast<std::size_t>(subject.dims.voxels());
  std::vector<ChannelScale> scales(static_cast<std::size_t>(channels));
  std::vector<double> values(static_cast<std::size_t>(dims.voxels()));
  for (std::size_t channel = 0; channel < scales.size(); ++channel) {
    for_each_voxel(subject.dims, offset, dims, [&](std::size_t from, std::size_t to) {
      values[to] = static_cast<double>(subject.image[channel * volume + from]);
    });
    // A constant's computed deviation may be rounding noise instead of 0.
    if (!is_constant(values)) {
      scales[channel] = scale_of_values(values);
    }
  }
  return scales;
}

Dims centred(const Dims& volume, const Dims& window) {
  return {(volume.d - window.d) / 2, (volume.h - window.h) / 2, (volume.w - window.w) / 2};
}

Dims smaller_of(const Dims& a, const Dims& b) {
  return {std::min(a.d, b.d), std::min(a.h, b.h), std::min(a.w, b.w)};
}

Sample cut_sample(const Subject& subject, const Dims& offset, const SampleShape& shape,
                  std::span<const ChannelScale> scales) {
  check_channels(subject, shape.input_channels);
  assert(scales.size() == static_cast<std::size_t>(shape.input_channels));
  const auto voxels = static_cast<std::size_t>(shape.dims.voxels());
  const auto volume = static_cast<std::size_t>(subject.dims.voxels());
  const auto targets = static_cast<std::size_t>(target_channels(shape));
  Sample sample{std::vector<float>(voxels * scales.size()), std::vector<float>(voxels * targets)};

  for (std::size_t channel = 0; channel < scales.size(); ++channel) {
    const ChannelScale& scale = scales[channel];
    if (scale.deviation == 0) {
      continue;  // stays 0
    }
    for_each_voxel(subject.dims, offset, shape.dims, [&](std::size_t from, std::size_t to) {
      const auto value = static_cast<double>(subject.image[channel * volume + from]);
      sample.input[to * scales.size() + channel] =
          static_cast<float>((value - scale.mean) / scale.deviation);
    });
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

Sample make_sample(const Subject& subject, const Dims& offset, const SampleShape& shape) {
  return cut_sample(subject, offset, shape,
                    scale_of(subject, offset, shape.dims, shape.input_channels));
}

}  // namespace voxmark
