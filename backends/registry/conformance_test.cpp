// One suite for every backend of this build: the whole step against naive in double, and proof that
// the comparison would notice a wrong one.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <xmmintrin.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "backends/interpreter/executable_weights.h"
#include "backends/interpreter/interpreter.h"
#include "backends/naive/kernels.h"
#include "backends/naive/naive.h"
#include "backends/registry/registry.h"
#include "backends/verify/verify.h"
#include "workloads/network/structure.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

struct Case {
  UnetOptions network;
  std::int64_t images;
  Dims dims;
};

std::string describe(const Case& c) {
  return fmt::format("filters {} channels {} classes {} levels {} batch {} image {}",
                     c.network.filters, c.network.input_channels, c.network.classes,
                     c.network.levels, c.images, to_string(c.dims));
}

// A program, its inputs and its reference, computed once and shared by the tests.
struct Prepared {
  Program program;
  Weights weights;
  Batch batch;
  StepReference reference;
};

constexpr int kThreads = 2;
constexpr std::uint64_t kSeed = 1;

Prepared prepare(const Case& c) {
  Prepared p;
  p.program = lower(unet3d(c.network), c.images, c.dims, Mode::training);
  p.weights = verification_weights(p.program, kSeed);
  p.batch =
      synthetic_batch(c.images, c.dims, c.network.input_channels, c.network.classes, kSeed, 0);
  p.reference = reference_step(p.program, p.weights, p.batch, kThreads);
  return p;
}

// Small filters meet channel counts that no vector width divides; 48 selects oneDNN's large
// kernels.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {{4, 1, 1}, 2, {16, 32, 16}},    {{4, 4, 3}, 1, {32, 16, 48}},
      {{8, 2, 1}, 1, {32, 32, 16}},    {{16, 1, 1}, 1, {16, 32, 32}},
      {{16, 1, 2}, 2, {16, 32, 32}},   {{16, 1, 1, 4}, 1, {32, 16, 32}},
      {{4, 2, 2, 3}, 2, {16, 32, 16}}, {{8, 1, 1, 2}, 1, {16, 16, 32}}};
  return all;
}

const Prepared& prepared(std::size_t index) {
  static std::vector<std::unique_ptr<Prepared>> cache(cases().size());
  if (cache[index] == nullptr) {
    cache[index] = std::make_unique<Prepared>(prepare(cases()[index]));
  }
  return *cache[index];
}

void expect_passed(const Verification& verification) {
  for (const TensorCheck& check : verification.checks) {
    EXPECT_LE(check.error, check.tolerance) << check.tensor;
  }
}

std::vector<std::string> computing_backends() {
  std::vector<std::string> names;
  for (const RegisteredBackend& entry : registered_backends()) {
    if (entry.backend != nullptr && entry.backend->computes()) {
      names.push_back(entry.name);
    }
  }
  return names;
}

class Conformance : public testing::TestWithParam<std::string> {
 protected:
  const Backend& backend() const { return *find_backend(GetParam()).backend; }
};

TEST_P(Conformance, ComputesTheStepOfTheReference) {
  for (std::size_t i = 0; i < cases().size(); ++i) {
    SCOPED_TRACE(describe(cases()[i]));
    const Prepared& p = prepared(i);
    const Verification verification = verify_step(backend(), {Precision::fp32, kThreads, {}},
                                                  p.program, p.weights, p.batch, p.reference);
    expect_passed(verification);
    RecordProperty("worst", verification.worst().tensor);
  }
}

TEST_P(Conformance, ComputesTheSameOnOneThread) {
  const Prepared& p = prepared(0);
  expect_passed(
      verify_step(backend(), {Precision::fp32, 1, {}}, p.program, p.weights, p.batch, p.reference));
}

TEST_P(Conformance, KeepsTheReferencesLossesOverTenSteps) {
  const Prepared& p = prepared(2);
  const Weights initial = initial_weights(p.program, kSeed);
  static const std::vector<double> expected =
      training_losses(*naive_backend().compile(p.program, {Precision::fp64, kThreads, {}}),
                      p.program, initial, p.batch, 10);
  EXPECT_LT(expected.back(), expected.front() - 0.05);  // far more than the tolerance
  const auto executable = backend().compile(p.program, {Precision::fp32, kThreads, {}});
  expect_passed(
      check_training(*executable, p.program, initial, p.batch, expected, Precision::fp32));
}

TEST_P(Conformance, IsBitwiseRepeatable) {
  const Prepared& p = prepared(2);
  std::vector<double> losses[2];
  for (std::vector<double>& run : losses) {
    const auto executable = backend().compile(p.program, {Precision::fp32, kThreads, {}});
    set_weights(*executable, p.program, p.weights);
    executable->load(p.batch);
    for (int step = 0; step < 3; ++step) {
      run.push_back(executable->run().loss);
      executable->update();
    }
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_NE(losses[0][0], losses[0][2]);  // and it does train
}

// Nothing that a run leaves behind changes the next one, not by a bit.
TEST_P(Conformance, RunsAgainWithTheSameBits) {
  const Prepared& p = prepared(2);
  const auto executable = backend().compile(p.program, {Precision::fp32, kThreads, {}});
  set_weights(*executable, p.program, p.weights);
  executable->load(p.batch);
  std::vector<std::vector<double>> first;
  for (int run = 0; run < 2; ++run) {
    std::vector<std::vector<double>> found = {{executable->run().loss}};
    for (std::size_t i = 0; i < p.program.tensors.size(); ++i) {
      if (p.program.tensors[i].role == TensorRole::parameter_gradient) {
        found.push_back(read_tensor(*executable, p.program, static_cast<TensorId>(i)));
      }
    }
    if (run == 0) {
      first = found;
    }
    EXPECT_EQ(found, first);
  }
}

TEST_P(Conformance, FlushesDenormalsOnEveryThread) {
  constexpr unsigned kFlushAndTakeAsZero = 0x8040;
  int left = 0;
#pragma omp parallel num_threads(kThreads)
  _mm_setcsr(_mm_getcsr() & ~kFlushAndTakeAsZero);
  const Prepared& p = prepared(0);
  const auto executable = backend().compile(p.program, {Precision::fp32, kThreads, {}});
#pragma omp parallel num_threads(kThreads) reduction(+ : left)
  left += (_mm_getcsr() & kFlushAndTakeAsZero) == kFlushAndTakeAsZero ? 0 : 1;
  EXPECT_EQ(left, 0);
}

TEST_P(Conformance, PlansWhatItAllocates) {
  const Prepared& p = prepared(3);
  const CompileOptions options{Precision::fp32, kThreads, {}};
  const MemoryPlan planned = backend().plan(p.program, options);
  EXPECT_GT(planned.total_bytes(), 0);
  EXPECT_EQ(planned.bytes, backend().compile(p.program, options)->plan().bytes);
}

TEST_P(Conformance, InfersWithMovingStatistics) {
  const Case& c = cases()[1];
  const Prepared& trained = prepared(1);
  const Program program = lower(unet3d(c.network), c.images, c.dims, Mode::inference);
  std::vector<std::vector<double>> predictions;
  std::vector<StepResult> results;
  for (const auto& [tested, precision] :
       {std::pair{&naive_backend(), Precision::fp64}, std::pair{&backend(), Precision::fp32}}) {
    const auto executable = tested->compile(program, {precision, kThreads, {program.prediction}});
    set_weights(*executable, program, trained.weights);
    executable->load(trained.batch);
    results.push_back(executable->run());
    predictions.push_back(read_tensor(*executable, program, program.prediction));
  }
  EXPECT_NEAR(results[0].loss, results[1].loss, 1e-6 * std::abs(results[0].loss));
  ASSERT_EQ(results[0].sums.size(), results[1].sums.size());
  for (std::size_t i = 0; i < results[0].sums.size(); ++i) {
    EXPECT_NEAR(results[0].sums[i].prediction_target, results[1].sums[i].prediction_target,
                1e-5 * results[0].sums[i].target);
    EXPECT_EQ(results[0].sums[i].target, results[1].sums[i].target);
  }
  for (std::size_t i = 0; i < predictions[0].size(); ++i) {
    ASSERT_NEAR(predictions[0][i], predictions[1][i], 2e-5);  // as verify.cpp's tolerance
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Conformance, testing::ValuesIn(computing_backends()),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// ---- Mutations: a wrong step is caught, in float and by the same checks ----

using T = Tensors<float>;

struct FlippedSign : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const SigmoidBackward& op, const T& t) {
    NaiveKernels::execute(op, t);
    float* dx = t.data(op.grad_input);
    std::transform(dx, dx + elements(t.shape(op.grad_input)), dx, std::negate<>());
  }
};

// The batch's mean is taken as its sum: visible with two images.
struct MissingMean : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const DiceLoss& op, const T& t) {
    NaiveKernels::execute(op, t);
    double* coefficients = t.reduction(op.gradient_coefficients);
    const double images = static_cast<double>(t.shape(op.sums)[0]);
    coefficients[0] *= images;
    coefficients[1] *= images;
  }
};

struct PaddingOffByOne : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const Convolution& op, const T& t) {
    NaiveKernels::execute(op, t);
    const Volume out(t.shape(op.output));
    if (t.shape(op.kernel)[0] == 3) {  // as if the window began one voxel later along W
      float* y = t.data(op.output);
      std::move(y + out.c, y + out.voxels() * out.c, y);
    }
  }
};

struct DroppedTransposedBiasGradient : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const TransposedConvolutionBackwardWeights& op, const T& t) {
    NaiveKernels::execute(op, t);
    std::fill_n(t.data(op.grad_bias), elements(t.shape(op.grad_bias)), 0.0F);
  }
};

struct DroppedPredictionBiasGradient : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const ConvolutionBackwardWeights& op, const T& t) {
    NaiveKernels::execute(op, t);
    if (t.shape(op.grad_kernel)[0] == 1) {
      std::fill_n(t.data(op.grad_bias), elements(t.shape(op.grad_bias)), 0.0F);
    }
  }
};

struct UnbiasedVariance : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const BatchNormStatistics& op, const T& t) {
    NaiveKernels::execute(op, t);
    const std::int64_t channels = t.shape(op.statistics)[1];
    double* statistics = t.reduction(op.statistics);
    for (std::int64_t c = 0; c < channels; ++c) {
      statistics[2 * channels + c] *= statistics[c] / (statistics[c] - 1.0);
    }
  }
};

// Only in the moving statistics, where no gradient sees it.
struct UnbiasedMovingVariance : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const UpdateMovingStatistics& op, const T& t) {
    const std::int64_t channels = t.shape(op.statistics)[1];
    double* statistics = t.reduction(op.statistics);
    for (std::int64_t c = 0; c < channels; ++c) {
      statistics[2 * channels + c] *= statistics[c] / (statistics[c] - 1.0);
    }
    NaiveKernels::execute(op, t);
  }
};

// The gradient of the first run() is added to the second's.
struct StaleBuffer : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const ConvolutionBackwardWeights& op, const T& t) {
    const std::int64_t count = elements(t.shape(op.grad_kernel));
    const std::vector<float> before(t.data(op.grad_kernel), t.data(op.grad_kernel) + count);
    NaiveKernels::execute(op, t);
    for (std::int64_t i = 0; i < count; ++i) {
      t.data(op.grad_kernel)[i] += before[static_cast<std::size_t>(i)];
    }
  }
};

// Accuracy's count; the loss, which no count enters, is right.
struct CorrectCountsTheTumourOnly : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const DiceSums& op, const T& t) {
    NaiveKernels::execute(op, t);
    double* sums = t.reduction(op.sums);  // (N, C, kDiceSumCount)
    for (std::int64_t i = 0; i < elements(t.shape(op.sums)); i += kDiceSumCount) {
      sums[i + 5] = sums[i + 3];
    }
  }
};

struct HardFromAThirdOn : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const DiceSums& op, const T& t) {
    NaiveKernels::execute(op, t);
    const Volume all(t.shape(op.prediction));
    const float* p = t.data(op.prediction);
    double* sums = t.reduction(op.sums);
    const std::int64_t voxels = all.d * all.h * all.w;
    for (std::int64_t n = 0; n < all.n && all.c == 1; ++n) {
      sums[n * kDiceSumCount + 4] = static_cast<double>(
          std::count_if(p + n * voxels, p + (n + 1) * voxels, [](float x) { return x > 0.33F; }));
    }
  }
};

struct ZeroGradients : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const DiceGradient& op, const T& t) {
    std::fill_n(t.data(op.grad_prediction), elements(t.shape(op.grad_prediction)), 0.0F);
  }
};

struct ForgottenReluMask : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const NormalizeReluApply& op, const T& t) {
    const std::int64_t channels = elements(t.shape(op.beta));
    float* beta = t.data(op.beta);  // every ReLU looks open
    const std::vector<float> own(beta, beta + channels);
    std::fill_n(beta, channels, 1e6F);
    NaiveKernels::execute(op, t);
    std::copy(own.begin(), own.end(), beta);
  }
};

struct AdamWithoutBiasCorrection : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const AdvanceIteration& op, const T& t) { *t.data(op.iteration) = 1e6F; }
};

struct NanLoss : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const DiceLoss& op, const T& t) {
    NaiveKernels::execute(op, t);
    *t.reduction(op.loss) = std::numeric_limits<double>::quiet_NaN();
  }
};

// Where verification_weights() makes least of a pool's share of the gradient.
struct DroppedCoarsestPoolGradient : NaiveKernels<float> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const MaxPoolBackward& op, const T& t) {
    NaiveKernels::execute(op, t);
    if (Volume(t.shape(op.grad_output)).d == 2) {
      std::fill_n(t.data(op.grad_input), elements(t.shape(op.grad_input)), 0.0F);
    }
  }
};

TEST(VerificationWeights, LetAMissingPoolGradientBeCaught) {
  const InterpretedBackend<DroppedCoarsestPoolGradient> mutant("mutant", "");
  const Prepared p = prepare({{16, 1, 1}, 1, {32, 32, 48}});
  const Verification verification = verify_step(mutant, {Precision::fp32, kThreads, {}}, p.program,
                                                p.weights, p.batch, p.reference);
  EXPECT_GT(verification.worst().error, 3 * verification.worst().tolerance);
}

TEST(BackendLibraries, TellNameVersionAndInstructionSetOnce) {
  std::set<std::string> names;
  for (const BackendLibrary& library : backend_libraries()) {
    EXPECT_TRUE(names.insert(library.name).second) << library.name;
    EXPECT_TRUE(std::regex_match(library.version, std::regex(R"(\d+\.\d+\.\d+)")))
        << library.name << " " << library.version;
    EXPECT_NE(library.isa, "") << library.name;
  }
  for (const RegisteredBackend& entry : registered_backends()) {
    const auto library = entry.backend == nullptr ? std::nullopt : entry.backend->library();
    EXPECT_TRUE(!library || names.contains(library->name)) << entry.name;
  }
}

TEST(MatrixProductInBf16, RunsOrSaysWhyNot) {
  const ProductOrReason either = bf16_matrix_product();
  if (const auto* unsupported = std::get_if<Unsupported>(&either)) {
    EXPECT_NE(unsupported->reason, "");
    return;
  }
  const auto& product = std::get<MatrixProduct>(either);
  product.run();
  EXPECT_GT(product.flops, 0);
  EXPECT_NE(product.implementation, "");
}

// Float sums of values that lie far from zero lose what they differ by.
TEST(VerificationWeights, KeepTheMeansOfTheLargestSumsSmall) {
  const Case& c = cases()[3];
  const Program program = lower(unet3d(c.network), c.images, c.dims, Mode::training);
  std::vector<TensorId> outputs;
  for (const ConvolutionPlace& place : convolution_places(program)) {
    if (level(program, place.output) == 0 && place.input != program.input && !place.is_transposed &&
        !place.makes_logits) {
      outputs.push_back(place.output);
    }
  }
  ASSERT_EQ(outputs.size(), 3U);
  const auto executable = naive_backend().compile(program, {Precision::fp64, kThreads, outputs});
  set_weights(*executable, program, verification_weights(program, kSeed));
  executable->load(prepared(3).batch);
  executable->run();
  for (const TensorId id : outputs) {
    const std::vector<double> values = read_tensor(*executable, program, id);
    const std::size_t channels = static_cast<std::size_t>(program.tensor(id).shape[4]);
    for (std::size_t channel = 0; channel < channels; ++channel) {
      double sum = 0, squares = 0;
      for (std::size_t i = channel; i < values.size(); i += channels) {
        sum += values[i];
        squares += values[i] * values[i];
      }
      const double n = static_cast<double>(values.size() / channels);
      EXPECT_LT(std::abs(sum / n), 2 * std::sqrt(squares / n - sum / n * sum / n))
          << program.tensor(id).name << " channel " << channel;
    }
  }
}

template <class Kernels>
class Mutation : public testing::Test {};

using Mutations =
    testing::Types<FlippedSign, MissingMean, PaddingOffByOne, DroppedTransposedBiasGradient,
                   DroppedPredictionBiasGradient, UnbiasedVariance, UnbiasedMovingVariance,
                   StaleBuffer, CorrectCountsTheTumourOnly, HardFromAThirdOn, ZeroGradients,
                   ForgottenReluMask, AdamWithoutBiasCorrection, NanLoss>;
TYPED_TEST_SUITE(Mutation, Mutations);

TYPED_TEST(Mutation, IsCaught) {
  const InterpretedBackend<TypeParam> mutant("mutant", "");
  const Prepared& p = prepared(0);  // two images, one channel
  const Verification verification = verify_step(mutant, {Precision::fp32, kThreads, {}}, p.program,
                                                p.weights, p.batch, p.reference);
  EXPECT_FALSE(verification.passed());
  // Not by a hair: a tolerance ten times as wide would still notice.
  EXPECT_GT(verification.worst().error, 10 * verification.worst().tolerance);
}

// Wide as they must be, the tolerances of bf16 let no such step pass either.
TYPED_TEST(Mutation, IsCaughtByTheTolerancesOfBf16) {
  constexpr bool kIsSmall = std::is_same_v<TypeParam, UnbiasedVariance> ||
                            std::is_same_v<TypeParam, UnbiasedMovingVariance>;
  if (kIsSmall) {
    GTEST_SKIP() << "one part in the number of voxels: less than bf16 rounds";
  }
  const InterpretedBackend<TypeParam> mutant("mutant", "");
  const Prepared& p = prepared(0);
  EXPECT_FALSE(verify_step(mutant, {Precision::bf16, kThreads, {}}, p.program, p.weights, p.batch,
                           p.reference)
                   .passed());
}

}  // namespace
}  // namespace voxmark
