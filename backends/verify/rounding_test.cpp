// How far another program's results may be from the reference, by what it rounds.

#include <gtest/gtest.h>

#include "backends/verify/step_reference.h"
#include "backends/verify/verify.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

// Naive's: the loss off by a share, gradients by one of what contributes to them.
class ResultsThatAreOff : public testing::Test {
 protected:
  ResultsThatAreOff()
      : program_(lower(unet3d({2, 1, 1}), 1, {16, 16, 16}, Mode::training)),
        weights_(verification_weights(program_, 1)),
        reference_(
            reference_step(program_, weights_, synthetic_batch(1, {16, 16, 16}, 1, 1, 1, 0), 1)) {}

  // The names of the checks that fail, of those in question.
  std::string failed(Rounding rounding, double loss_share, double gradient_share) {
    StepResults results;
    results.losses = {reference_.loss * (1 + loss_share)};
    for (const auto& [name, gradient] : reference_.gradients) {
      std::vector<double>& found = results.gradients[name.substr(std::string("gradient/").size())];
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        found.push_back(gradient[i] + gradient_share * reference_.contributions.at(name)[i]);
      }
    }
    for (const auto& [name, values] : weights_) {
      results.updated[name] = values;
    }
    const Verification verification =
        verify_results(results, program_, weights_, reference_, {reference_.loss}, rounding);
    std::string names;
    for (const TensorCheck& check : verification.checks) {
      const bool is_asked_for =
          check.tensor == "loss" || check.tensor == "gradient/PredictionMask/bias";
      names += is_asked_for && !check.passed() ? check.tensor + " " : "";
    }
    return names;
  }

  Program program_;
  Weights weights_;
  StepReference reference_;
};

TEST_F(ResultsThatAreOff, InBf32ByRoundedProductsAreNone) {
  EXPECT_EQ(failed(Rounding::bf32, 5e-4, 0.01), "");
  EXPECT_EQ(failed(Rounding::fp32, 5e-4, 0.01), "loss gradient/PredictionMask/bias ");
}

TEST_F(ResultsThatAreOff, InBf32ByMoreAreWrong) {
  EXPECT_EQ(failed(Rounding::bf32, 2e-3, 0.0), "loss ");
  EXPECT_EQ(failed(Rounding::bf32, 0.0, 0.05), "gradient/PredictionMask/bias ");
}

}  // namespace
}  // namespace voxmark
