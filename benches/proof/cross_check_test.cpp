#include "benches/proof/cross_check.h"

#include <gtest/gtest.h>

#include <cmath>

namespace voxmark {
namespace {

CaseSpec spec_of(const std::string& backend) {
  CaseSpec spec;
  spec.backend = backend;
  return spec;
}

Exchange first_step(double loss, double norm, const std::string& batch_sha256 = "aa") {
  Exchange exchange;
  exchange.ready = ReadyMessage{};
  exchange.ready->batch_sha256 = batch_sha256;
  StepMessage step;
  step.loss = loss;
  step.gradient_norms = {{"conv/kernel", norm}, {"conv/bias", 1e-9}};
  exchange.steps = {step};
  return exchange;
}

TEST(CrossCheck, TheFirstHasNothingToCompareWith) {
  CrossCheck check;
  EXPECT_EQ(check.check(spec_of("naive"), first_step(0.7, 2.0)).against, "");
}

TEST(CrossCheck, AgreesWithinRounding) {
  CrossCheck check;
  check.check(spec_of("naive"), first_step(0.7, 2.0));
  const CrossCheckResult result = check.check(spec_of("eigen"), first_step(0.7001, 2.01));
  EXPECT_EQ(result.against, "naive");
  EXPECT_FALSE(result.mismatch);
  EXPECT_GT(result.error, 0);
}

TEST(CrossCheck, FindsAnotherLossAnotherGradientAndNaN) {
  for (const auto& [loss, norm] :
       {std::pair{0.72, 2.0}, {0.7, 2.5}, {0.7, 0.0}, {std::nan(""), 2.0}, {0.7, std::nan("")}}) {
    CrossCheck check;
    check.check(spec_of("naive"), first_step(0.7, 2.0));
    EXPECT_TRUE(check.check(spec_of("eigen"), first_step(loss, norm)).mismatch)
        << loss << " " << norm;
  }
}

TEST(CrossCheck, NoiseInAGradientThatIsZeroIsNoMismatch) {
  CrossCheck check;
  check.check(spec_of("naive"), first_step(0.7, 2.0));
  Exchange noisy = first_step(0.7, 2.0);
  noisy.steps.front().gradient_norms["conv/bias"] = 1e-6;
  EXPECT_FALSE(check.check(spec_of("eigen"), noisy).mismatch);
}

TEST(CrossCheck, InBf16ABiasBeforeABatchNormIsRoundingAlone) {
  const auto differs = [](Precision precision, const std::string& tensor) {
    CaseSpec ours = spec_of("onednn");
    CaseSpec theirs = spec_of("eigen");
    ours.precision = theirs.precision = precision;
    Exchange exact = first_step(0.7, 2.0);
    exact.steps.front().gradient_norms[tensor] = 1e-3;
    Exchange rounded = exact;
    rounded.steps.front().gradient_norms[tensor] = 0.1;
    CrossCheck check;
    check.check(ours, exact);
    return check.check(theirs, rounded).mismatch.has_value();
  };
  EXPECT_FALSE(differs(Precision::bf16, "gradient/convOut_conv1/bias"));
  EXPECT_TRUE(differs(Precision::bf16, "gradient/PredictionMask/bias"));
  EXPECT_FALSE(differs(Precision::bf16, "gradient/transconvE/bias"));
  EXPECT_TRUE(differs(Precision::bf16, "gradient/convOut_conv1/kernel"));
  EXPECT_TRUE(differs(Precision::fp32, "gradient/convOut_conv1/bias"));
}

TEST(CrossCheck, PyTorchWithBf16ProductsIsHeldToTheirRounding) {
  const auto differs = [](const std::string& backend, double loss, double norm) {
    CrossCheck check;
    check.check(spec_of("onednn"), first_step(0.7, 2.0));
    return check.check(spec_of(backend), first_step(loss, norm)).mismatch.has_value();
  };
  EXPECT_FALSE(differs("pytorch-bf32", 0.704, 2.5));
  EXPECT_TRUE(differs("pytorch", 0.704, 2.0));
  EXPECT_TRUE(differs("pytorch", 0.7, 2.5));
  EXPECT_TRUE(differs("pytorch-bf32", 0.71, 2.0));
  EXPECT_TRUE(differs("pytorch-bf32", 0.7, 2.7));
}

TEST(CrossCheck, BatchNormOfASingleValueDecidesNothing) {
  const auto differs = [](std::int64_t batch, const std::string& tensor) {
    CaseSpec ours = spec_of("naive");
    CaseSpec theirs = spec_of("eigen");
    ours.image = theirs.image = {16, 16, 16};
    ours.batch = theirs.batch = batch;
    Exchange exact = first_step(0.7, 2.0);
    exact.steps.front().gradient_norms[tensor] = 0;
    Exchange other = exact;
    other.steps.front().gradient_norms[tensor] = 1.0;
    CrossCheck check;
    check.check(ours, exact);
    return check.check(theirs, other).mismatch.has_value();
  };
  EXPECT_FALSE(differs(1, "gradient/encodeE_bn1/beta"));
  EXPECT_TRUE(differs(2, "gradient/encodeE_bn1/beta"));
  EXPECT_TRUE(differs(1, "gradient/encodeD_bn1/beta"));
}

TEST(CrossCheck, ABackendIsNoProofOfItself) {
  CrossCheck check;
  check.check(spec_of("naive"), first_step(0.7, 2.0));
  EXPECT_EQ(check.check(spec_of("naive"), first_step(0.7, 2.0)).against, "");
  check.check(spec_of("eigen"), first_step(0.7, 2.0));
  EXPECT_EQ(check.check(spec_of("naive"), first_step(0.7, 2.0)).against, "eigen");
}

TEST(CrossCheck, OtherInputsAreAMismatch) {
  CrossCheck check;
  check.check(spec_of("naive"), first_step(0.7, 2.0, "aa"));
  EXPECT_TRUE(check.check(spec_of("eigen"), first_step(0.7, 2.0, "bb")).mismatch);
}

TEST(CrossCheck, ComparesTheSameWorkloadOnly) {
  CrossCheck check;
  check.check(spec_of("naive"), first_step(0.7, 2.0));
  CaseSpec larger = spec_of("eigen");
  larger.batch = 2;
  EXPECT_EQ(check.check(larger, first_step(0.9, 9.0)).against, "");
  CaseSpec other_threads = spec_of("eigen");
  other_threads.threads = 2;
  EXPECT_EQ(check.check(other_threads, first_step(0.7, 2.0)).against, "naive");
}

CaseSpec on_ranks(const std::string& backend, int ranks, const std::string& batch_norm) {
  CaseSpec spec = spec_of(backend);
  spec.ranks = ranks;
  spec.batch = 4 / ranks;
  spec.batch_norm = batch_norm;
  return spec;
}

TEST(CrossCheck, HoldsRanksToTheStepOfOneProcess) {
  CrossCheck check;
  check.check(on_ranks("naive", 1, "global"), first_step(0.7, 2.0));
  EXPECT_EQ(check.check(on_ranks("eigen", 2, "global"), first_step(0.7, 2.0)).against, "naive");
  EXPECT_TRUE(check.check(on_ranks("onednn", 4, "global"), first_step(0.7, 3.0)).mismatch);
}

TEST(CrossCheck, HoldsStatisticsOfEachRankToThoseOfAsManyRanks) {
  CrossCheck check;
  check.check(on_ranks("naive", 2, "global"), first_step(0.7, 2.0));
  check.check(on_ranks("naive", 4, "local"), first_step(0.8, 4.0));
  EXPECT_EQ(check.check(on_ranks("eigen", 2, "local"), first_step(0.9, 3.0)).against, "");
  EXPECT_TRUE(check.check(on_ranks("naive", 2, "local"), first_step(0.7, 2.0)).mismatch);
}

TEST(CrossCheck, LeavesOutWhatABatchNormOfOneValueMakesOfTheCoarsestLevel) {
  const auto differs = [](int ranks, const std::string& batch_norm) {
    CaseSpec spec = on_ranks("naive", ranks, batch_norm);
    spec.image = {16, 16, 16};
    spec.batch = 1;
    Exchange expected = first_step(0.7, 2.0);
    expected.steps.front().gradient_norms = {{"gradient/encodeE_bn1/beta", 1.0}};
    Exchange found = expected;
    found.steps.front().gradient_norms = {{"gradient/encodeE_bn1/beta", 2.0}};
    CrossCheck check;
    check.check(spec, expected);
    spec.backend = "eigen";
    return check.check(spec, found).mismatch.has_value();
  };
  EXPECT_FALSE(differs(1, "global"));
  EXPECT_FALSE(differs(2, "local"));
  EXPECT_TRUE(differs(2, "global"));
}

}  // namespace
}  // namespace voxmark
