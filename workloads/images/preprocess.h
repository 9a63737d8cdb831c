// From one subject's volumes to what the network is fed: crop, z-normalisation, targets, layout.
// Knows nothing of files, nor of chance: augment.h draws offsets and reorders the result.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "workloads/network/batch.h"

namespace voxmark {

// Image and labels of one person on one grid, in NIfTI's order. dims.d, h, w are NIfTI's x, y, z.
struct Subject {
  std::string name;  // stands in messages: a file name, or "phantom 3"
  Dims dims;
  std::int64_t channels = 1;
  std::vector<float> image;          // x fastest, then y, z, channel
  std::vector<std::uint8_t> labels;  // x fastest, then y, z; 0 is background
  // What was read otherwise than the files say, with the file's name.
  std::vector<std::string> warnings{};
};

// What is asked of every subject.
struct SampleShape {
  Dims dims;
  std::int64_t input_channels = 1;  // the first of the subject's
  // 1: one target channel, label > 0 ("whole tumour").
  // K > 1: K + 1 target channels, one-hot by label, background first.
  std::int64_t classes = 1;
};

// Channels of the target: 1, or classes + 1.
std::int64_t target_channels(const SampleShape& shape);

struct Sample {
  std::vector<float> input;   // (D, H, W, input_channels)
  std::vector<float> target;  // (D, H, W, target_channels), each 0 or 1
};

// Where a crop of `shape.dims` in the middle begins; the odd voxel is left at the end.
// Throws Error (bad_input) when the subject is smaller than the crop, naming it and both dims.
Dims centre_offset(const Subject& subject, const SampleShape& shape);

// What makes a channel's mean 0 and its standard deviation 1: (value - mean) / deviation.
struct ChannelScale {
  double mean = 0;
  double deviation = 0;  // of the population; 0: the channel is constant, and becomes all 0
};

// Of each of the first `channels` channels over the window of `dims` at `offset`, in double.
// Throws Error (bad_input) when the window leaves the subject or a channel is missing.
std::vector<ChannelScale> scale_of(const Subject& subject, const Dims& offset, const Dims& dims,
                                   std::int64_t channels);

// Where a window of `window` voxels in the middle of `volume` begins: negative along axes where the
// window is the larger one. The odd voxel is left at the end.
Dims centred(const Dims& volume, const Dims& window);

// Axis by axis the smaller extent.
Dims smaller_of(const Dims& a, const Dims& b);

// Cuts a window out, which may reach beyond the subject: there its edge voxels, and their labels,
// go on. One scale per input channel. Throws Error (bad_input) when a channel is missing, or for a
// label that has no target channel.
Sample cut_sample(const Subject& subject, const Dims& offset, const SampleShape& shape,
                  std::span<const ChannelScale> scales);

// Crops at `offset`, then normalises each channel of the crop to mean 0 and standard deviation 1
// (of the population, in double); a constant channel becomes all 0. Throws Error (bad_input) when
// the subject is too small, has too few channels, or a label that has no target channel.
Sample make_sample(const Subject& subject, const Dims& offset, const SampleShape& shape);

}  // namespace voxmark
