// The gradients of naive's ops in double against central differences of its own forward ops.

#include "backends/naive/kernels.h"

#include <gtest/gtest.h>

#include "backends/naive/naive.h"
#include "workloads/philox.h"

namespace voxmark {
namespace {

constexpr double kEpsilon = 1e-6;
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-5;

// A training program with its parameters drawn so that no ReLU or max-pool lies near a kink.
struct Step {
  explicit Step(const Network& network, std::int64_t images, const Dims& dims)
      : program(lower(network, images, dims, Mode::training)),
        executable(naive_backend().compile(program, {Precision::fp64, 1, {}})) {
    std::uint64_t stream = 0;
    for (std::size_t id = 0; id < program.tensors.size(); ++id) {
      const TensorInfo& tensor = program.tensors[id];
      if (tensor.role == TensorRole::parameter) {
        std::vector<double> values(static_cast<std::size_t>(elements(tensor.shape)));
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = static_cast<double>(uniform(7, stream, i)) - 0.4;
        }
        ++stream;
        parameters.emplace_back(static_cast<TensorId>(id), values);
        executable->set(static_cast<TensorId>(id), values);
      }
    }
    batch = {images,
             dims,
             program.tensor(program.input).shape.back(),
             program.tensor(program.target).shape.back(),
             {},
             {}};
    for (std::int64_t i = 0; i < elements(program.tensor(program.input).shape); ++i) {
      batch.input.push_back(2 * uniform(8, 0, static_cast<std::uint64_t>(i)) - 1);
    }
    const std::int64_t channels = batch.output_channels;
    for (std::int64_t i = 0; i < elements(program.tensor(program.target).shape); ++i) {
      const auto label =
          static_cast<std::int64_t>(uniform(9, 0, static_cast<std::uint64_t>(i / channels)) *
                                    static_cast<float>(channels + 1));
      batch.target.push_back(label == i % channels ? 1.0F : 0.0F);
    }
    executable->load(batch);
  }

  double loss_with(TensorId id, std::vector<double> values, std::size_t i, double shift) {
    values[i] += shift;
    executable->set(id, values);
    return executable->run().loss;
  }

  // Compares about `samples` elements of every parameter's gradient; returns how many were not
  // zero.
  int compare(std::size_t samples = 24) {
    executable->run();
    std::vector<std::vector<double>> gradients;
    for (const auto& [id, values] : parameters) {
      gradients.emplace_back(values.size());
      executable->read(program.find("gradient/" + program.tensor(id).name), gradients.back());
    }
    int nonzero = 0;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const auto& [id, values] = parameters[p];
      for (std::size_t i = 0; i < values.size(); i += 1 + values.size() / samples) {
        const double difference =
            (loss_with(id, values, i, kEpsilon) - loss_with(id, values, i, -kEpsilon)) /
            (2 * kEpsilon);
        EXPECT_NEAR(gradients[p][i], difference, kAbsolute + kRelative * std::abs(difference))
            << program.tensor(id).name << "[" << i << "]";
        nonzero += std::abs(difference) > 10 * kAbsolute ? 1 : 0;
      }
      executable->set(id, values);
    }
    return nonzero;
  }

  Program program;
  std::unique_ptr<Executable> executable;
  std::vector<std::pair<TensorId, std::vector<double>>> parameters;
  Batch batch;
};

TEST(NaiveGradients, OfConvolutionsMatchCentralDifferences) {
  NetworkBuilder net("convolutions", 2);
  const int first = net.convolution("first", net.input(), 3, 3);
  net.sigmoid("prediction", net.convolution("second", net.convolution("mid", first, 2, 3), 1, 1));
  EXPECT_GT(Step(std::move(net).build(), 2, {3, 4, 2}).compare(), 20);
}

TEST(NaiveGradients, OfTransposedConvolutionsMatchCentralDifferences) {
  NetworkBuilder net("transposed", 2);
  const int first = net.transposed_convolution("first", net.input(), 3);
  net.sigmoid("prediction", net.transposed_convolution("second", first, 2));
  EXPECT_GT(Step(std::move(net).build(), 2, {2, 1, 3}).compare(), 20);
}

TEST(NaiveGradients, OfBatchNormAndReluMatchCentralDifferences) {
  NetworkBuilder net("batch_norm", 2);
  const int conv = net.convolution("conv", net.input(), 3, 1);
  const int norm = net.batch_norm_relu("bn", conv);
  net.sigmoid("prediction", net.convolution("out", norm, 1, 3));
  EXPECT_GT(Step(std::move(net).build(), 2, {3, 2, 4}).compare(), 20);
}

TEST(NaiveGradients, OfPoolingAndSkipsMatchCentralDifferences) {
  NetworkBuilder net("pooling", 1);
  const int conv = net.convolution("conv", net.input(), 3, 3);
  const int up = net.transposed_convolution("up", net.max_pool("pool", conv), 2);
  net.sigmoid("prediction", net.convolution("out", net.concat("concat", up, conv), 1, 1));
  EXPECT_GT(Step(std::move(net).build(), 2, {4, 2, 4}).compare(), 20);
}

TEST(NaiveGradients, OfSoftmaxAndSeveralClassesMatchCentralDifferences) {
  NetworkBuilder net("softmax", 2);
  net.softmax("prediction", net.convolution("conv", net.input(), 4, 3));
  EXPECT_GT(Step(std::move(net).build(), 2, {2, 3, 2}).compare(), 20);
}

TEST(NaiveGradients, OfASmallUnetMatchCentralDifferences) {
  EXPECT_GT(Step(unet3d({1, 1, 1}), 2, {16, 16, 16}).compare(2), 10);
}

}  // namespace
}  // namespace voxmark
