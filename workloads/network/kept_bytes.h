// What a step takes where nothing is given back before it ends: the arithmetic that the white paper
// goes by. Nothing here knows how a backend or a framework places tensors.
#pragma once

#include <cstdint>

#include "workloads/network/network.h"
#include "workloads/network/precision.h"
#include "workloads/network/program.h"

namespace voxmark {

// A framework that keeps everything has memory of its own for every tensor of the step:
// - every layer's output, and batch norm's apart from ReLU's;
// - a gradient of each of these; where two layers read an output, one from each, and their sum;
// - parameters, their gradients, Adam's m and v, moving statistics, the batch.
// It shares nothing, computes nothing in place, has no scratch and no copies in other layouts. The
// batch, activations and their gradients are in the step's precision, all else in fp32 at least.
std::int64_t keeps_everything_bytes(const Program& program, Precision precision);
// One tensor's part. Of a batch norm with ReLU: both outputs, or both gradients.
std::int64_t keeps_everything_bytes(const Program& program, Precision precision, TensorId id);

// Of the paper's network.
std::int64_t keeps_everything_bytes(const UnetOptions& network, std::int64_t images,
                                    const Dims& dims, Precision precision);
// What a voxel more of a batch adds: what the slope of a line of measured peaks over voxels is
// compared with, where weights and whatever else a process holds do not matter.
double keeps_everything_bytes_per_voxel(const UnetOptions& network, Precision precision);

}  // namespace voxmark
