// Pictures of a prediction over the truth, as the white paper's figure 7: red where only the
// prediction is, blue where only the truth is, purple where they agree, on the grey scan.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "training/prediction/caption.h"
#include "workloads/images/nifti_header.h"
#include "workloads/images/preprocess.h"

namespace voxmark {

// A row of slices: axial, coronal and sagittal beside each other, each through the most voxels of
// the truth, where there is none through those of the prediction, and through the middle where
// neither has any (of one label: where the others' row shows), with captions and a legend. Whatever
// way `affine` turns the voxels, the patient's front and top are up and the right hand is on the
// right ("R"), by the axes that lie nearest; its columns' lengths set the aspect. `classes` > 1: a
// row for any label against any, then one per label. `truth` may be empty. Labels lie in NIfTI's
// order.
Picture draw_overlay(const Subject& subject, std::span<const std::uint8_t> prediction,
                     std::span<const std::uint8_t> truth, const Affine& affine,
                     std::int64_t classes = 1);

// Throws Error: bad_input when the file cannot be created, internal when writing fails.
void write_png(const std::string& path, const Picture& picture);

}  // namespace voxmark
