// A step runs in what compiling made: no allocation, no new thread. Of oneDNN, whose library makes
// a small table of arguments whenever a primitive is executed, all but that.
#include <gtest/gtest.h>

#include "backends/library_calls.h"
#include "backends/registry/registry.h"
#include "benches/probes/process_counts.h"
#include "workloads/network/network.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

std::uint64_t executions = 0;
std::uint64_t library_allocations = 0;  // inside of them
#ifdef VOXMARK_WITH_LIBRARY_CALLS
std::uint64_t allocations_before = 0;  // of the execution that is running

std::uint64_t allocations_so_far() {
  const CountsOrReason counts = process_counts();
  const auto* found = std::get_if<ProcessCounts>(&counts);
  return found == nullptr ? 0 : found->heap_allocations;
}
#endif

class SteadyState : public testing::Test {
 protected:
  void SetUp() override {
    const CountsOrReason counts = process_counts();
    if (const auto* reason = std::get_if<std::string>(&counts)) {
      GTEST_SKIP() << *reason;
    }
  }

  // What a step after the first one adds to the counts, with its update.
  static ProcessCounts step_of(const Backend& backend, Precision precision = Precision::fp32) {
    constexpr int kThreads = 2;
    const Dims dims{16, 32, 48};
    const Program program = lower(unet3d({16, 1, 1}), 1, dims, Mode::training);
    const auto executable = backend.compile(program, {precision, kThreads, {}});
    executable->load(synthetic_batch(1, dims, 1, 1, 1, 0));
    const auto step = [&executable] {
      executable->run();
      executable->update();
    };
    step();  // OpenMP makes its threads
    executions = library_allocations = 0;
    const ProcessCounts before = std::get<ProcessCounts>(process_counts());
    step();
    const ProcessCounts after = std::get<ProcessCounts>(process_counts());
    return {after.heap_allocations - before.heap_allocations,
            after.heap_allocated_bytes - before.heap_allocated_bytes,
            after.thread_starts - before.thread_starts};
  }
};

TEST_F(SteadyState, EigensStepsAllocateNothingAndStartNoThread) {
  for (const char* name : {"eigen", "eigen-tensor"}) {
    const Backend* backend = find_backend(name).backend;
    if (backend == nullptr) {
      GTEST_SKIP() << name << " is not built";
    }
    const ProcessCounts step = step_of(*backend);
    EXPECT_EQ(step.heap_allocations, 0U) << name;
    EXPECT_EQ(step.thread_starts, 0U) << name;
  }
}

#ifdef VOXMARK_WITH_LIBRARY_CALLS
TEST_F(SteadyState, OneDnnsStepAllocatesWithinTheLibraryAloneAndStartsNoThread) {
  watch_library_calls([] { allocations_before = allocations_so_far(); },
                      [] {
                        library_allocations += allocations_so_far() - allocations_before;
                        ++executions;
                      });
  const Backend& backend = *find_backend("onednn").backend;
  const ProcessCounts step = step_of(backend);
  EXPECT_GT(executions, 0U) << "nothing was watched";
  EXPECT_EQ(step.heap_allocations, library_allocations);
  EXPECT_EQ(step.thread_starts, 0U);
  // Six calls and 300 bytes per execution, of 2.6: nothing that grows with the image.
  constexpr std::uint64_t kMostBytesPerExecution = 2048;
  EXPECT_LE(step.heap_allocated_bytes, executions * kMostBytesPerExecution);
  RecordProperty("executions", static_cast<int>(executions));
  RecordProperty("allocations", static_cast<int>(step.heap_allocations));
  RecordProperty("bytes", static_cast<int>(step.heap_allocated_bytes));
}
#endif

}  // namespace
}  // namespace voxmark
