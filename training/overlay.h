// Pictures of a prediction over the truth, as the white paper's figure 7: red where only the
// prediction is, blue where only the truth is, purple where they agree, on the grey scan.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "workloads/preprocess.h"

namespace voxmark {

struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> rgb;  // rows from the top, (height, width, 3)
};

// Axial, coronal and sagittal slices beside each other, each through the most labelled voxels of
// truth and prediction together (the middle where there are none). Patient's superior and anterior
// are up, if x, y, z point right, front and up, as NIfTI has them; `voxel_size` in any unit sets
// the aspect. `truth` may be empty. Labels lie in NIfTI's order.
Picture draw_overlay(const Subject& subject, std::span<const std::uint8_t> prediction,
                     std::span<const std::uint8_t> truth,
                     const std::array<double, 3>& voxel_size = {1, 1, 1});

// Throws Error: bad_input when the file cannot be created, internal when writing fails.
void write_png(const std::string& path, const Picture& picture);

}  // namespace voxmark
