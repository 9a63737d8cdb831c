// A phantom: a head that never lived, with a brain tumour, four MRI modalities and the labels of
// the Decathlon's Task01. A pure function of the seed, in integers and IEEE arithmetic only, so
// that every machine and compiler draws the same voxels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "workloads/images/nifti_header.h"
#include "workloads/images/preprocess.h"

namespace voxmark {

struct PhantomOptions {
  std::uint64_t seed = 1;
  std::size_t subjects = 4;
  Dims dims{96, 96, 80};  // of every subject; anisotropic dims squeeze the head
};

constexpr std::int64_t kPhantomChannels = 4;  // FLAIR, T1w, T1gd, T2w
constexpr std::int64_t kPhantomClasses = 3;   // oedema, non-enhancing and enhancing tumour

// Subject `index` of the set: skull-stripped, background 0, intensities whole numbers (so that
// float32 holds them exactly), channels * voxels floats. From 32x32x32 on it has all four labels.
// `channels`: the first so many of the four.
Subject phantom_subject(const PhantomOptions& options, std::size_t index,
                        std::int64_t channels = kPhantomChannels);

// By value, background first.
std::vector<std::string> phantom_labels();

// Of their grids: x, y, z point right, front and up, over the field of view of a head.
Affine phantom_affine(const Dims& dims);

// Writes the set as a Decathlon folder: imagesTr/ (x, y, z, 4; float32), labelsTr/ (x, y, z; uint8)
// and, last, dataset.json. What is read back is phantom_subject(), voxel by voxel. Throws Error
// (bad_input) when the folder holds another data set or cannot be written.
void write_phantom_dataset(const std::string& folder, const PhantomOptions& options);

}  // namespace voxmark
