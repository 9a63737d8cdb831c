// What was read of an image or a data set, as facts and as text.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "workloads/images/read_options.h"

namespace voxmark {

// One NIfTI-1 image of any shape: format facts, affine (3x4), minimum, maximum and mean of the
// scaled values, counts of NaN and infinite voxels, and the SHA-256 of the scaled values as
// little-endian float64, x fastest. With non-finite voxels, minimum, maximum and mean are null
// beside a reason, and `finite` has those of the others. Throws Error (bad_input) as NiftiReader.
Json inspect_image(const std::string& path);

// A data set: its cases with shape and split (under `seed`), its labels with the number of
// voxels of each, links with what they lead to, warnings. Reads every label and the header of every
// image; `deep`: every voxel, as train does. Throws Error (bad_input) naming every case that cannot
// be read.
Json inspect_dataset(const std::string& path, std::uint64_t seed, const ReadOptions& reading = {},
                     bool deep = false);

// inspect_dataset() for a folder, a datalist or "fold:N:...", inspect_image() for anything else.
Json inspect(const std::string& path, std::uint64_t seed, const ReadOptions& reading = {},
             bool deep = false);

// The same facts for people, one line each, ending in a newline.
std::string inspect_text(const Json& facts);

}  // namespace voxmark
