// Fewer voxels from more, and back: what training on down-sampled images takes.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/images/preprocess.h"

namespace voxmark {

// Extents after `factor`^3 boxes have become voxels; boxes at the far edges may be cut.
Dims downsampled(const Dims& dims, std::int64_t factor);

// Means of intensities over each box, and the label that most of its voxels have (the smaller of
// two that tie). `any_label`: background, or else one of the labels, is decided first, as suits a
// network that does not tell labels apart.
Subject downsampled(const Subject& subject, std::int64_t factor, bool any_label);

// Interpolates values (D, H, W, channels) at `from` dims linearly to `to` dims, whose boxes of
// `factor`^3 voxels they are the means of. Beyond the outermost centres, the outermost values hold.
std::vector<float> upsampled(const std::vector<float>& values, const Dims& from,
                             std::int64_t channels, const Dims& to, std::int64_t factor);

}  // namespace voxmark
