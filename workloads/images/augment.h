// What chance does to a training sample: where its window lies, and whether it is flipped or
// turned. Drawn from Philox: a pure function of (seed, epoch, position), the same in a resumed run.
#pragma once

#include <cstdint>

#include "workloads/images/preprocess.h"

namespace voxmark {

// A flip along one axis, or quarter turns in a plane of two axes (0 is D, 1 is H, 2 is W).
// first == second: nothing is turned.
struct Augmentation {
  int flip_axis = -1;  // -1: none
  int first = 0;
  int second = 0;
  int quarter_turns = 0;
};

// As the paper's code: half of the samples are flipped along an axis; half of the others are turned
// by one to three quarters, in a plane whose extents are equal (without one, they stay as they
// are).
Augmentation draw_augmentation(const Dims& dims, std::uint64_t seed, std::uint64_t epoch,
                               std::uint64_t position);

// Reorders the voxels of input and target alike. A quarter turn takes the first axis to the second,
// as numpy.rot90 does.
Sample augment(const Sample& sample, const SampleShape& shape, const Augmentation& augmentation);

// Where a training window begins. `near_middle`: moved from the middle by at most a fifth of the
// margin before it, as the paper's code does. `anywhere`: wherever it fits. Along axes where the
// window is the larger one it is centred.
enum class WindowPlace { near_middle, anywhere };
Dims draw_offset(const Dims& volume, const Dims& window, WindowPlace place, std::uint64_t seed,
                 std::uint64_t epoch, std::uint64_t position);

}  // namespace voxmark
