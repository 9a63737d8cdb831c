// A step allocates nothing: it runs in the memory that was planned. Counts every malloc of this
// program, so it is one of its own, and is left out where a sanitizer brings its own malloc.

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>

#include "backends/eigen/eigen.h"
#include "workloads/network.h"
#include "workloads/synthetic.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {
std::atomic<long> allocations{0};
}
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
#define VOXMARK_COUNTS_ALLOCATIONS
#endif

namespace voxmark {
namespace {

class Allocation : public testing::TestWithParam<const Backend*> {};

TEST_P(Allocation, DoesNotHappenInAStep) {
#ifndef VOXMARK_COUNTS_ALLOCATIONS
  GTEST_SKIP() << "cannot count allocations in this build";
#else
  constexpr int kThreads = 2;
  const Dims dims{16, 32, 48};
  const Program program = lower(unet3d({4, 1, 1}), 1, dims, Mode::training);
  const auto executable = GetParam()->compile(program, {Precision::fp32, kThreads, {}});
  executable->load(synthetic_batch(1, dims, 1, 1, 1, 0));
  executable->run();  // OpenMP makes its threads
  executable->update();
  const long before = allocations;
  executable->run();
  // One belongs to the caller: the vector of sums in the result.
  EXPECT_EQ(allocations - before, 1);
  const long before_update = allocations;
  executable->update();
  EXPECT_EQ(allocations - before_update, 0);
#endif
}

INSTANTIATE_TEST_SUITE_P(Backends, Allocation,
                         testing::Values(&eigen_backend(), &eigen_tensor_backend()),
                         [](const auto& tested) {
                           return tested.param->name() == "eigen" ? "eigen" : "eigen_tensor";
                         });

}  // namespace
}  // namespace voxmark
