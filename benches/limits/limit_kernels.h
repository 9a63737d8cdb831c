// The loops behind benches/limits/machine_limits.h: nothing but arithmetic, nothing but memory
// traffic.
#pragma once

#include <cstdint>
#include <span>

namespace voxmark {

// As many independent multiply-adds as there are registers to hold their sums, over and over, on
// one thread alone.
struct MultiplyAdd {
  const char* isa = "";  // "avx512", "avx2", "sse2"
  std::int64_t flops_per_round = 0;
  float (*rounds)(std::int64_t count) = nullptr;  // returns a value that depends on all sums
};

// With the widest vectors that this CPU has, whatever voxmark was compiled for: oneDNN chooses at
// run time, too.
MultiplyAdd multiply_add();

// to = from + factor * other, as STREAM's triad, with ordinary stores. All of the same size.
void triad(std::span<double> to, std::span<const double> from, std::span<const double> other,
           double factor);

}  // namespace voxmark
