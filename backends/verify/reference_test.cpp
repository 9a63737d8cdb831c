// naive against runs that TensorFlow computed in float64 (read from beside the checkout, if there).

#include <gtest/gtest.h>

#include <filesystem>

#include "backends/naive/naive.h"
#include "backends/verify/verify.h"

namespace voxmark {
namespace {

class ReferenceRun : public testing::TestWithParam<Precision> {};

TEST_P(ReferenceRun, IsReproducedByNaive) {
  const std::filesystem::path folder =
      std::filesystem::path(VOXMARK_SOURCE_DIR) / ".." / "shared" / "reference";
  if (!std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << "no reference runs beside the checkout (" << folder << ")";
  }
  int runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") {
      continue;
    }
    const Verification verification =
        verify_reference_run(naive_backend(), {GetParam(), 2, {}}, entry.path().string());
    for (const TensorCheck& check : verification.checks) {
      EXPECT_LE(check.error, check.tolerance) << entry.path() << ": " << check.tensor;
    }
    RecordProperty("worst", verification.worst().tensor);
    ++runs;
  }
  EXPECT_GT(runs, 0) << "no .safetensors in " << folder;
}

INSTANTIATE_TEST_SUITE_P(Precisions, ReferenceRun,
                         testing::Values(Precision::fp64, Precision::fp32),
                         [](const auto& test) { return to_string(test.param); });

}  // namespace
}  // namespace voxmark
