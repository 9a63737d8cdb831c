// The oneDNN backend against naive in double, on networks that take each of its layouts.

#include "backends/onednn/onednn.h"

#include <gtest/gtest.h>

#include "backends/verify.h"
#include "workloads/synthetic.h"

namespace voxmark {
namespace {

struct Case {
  const char* name;
  UnetOptions network;
  std::int64_t images;
  Dims dims;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class OnednnStep : public testing::TestWithParam<Case> {};

TEST_P(OnednnStep, IsThatOfTheReference) {
  const Case& c = GetParam();
  const Program program = lower(unet3d(c.network), c.images, c.dims, Mode::training);
  const Weights weights = verification_weights(program, 7);
  const Batch batch =
      synthetic_batch(c.images, c.dims, c.network.input_channels, c.network.classes, 7, 0);
  const StepReference reference = reference_step(program, weights, batch, 2);
  const Verification verification =
      verify_step(onednn_backend(), {Precision::fp32, 2, {}}, program, weights, batch, reference);
  for (const TensorCheck& check : verification.checks) {
    EXPECT_LE(check.error, check.tolerance) << check.tensor;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Networks, OnednnStep,
    testing::Values(Case{"ChannelsLast", {4, 1, 1}, 2, {16, 16, 16}},
                    Case{"ChannelsLastChannelsAndClasses", {4, 4, 3}, 1, {32, 16, 48}},
                    Case{"OddFilters", {6, 2, 2}, 1, {32, 16, 16}},
                    Case{"BlockedBy8", {8, 1, 1}, 1, {32, 16, 48}},
                    Case{"BlockedBy8WithPaddedInputs", {8, 4, 3}, 2, {16, 16, 32}},
                    Case{"BlockedBy16", {16, 1, 1}, 1, {32, 32, 16}},
                    Case{"BlockedBy16Batch", {16, 1, 2}, 2, {16, 16, 32}}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace voxmark
