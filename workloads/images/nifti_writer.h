// Writes NIfTI-1 single files, .nii or .nii.gz by the name: little-endian, unscaled, with an sform.
// The same values give the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "workloads/images/nifti_header.h"

namespace voxmark {

struct NiftiGrid {
  std::vector<std::int64_t> shape;  // 1 to 7 extents of 1 to 32767, x first
  Affine affine{};                  // stored as float32
};

// values: x fastest; one per voxel of the grid. Whole or not at all: an older file at `path` stays
// until then. Throws Error: bad_input when no file can be created there, internal when the shape
// cannot be stored or does not match, or writing fails (a full disk).
void write_nifti(const std::string& path, const NiftiGrid& grid, std::span<const float> values);
void write_nifti(const std::string& path, const NiftiGrid& grid,
                 std::span<const std::int16_t> values);
void write_nifti(const std::string& path, const NiftiGrid& grid,
                 std::span<const std::uint8_t> values);

}  // namespace voxmark
