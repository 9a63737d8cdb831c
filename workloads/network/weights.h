// The persistent tensors of a program by name: initial values, and those of a file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "workloads/network/program.h"

namespace voxmark {

// Parameters, moving statistics and optimizer state by the Program's tensor names, each in the
// Program's layout: "encodeA_conv0/kernel", "optimizer/m/encodeA_conv0/kernel", ...
using Weights = std::map<std::string, std::vector<double>>;

// he_uniform kernels (limit sqrt(6 / fan_in), fan_in = k0*k1*k2 times the second last axis, as
// Keras takes it), biases 0, gamma 1, beta 0, moving mean 0, moving variance 1, optimizer state 0.
// A pure function of the program's tensors and the seed; every value is exact in float32.
Weights initial_weights(const Program& program, std::uint64_t seed);

// SHA-256 over the parameters and moving statistics, as little-endian float32 in the program's
// order.
std::string sha256_hex(const Program& program, const Weights& weights);

// Reads every persistent tensor of the program from safetensors in Keras's names and layouts;
// optimizer state of which the file has nothing reads as zero. `prefix` stands before the names in
// the file ("initial/" in reference runs). Throws Error (bad_input) naming the file, the tensor,
// and the expected and found shapes when the file belongs to another model.
Weights load_weights(const std::string& path, const Program& program,
                     const std::string& prefix = "");

}  // namespace voxmark
