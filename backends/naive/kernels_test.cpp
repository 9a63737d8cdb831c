// The gradients of naive's ops in double against central differences of its own forward ops.

#include "backends/naive/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "backends/interpreter/executable_weights.h"
#include "backends/interpreter/interpreter.h"
#include "backends/naive/naive.h"
#include "workloads/network/philox.h"

namespace voxmark {
namespace {

constexpr double kEpsilon = 1e-6;
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-5;

// A weight that moves by kEpsilon must not carry a value over ReLU's 0, nor make another voxel of a
// max-pool's window the largest: that leaves room for a value that moves a hundred times as far.
constexpr double kLeastDistance = 100 * kEpsilon;

struct Comparison {
  int mismatches = 0;
  int nonzero = 0;  // differences that are not zero
};

// A training program with its parameters drawn so that no ReLU or max-pool lies near a kink.
class Step {
 public:
  Step(const Network& network, std::int64_t images, const Dims& dims,
       const Backend& backend = naive_backend())
      : program_(lower(network, images, dims, Mode::training)),
        executable_(backend.compile(program_, {Precision::fp64, 1, readable()})) {
    constexpr std::uint64_t kFirstSeed = 7;
    constexpr std::uint64_t kLastSeed = 1000;
    executable_->load(draw_batch());
    for (std::uint64_t seed = kFirstSeed; seed <= kLastSeed; ++seed) {
      draw_parameters(seed);
      executable_->run();
      if (distance_from_kinks() >= kLeastDistance) {
        return;
      }
    }
    ADD_FAILURE() << "no seed up to " << kLastSeed << " keeps away from kinks";
  }

  // Compares about `samples` elements of every parameter's gradient.
  Comparison compare(std::size_t samples = 24) {
    executable_->run();
    std::vector<std::vector<double>> gradients;
    for (const auto& [id, values] : parameters_) {
      gradients.push_back(read(program_.find("gradient/" + program_.tensor(id).name)));
    }
    Comparison comparison;
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const auto& [id, values] = parameters_[p];
      for (std::size_t i = 0; i < values.size(); i += 1 + values.size() / samples) {
        const double difference =
            (loss_with(id, values, i, kEpsilon) - loss_with(id, values, i, -kEpsilon)) /
            (2 * kEpsilon);
        const double error = std::abs(gradients[p][i] - difference);
        if (!(error <= kAbsolute + kRelative * std::abs(difference))) {
          ++comparison.mismatches;
          last_mismatch_ = program_.tensor(id).name + "[" + std::to_string(i) + "]";
        }
        comparison.nonzero += std::abs(difference) > 10 * kAbsolute ? 1 : 0;
      }
      executable_->set(id, values);
    }
    return comparison;
  }

  const std::string& last_mismatch() const { return last_mismatch_; }

 private:
  std::vector<TensorId> readable() const {
    std::vector<TensorId> ids;
    for (const Op& op : program_.ops) {
      if (const auto* relu = std::get_if<NormalizeRelu>(&op.kind)) {
        ids.push_back(relu->input);
      } else if (const auto* pool = std::get_if<MaxPool>(&op.kind)) {
        ids.push_back(pool->input);
      }
    }
    return ids;
  }

  std::vector<double> read(TensorId id) const { return read_tensor(*executable_, program_, id); }

  void draw_parameters(std::uint64_t seed) {
    parameters_.clear();
    std::uint64_t stream = 0;
    for (std::size_t id = 0; id < program_.tensors.size(); ++id) {
      const TensorInfo& tensor = program_.tensors[id];
      if (tensor.role == TensorRole::parameter) {
        std::vector<double> values(static_cast<std::size_t>(elements(tensor.shape)));
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = static_cast<double>(uniform(seed, stream, i)) - 0.4;
        }
        ++stream;
        executable_->set(static_cast<TensorId>(id), values);
        parameters_.emplace_back(static_cast<TensorId>(id), std::move(values));
      }
    }
  }

  Batch draw_batch() const {
    Batch batch{program_.images,
                program_.dims,
                program_.tensor(program_.input).shape.back(),
                program_.tensor(program_.target).shape.back(),
                {},
                {}};
    for (std::int64_t i = 0; i < elements(program_.tensor(program_.input).shape); ++i) {
      batch.input.push_back(2 * uniform(8, 0, static_cast<std::uint64_t>(i)) - 1);
    }
    const std::int64_t channels = batch.output_channels;
    for (std::int64_t i = 0; i < elements(program_.tensor(program_.target).shape); ++i) {
      const auto label =
          static_cast<std::int64_t>(uniform(9, 0, static_cast<std::uint64_t>(i / channels)) *
                                    static_cast<float>(channels + 1));
      batch.target.push_back(label == i % channels ? 1.0F : 0.0F);
    }
    return batch;
  }

  double distance_from_kinks() const {
    double distance = 1;
    for (const Op& op : program_.ops) {
      if (const auto* relu = std::get_if<NormalizeRelu>(&op.kind)) {
        distance = std::min(distance, distance_from_zero(*relu));
      } else if (const auto* pool = std::get_if<MaxPool>(&op.kind)) {
        distance = std::min(distance, distance_from_ties(*pool));
      }
    }
    return distance;
  }

  double distance_from_zero(const NormalizeRelu& op) const {
    const std::vector<double> x = read(op.input);
    const std::vector<double> statistics = read(op.statistics);  // (3, C)
    const std::vector<double> gamma = read(op.gamma);
    const std::vector<double> beta = read(op.beta);
    const std::size_t channels = gamma.size();
    double distance = 1;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = i % channels;
      const double variance = statistics[2 * channels + c] / statistics[c];
      const double n =
          (x[i] - statistics[channels + c]) / std::sqrt(variance + program_.batch_norm.epsilon);
      distance = std::min(distance, std::abs(gamma[c] * n + beta[c]));
    }
    return distance;
  }

  // Between a window's two largest values. Windows of nothing but ReLU's zeros have no gradient.
  double distance_from_ties(const MaxPool& op) const {
    const std::vector<double> x = read(op.input);
    const Shape& in = program_.tensor(op.input).shape;    // (N, D, H, W, C)
    const Shape& out = program_.tensor(op.output).shape;  // (N, D/2, H/2, W/2, C)
    double distance = 1;
    for (std::int64_t i = 0; i < elements(out); ++i) {
      std::int64_t rest = i;
      std::array<std::int64_t, 5> at{};
      for (std::size_t axis = 5; axis-- > 0;) {
        at[axis] = rest % out[axis];
        rest /= out[axis];
      }
      double largest = -std::numeric_limits<double>::infinity();
      double second = largest;
      for (std::int64_t tap = 0; tap < 8; ++tap) {
        const std::int64_t d = 2 * at[1] + tap / 4;
        const std::int64_t h = 2 * at[2] + tap / 2 % 2;
        const std::int64_t w = 2 * at[3] + tap % 2;
        const double value = x[static_cast<std::size_t>(
            (((at[0] * in[1] + d) * in[2] + h) * in[3] + w) * in[4] + at[4])];
        // Equal values of a drawn image are the same function of the parameters (all that reaches
        // them is constant): they move together.
        if (value != largest) {
          second = std::max(second, std::min(value, largest));
        }
        largest = std::max(largest, value);
      }
      if (largest != 0) {
        distance = std::min(distance, largest - second);
      }
    }
    return distance;
  }

  double loss_with(TensorId id, std::vector<double> values, std::size_t i, double shift) {
    values[i] += shift;
    executable_->set(id, values);
    return executable_->run().loss;
  }

  Program program_;
  std::unique_ptr<Executable> executable_;
  std::vector<std::pair<TensorId, std::vector<double>>> parameters_;
  std::string last_mismatch_;
};

void expect_right_gradients(const Network& network, const Dims& dims, int least_nonzero,
                            std::size_t samples = 24) {
  Step step(network, 2, dims);
  const Comparison comparison = step.compare(samples);
  EXPECT_EQ(comparison.mismatches, 0) << "last: " << step.last_mismatch();
  EXPECT_GT(comparison.nonzero, least_nonzero);
}

TEST(NaiveGradients, OfConvolutionsMatchCentralDifferences) {
  NetworkBuilder net("convolutions", 2);
  const int first = net.convolution("first", net.input(), 3, 3);
  net.sigmoid("prediction", net.convolution("second", net.convolution("mid", first, 2, 3), 1, 1));
  expect_right_gradients(std::move(net).build(), {3, 4, 2}, 20);
}

TEST(NaiveGradients, OfTransposedConvolutionsMatchCentralDifferences) {
  NetworkBuilder net("transposed", 2);
  const int first = net.transposed_convolution("first", net.input(), 3);
  net.sigmoid("prediction", net.transposed_convolution("second", first, 2));
  expect_right_gradients(std::move(net).build(), {2, 1, 3}, 20);
}

TEST(NaiveGradients, OfBatchNormAndReluMatchCentralDifferences) {
  NetworkBuilder net("batch_norm", 2);
  const int conv = net.convolution("conv", net.input(), 3, 1);
  const int norm = net.batch_norm_relu("bn", conv);
  net.sigmoid("prediction", net.convolution("out", norm, 1, 3));
  expect_right_gradients(std::move(net).build(), {3, 2, 4}, 20);
}

TEST(NaiveGradients, OfPoolingAndSkipsMatchCentralDifferences) {
  NetworkBuilder net("pooling", 1);
  const int conv = net.convolution("conv", net.input(), 3, 3);
  const int up = net.transposed_convolution("up", net.max_pool("pool", conv), 2);
  net.sigmoid("prediction", net.convolution("out", net.concat("concat", up, conv), 1, 1));
  expect_right_gradients(std::move(net).build(), {4, 2, 4}, 20);
}

TEST(NaiveGradients, OfSoftmaxAndSeveralClassesMatchCentralDifferences) {
  NetworkBuilder net("softmax", 2);
  net.softmax("prediction", net.convolution("conv", net.input(), 4, 3));
  expect_right_gradients(std::move(net).build(), {2, 3, 2}, 20);
}

TEST(NaiveGradients, OfASmallUnetMatchCentralDifferences) {
  expect_right_gradients(unet3d({1, 1, 1}), {16, 16, 16}, 10, 2);
}

// ---- Mutations: what the differences would catch, were a gradient of naive's wrong ----

using T = Tensors<double>;

struct FlippedSign : NaiveKernels<double> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const SigmoidBackward& op, const T& t) {
    NaiveKernels::execute(op, t);
    double* dx = t.data(op.grad_input);
    std::transform(dx, dx + elements(t.shape(op.grad_input)), dx, std::negate<>());
  }
};

// The loss's mean over the batch is taken as a sum.
struct MissingMean : NaiveKernels<double> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const DiceLoss& op, const T& t) {
    NaiveKernels::execute(op, t);
    double* coefficients = t.reduction(op.gradient_coefficients);
    coefficients[0] *= static_cast<double>(t.shape(op.sums)[0]);
    coefficients[1] *= static_cast<double>(t.shape(op.sums)[0]);
  }
};

// Batch norm's means of the gradient are taken as sums.
struct MissingCount : NaiveKernels<double> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const NormalizeReluApply& op, const T& t) {
    const double count = t.reduction(op.statistics)[0];
    const std::int64_t channels = elements(t.shape(op.grad_gamma));
    const auto scale = [&](double factor) {
      for (std::int64_t c = 0; c < channels; ++c) {
        t.data(op.grad_gamma)[c] *= factor;
        t.data(op.grad_beta)[c] *= factor;
      }
    };
    scale(count);
    NaiveKernels::execute(op, t);
    scale(1 / count);
  }
};

// As if the window began one voxel later along W.
struct PaddingOffByOne : NaiveKernels<double> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const ConvolutionBackwardData& op, const T& t) {
    NaiveKernels::execute(op, t);
    const Volume in(t.shape(op.grad_input));
    double* dx = t.data(op.grad_input);
    std::move(dx + in.c, dx + in.voxels() * in.c, dx);
  }
};

struct ZeroGradients : NaiveKernels<double> {
  using NaiveKernels::execute;
  using NaiveKernels::NaiveKernels;
  void execute(const DiceGradient& op, const T& t) {
    std::fill_n(t.data(op.grad_prediction), elements(t.shape(op.grad_prediction)), 0.0);
  }
};

template <class Kernels>
class GradientMutation : public testing::Test {};

using GradientMutations =
    testing::Types<FlippedSign, MissingMean, MissingCount, PaddingOffByOne, ZeroGradients>;
TYPED_TEST_SUITE(GradientMutation, GradientMutations);

TYPED_TEST(GradientMutation, IsCaughtByCentralDifferences) {
  const InterpretedBackend<TypeParam> mutant("mutant", "");
  NetworkBuilder net("batch_norm", 2);
  const int conv = net.convolution("conv", net.input(), 3, 1);
  const int norm = net.batch_norm_relu("bn", conv);
  net.sigmoid("prediction", net.convolution("out", norm, 1, 3));
  EXPECT_GT(Step(std::move(net).build(), 2, {3, 2, 4}, mutant).compare().mismatches, 5);
}

}  // namespace
}  // namespace voxmark
