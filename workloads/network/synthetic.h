// Random batches and random initial weights, the same bits on every compiler, optimisation level
// and number of threads: a value is a function of (seed, step, element) alone, made of integer
// arithmetic and correctly rounded float operations.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/network/batch.h"

namespace voxmark {

// A batch without data: voxels uniform in [-sqrt(3), sqrt(3)) (mean 0, variance 1, as after
// z-normalisation) and a random mask. About one voxel in ten carries a label, each of the `classes`
// labels as often as the others. classes == 1: one channel, 1 where there is a label.
// classes == K > 1: K + 1 channels, one-hot, background first.
// It has the images from `first` on of a larger batch.
// Throws Error (bad_input) when a number is below 1, or the batch overflows memory's addresses.
Batch synthetic_batch(std::int64_t images, const Dims& dims, std::int64_t input_channels,
                      std::int64_t classes, std::uint64_t seed, std::uint64_t step,
                      std::int64_t first = 0);

// `count` initial values of a kernel, uniform in [-limit, limit), limit = sqrt(6 / fan_in):
// Keras's he_uniform. `stream` tells the tensors of one seed apart; no stream shares random numbers
// with a batch. Throws Error (bad_input) when count is negative or fan_in below 1.
std::vector<float> he_uniform(std::int64_t count, std::int64_t fan_in, std::uint64_t seed,
                              std::uint64_t stream);

}  // namespace voxmark
