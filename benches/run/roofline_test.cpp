#include "benches/run/roofline.h"

#include <gtest/gtest.h>

#include "benches/protocol/case_work.h"
#include "benches/run/ranks_here.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

CaseSpec small_case() {
  CaseSpec spec;
  spec.backend = "naive";
  spec.image = {32, 32, 32};
  spec.threads = 2;
  return spec;
}

std::vector<MachineLimits> limits() {
  MachineLimits own;
  own.threads = 2;
  own.fp32_flops_per_second = 1e11;
  own.triad_bytes_per_second = 1e10;
  own.reasons.emplace()["bf16_flops_per_second"] = "no such instructions";
  return {own};
}

TEST(Roofline, IsAllArithmeticWhereMemoryIsInfinitelyFast) {
  const Program program = training_program(small_case());
  EXPECT_NEAR(roofline_seconds(program, 4, {1e9, 1e30}), static_cast<double>(flops(program)) / 1e9,
              1e-9);
}

TEST(Roofline, IsAllTrafficWhereArithmeticIsInfinitelyFast) {
  const Program program = training_program(small_case());
  const double fp32 = roofline_seconds(program, 4, {1e30, 1e9});
  EXPECT_NEAR(roofline_seconds(program, 2, {1e30, 1e9}), fp32 / 2, 1e-12);
  // The first layer alone reads the image and writes its 16 channels, forward, and again for its
  // weights' gradient.
  EXPECT_GT(fp32, 2 * 4.0 * 32 * 32 * 32 * 17 / 1e9);
}

TEST(Roofline, TakesTheSlowerOfBothPerConvolution) {
  const Program program = training_program(small_case());
  const double arithmetic = roofline_seconds(program, 4, {1e11, 1e30});
  const double traffic = roofline_seconds(program, 4, {1e30, 1e10});
  const double both = roofline_seconds(program, 4, {1e11, 1e10});
  EXPECT_GT(both, std::max(arithmetic, traffic));
  EXPECT_LT(both, arithmetic + traffic);
}

TEST(Roofline, OfACaseUsesTheLimitsOfItsThreadsAndPrecision) {
  const Roofline known = roofline(small_case(), 1, 2, limits());
  EXPECT_NEAR(*known.seconds, roofline_seconds(training_program(small_case()), 4, {1e11, 1e10}),
              1e-12);

  CaseSpec other = small_case();
  other.precision = Precision::bf16;
  EXPECT_FALSE(roofline(other, 1, other.threads, limits()).seconds);
  EXPECT_EQ(roofline(other, 1, other.threads, limits()).reason,
            "bf16_flops_per_second: no such instructions");
  other = small_case();
  other.backend = "pytorch-bf32";
  EXPECT_EQ(roofline(other, 1, other.threads, limits()).reason,
            "bf16_flops_per_second: no such instructions");
  other.precision = Precision::fp64;
  EXPECT_FALSE(roofline(other, 1, other.threads, limits()).seconds);
  other = small_case();
  other.threads = 3;
  EXPECT_EQ(roofline(other, 1, other.threads, limits()).reason,
            "the limits of 3 threads were not measured");
  EXPECT_FALSE(roofline(small_case(), 1, 2, {}).seconds);
}

TEST(Roofline, OfAProcessAmongOthersIsItsShareOfTheMachine) {
  CaseSpec spec = small_case();
  spec.threads = 1;
  const Roofline half = roofline(spec, 2, 2, limits());
  EXPECT_NEAR(*half.seconds, roofline_seconds(training_program(spec), 4, {5e10, 5e9}), 1e-12);
}

TEST(ThreadsHere, AreThoseOfAllProcessesOfTheHost) {
  CaseSpec spec = small_case();
  EXPECT_EQ(threads_here(spec, {}, 1), 2) << "one process takes what it is told";
  spec.copies = 3;
  EXPECT_EQ(threads_here(spec, {}, 8), 6);
  spec.copies = 1;
  spec.ranks = 4;
  RankSettings settings;
  EXPECT_EQ(threads_here(spec, settings, 16), 8);
  EXPECT_EQ(threads_here(spec, settings, 4), 4) << "ranks that share CPUs";
  settings.hosts = {{"a", 2}, {"b", 2}};
  EXPECT_EQ(threads_here(spec, settings, 16), 4);
}

}  // namespace
}  // namespace voxmark
