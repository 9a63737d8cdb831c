// Prediction and loss against naive in double.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <vector>

#include "backends/passes/lanes_exp.h"
#include "backends/passes/pass_testing.h"
#include "backends/passes/passes.h"

namespace voxmark::passes {
namespace {

struct LossCase {
  std::int64_t n, voxels, channels;
};
std::ostream& operator<<(std::ostream& out, const LossCase& c) {
  return out << c.n << " x " << c.voxels << " x " << c.channels;
}

class Loss : public testing::TestWithParam<LossCase> {
 protected:
  void SetUp() override {
    const LossCase& c = GetParam();
    shape_ = {c.n, c.voxels, c.channels};
    is_softmax_ = c.channels > 1;
    const Shape ndhwc = {c.n, 1, 1, c.voxels, c.channels};
    Values values = random_values(shape_.elements(), 1);
    for (double& v : values) {
      v *= 8;
    }
    logits_ = reference_.tensor(ndhwc, values);
    target_ = reference_.tensor(ndhwc, random_bits(shape_.elements(), 2));
    prediction_ = reference_.tensor(ndhwc);
    sums_ = reference_.reduction({c.n, c.channels, kDiceSumCount});
    loss_ = reference_.reduction({1});
    coefficients_ = reference_.reduction({2});
    grad_prediction_ = reference_.tensor(ndhwc);
    grad_logits_ = reference_.tensor(ndhwc);
    if (is_softmax_) {
      reference_.run(Softmax{logits_, prediction_});
    } else {
      reference_.run(Sigmoid{logits_, prediction_});
    }
    reference_.run(DiceSums{prediction_, target_, sums_});
    reference_.run(DiceLoss{sums_, loss_, coefficients_});
    reference_.run(DiceGradient{target_, coefficients_, grad_prediction_});
    if (is_softmax_) {
      reference_.run(SoftmaxBackward{prediction_, grad_prediction_, grad_logits_});
    } else {
      reference_.run(SigmoidBackward{prediction_, grad_prediction_, grad_logits_});
    }
  }
  std::vector<float> floats(TensorId id) const { return to_floats(reference_[id]); }
  std::vector<float> zeros() const {
    return std::vector<float>(static_cast<std::size_t>(shape_.elements()));
  }
  // Relative to each prediction: rounding of exp's argument (8 + 8) and of the sum and quotient.
  void expect_predictions(const std::vector<float>& found) const {
    expect_near(found, reference_[prediction_], reference_[prediction_], 20 * 6e-8);
  }
  // prediction * |coefficients|, whose difference cancels.
  void expect_logit_gradients(const std::vector<float>& found) const {
    const Values& k = reference_[coefficients_];
    const double largest = std::abs(k[0]) + std::abs(k[1]);
    expect_near(found, reference_[grad_logits_], 4 * largest);
  }

  PredictionShape shape_;
  bool is_softmax_ = false;
  Reference reference_;
  TensorId logits_, target_, prediction_, sums_, loss_, coefficients_, grad_prediction_,
      grad_logits_;
};

INSTANTIATE_TEST_SUITE_P(Shapes, Loss,
                         testing::Values(LossCase{1, 1, 1}, LossCase{2, 1000, 1},
                                         LossCase{2, 20011, 1}, LossCase{1, 37, 2},
                                         LossCase{2, 5003, 4}, LossCase{1, 300, 65}));

TEST_P(Loss, Predictions) {
  std::vector<float> found = zeros();
  predict(shape_, is_softmax_, floats(logits_).data(), found.data(), kThreads);
  expect_predictions(found);
}

TEST_P(Loss, DiceSumsAreThoseOfDouble) {
  // Of the rounded predictions, as the pass sees them; a tie is decided by the first channel.
  std::vector<float> rounded = floats(prediction_);
  if (is_softmax_) {
    rounded[0] = rounded[1] = 0.5F;
  } else {
    rounded[0] = 0.5F;  // not above one half
  }
  const Shape ndhwc = {shape_.n, 1, 1, shape_.voxels, shape_.channels};
  const TensorId p = reference_.tensor(ndhwc, Values(rounded.begin(), rounded.end()));
  reference_.run(DiceSums{p, target_, sums_});
  Values one(reference_[sums_].size()), three(one.size());
  std::vector<std::byte> memory = scratch(dice_scratch_bytes(shape_));
  dice_sums(shape_, rounded.data(), floats(target_).data(), one.data(), memory.data(), 1);
  dice_sums(shape_, rounded.data(), floats(target_).data(), three.data(), memory.data(), 3);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(one[i], reference_[sums_][i], 1e-12 * (1.0 + reference_[sums_][i])) << i;
  }
  EXPECT_EQ(one, three);
}

TEST_P(Loss, PredictionFusedWithSumsIsTheSameInOnePass) {
  std::vector<float> apart = zeros(), fused = zeros();
  Values sums(reference_[sums_].size()), fused_sums(sums.size());
  std::vector<std::byte> memory = scratch(dice_scratch_bytes(shape_));
  const std::vector<float> logits = floats(logits_), target = floats(target_);
  predict(shape_, is_softmax_, logits.data(), apart.data(), kThreads);
  dice_sums(shape_, apart.data(), target.data(), sums.data(), memory.data(), kThreads);
  predict_dice_sums(shape_, is_softmax_, logits.data(), target.data(), fused.data(),
                    fused_sums.data(), memory.data(), kThreads);
  EXPECT_EQ(fused, apart);
  EXPECT_EQ(fused_sums, sums);
}

TEST_P(Loss, LossAndItsCoefficients) {
  double loss = 0, coefficients[2] = {};
  dice_loss(shape_.n * shape_.channels, reference_[sums_].data(), &loss, coefficients);
  EXPECT_DOUBLE_EQ(loss, reference_[loss_][0]);
  EXPECT_DOUBLE_EQ(coefficients[0], reference_[coefficients_][0]);
  EXPECT_DOUBLE_EQ(coefficients[1], reference_[coefficients_][1]);
}

TEST_P(Loss, Gradients) {
  const double* k = reference_[coefficients_].data();
  const std::vector<float> prediction = floats(prediction_), target = floats(target_);
  std::vector<float> found = zeros();
  dice_gradient(shape_.elements(), target.data(), k, found.data(), kThreads);
  expect_near(found, reference_[grad_prediction_], std::abs(k[0]) + std::abs(k[1]));
  predict_backward(shape_, is_softmax_, prediction.data(), found.data(), found.data(), kThreads);
  expect_logit_gradients(found);
  std::vector<float> fused = zeros();
  predict_dice_backward(shape_, is_softmax_, prediction.data(), target.data(), k, fused.data(),
                        kThreads);
  EXPECT_EQ(fused, found);
}

TEST(Predict, SigmoidSaturatesAndKeepsNaN) {
  const std::vector<float> logits = {-1e30F, -200.0F, 0.0F, 200.0F, 1e30F, std::nanf("")};
  std::vector<float> found(logits.size());
  predict({1, 6, 1}, false, logits.data(), found.data(), 1);
  EXPECT_LT(found[0], 1e-37F);
  EXPECT_LT(found[1], 1e-37F);
  EXPECT_EQ(found[2], 0.5F);
  EXPECT_EQ(found[3], 1.0F);
  EXPECT_EQ(found[4], 1.0F);
  EXPECT_TRUE(std::isnan(found[5]));
}

// Every 61st float of the range on which it is exact, scalar and vector alike.
TEST(ExpLanes, StaysWithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  const auto check = [&](float from, float to) {
    std::uint32_t bits = 0, last = 0;
    std::memcpy(&bits, &from, sizeof bits);
    std::memcpy(&last, &to, sizeof last);
    for (; bits < last; bits += 61) {
      float x = 0;
      std::memcpy(&x, &bits, sizeof x);
      const double expected = std::exp(static_cast<double>(x));
      const float rounded = static_cast<float>(expected);
      const double unit =
          static_cast<double>(std::nextafter(rounded, INFINITY)) - static_cast<double>(rounded);
      const float found = exp_lanes<float>(x);
      worst = std::max(worst, std::abs(static_cast<double>(found) - expected) / unit);
      const NativeLanes lanes = exp_lanes<NativeLanes>(fill<NativeLanes>(x));
      ASSERT_EQ(lanes[kNativeLanes - 1], found) << x;
    }
  };
  check(1e-6F, 88.3F);
  check(-1e-6F, -87.3F);
  EXPECT_LE(worst, 2.0);
  EXPECT_GT(worst, 0.1);  // it did compute something
}

}  // namespace
}  // namespace voxmark::passes
