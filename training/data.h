// What a training run reads, by the text of --data.
#pragma once

#include <string>

#include "workloads/batch_source.h"

namespace voxmark {

// A Decathlon folder, or "phantom:N" (N cases drawn when asked for, at `image` dims), or
// "phantom:N:240x240x155" (at dims of their own). Split by the seed, which also draws phantoms.
// Throws Error (bad_input).
SubjectParts open_parts(const std::string& data, const Dims& image, std::uint64_t seed);

}  // namespace voxmark
