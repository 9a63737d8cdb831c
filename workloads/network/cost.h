// Nominal work of a program: equal for every backend, so that seconds become an honest FLOP/s.
// Multiply-adds count as 2; the zeros of 'same' padding count as work; only convolutions count.
#pragma once

#include <cstdint>

#include "workloads/network/program.h"

namespace voxmark {

std::int64_t flops(const Program& program, const Op& op);

// Of the whole step, every phase.
std::int64_t flops(const Program& program);

// Of the operands that a convolution (of either kind, in either direction) must read and write once
// each, the kernel and bias gradients among them; 0 for every other op. What stands between
// convolutions can be fused into them; this cannot be avoided while tensors exceed the caches.
std::int64_t convolution_elements(const Program& program, const Op& op);

struct ParameterCount {
  std::int64_t trainable = 0;
  std::int64_t moving_statistics = 0;
  std::int64_t total() const { return trainable + moving_statistics; }
};
ParameterCount count_parameters(const Program& program);

}  // namespace voxmark
