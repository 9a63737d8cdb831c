// The loops behind benches/machine_limits.h: nothing but arithmetic, nothing but memory traffic.
#pragma once

#include <cstdint>
#include <span>

namespace voxmark {

// Floating-point operations of one round of multiply_add_rounds().
std::int64_t flops_per_round();
// What the kernel was compiled for: "avx512", "avx2", "sse2".
const char* multiply_add_isa();

// As many independent multiply-adds as there are registers to hold their sums, over and over, on
// this thread alone. Returns a value that depends on all of them.
float multiply_add_rounds(std::int64_t rounds);

// to = from + factor * other, as STREAM's triad, with ordinary stores. All of the same size.
void triad(std::span<double> to, std::span<const double> from, std::span<const double> other,
           double factor);

}  // namespace voxmark
