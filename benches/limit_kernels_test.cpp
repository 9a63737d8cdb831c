#include "benches/limit_kernels.h"

#include <gtest/gtest.h>

#include <string>

namespace voxmark {
namespace {

TEST(MultiplyAdd, UsesTheWidestVectorsOfThisCpu) {
  const std::string isa = multiply_add().isa;
  EXPECT_EQ(isa == "avx512", __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(isa == "sse2",
            __builtin_cpu_supports("avx2") == 0 || __builtin_cpu_supports("fma") == 0);
}

// Every sum of every lane tends to 1, so that their total is the number of multiply-adds.
TEST(MultiplyAdd, ComputesWhatItCounts) {
  const MultiplyAdd kernel = multiply_add();
  const auto count = static_cast<float>(kernel.flops_per_round / 2);
  EXPECT_NEAR(kernel.rounds(20000), count, 1e-3F * count);
  EXPECT_LT(kernel.rounds(1), 0.5F * count) << "it needs many rounds";
}

}  // namespace
}  // namespace voxmark
