// How fast oneDNN multiplies matrices in bf16 here: the library's own choice of AMX or AVX-512. And
// which oneDNN that is.
#pragma once

#include <optional>
#include <string>

#include "benches/limits/rounds.h"

namespace voxmark {

struct MatmulRate {
  std::optional<RoundSeconds> seconds;  // of one product
  double flops = 0;                     // of one product
  std::string implementation;           // oneDNN's name for it
  std::string reason;                   // why there are no seconds
};

// On as many threads as OpenMP is set to.
MatmulRate bf16_matmul_rate(double budget_seconds);

// "2.6.3"; "" where this build has no oneDNN.
std::string onednn_version();

}  // namespace voxmark
