// The images of which one is looked for that fits.
#pragma once

#include <array>

#include "workloads/cases/case_spec.h"

namespace voxmark {

// By voxels, largest first. 240x240x144 is all of a scan (240x240x155) that four poolings divide;
// 144 and 128 are the paper's and its code's crops.
inline constexpr std::array<Dims, 8> kImagesBySize = {
    Dims{240, 240, 144}, Dims{192, 192, 144}, Dims{144, 144, 144}, Dims{128, 128, 128},
    Dims{96, 96, 96},    Dims{64, 64, 64},    Dims{32, 32, 32},    Dims{16, 16, 16}};

}  // namespace voxmark
