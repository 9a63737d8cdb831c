// The oneDNN backend against naive in double, in each of its layouts, whichever the machine's
// instruction set would choose: the others run through oneDNN's reorders.

#include "backends/onednn/onednn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "backends/onednn/executable.h"
#include "backends/onednn/kernels/compat.h"
#include "backends/onednn/kernels/formats.h"
#include "backends/passes/lanes.h"
#include "backends/verify/verify.h"
#include "workloads/network/synthetic.h"
#include "workloads/network/weights.h"

namespace voxmark {
namespace {

constexpr int kThreads = 2;

// The backend with a layout of the test's choice.
class FixedLayout final : public Backend {
 public:
  explicit FixedLayout(std::int64_t block,
                       onednn::Algorithm algorithm = onednn::Algorithm::winograd)
      : settings_{block, algorithm} {}
  std::string_view name() const override { return "onednn, fixed layout"; }
  std::string_view description() const override { return name(); }
  std::optional<Unsupported> unsupported(const Program& program,
                                         const CompileOptions& options) const override {
    return onednn_backend().unsupported(program, options);
  }
  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    return onednn::preview(program, options, settings_).plan;
  }
  std::unique_ptr<Executable> compile(const Program& program,
                                      const CompileOptions& options) const override {
    return onednn::compile(program, options, settings_);
  }

 private:
  onednn::Settings settings_;
};

constexpr onednn::Algorithm kAlgorithms[] = {onednn::Algorithm::winograd,
                                             onednn::Algorithm::direct};

struct Case {
  const char* name;
  UnetOptions network;
  std::int64_t images;
  Dims dims;
  std::vector<std::int64_t> blocks;  // that the network allows, of which each is tried
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class OnednnStep : public testing::TestWithParam<Case> {};

TEST_P(OnednnStep, IsThatOfTheReference) {
  const Case& c = GetParam();
  const Program program = lower(unet3d(c.network), c.images, c.dims, Mode::training);
  const Weights weights = verification_weights(program, 7);
  const Batch batch =
      synthetic_batch(c.images, c.dims, c.network.input_channels, c.network.classes, 7, 0);
  const StepReference reference = reference_step(program, weights, batch, kThreads);
  for (const std::int64_t block : c.blocks) {
    ASSERT_EQ(onednn::choose_layout(program, block).block, block);
    for (const onednn::Algorithm algorithm : kAlgorithms) {
      SCOPED_TRACE("block " + std::to_string(block) +
                   (algorithm == onednn::Algorithm::direct ? " direct" : ""));
      const Verification verification =
          verify_step(FixedLayout(block, algorithm), {Precision::fp32, kThreads, {}}, program,
                      weights, batch, reference);
      for (const TensorCheck& check : verification.checks) {
        EXPECT_LE(check.error, check.tolerance) << check.tensor;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, OnednnStep,
                         testing::Values(Case{"FourFilters", {4, 1, 1}, 2, {32, 32, 16}, {0}},
                                         Case{"SixFilters", {6, 2, 2}, 1, {32, 16, 32}, {0}},
                                         Case{"EightFilters", {8, 1, 1}, 1, {32, 16, 48}, {0, 8}},
                                         Case{"PaddedInput", {8, 4, 3}, 2, {16, 16, 32}, {0, 8}},
                                         Case{"Default", {16, 1, 1}, 1, {32, 32, 16}, {0, 8, 16}},
                                         Case{"Batch", {16, 4, 2}, 2, {16, 32, 32}, {8, 16}}),
                         [](const auto& test) { return std::string(test.param.name); });

// Networks of other shapes than the U-Net.
class OnednnNetwork : public testing::Test {
 protected:
  static void expect_reference_step(const Network& network, std::int64_t input_channels,
                                    std::int64_t classes, std::int64_t block,
                                    const std::string& layout) {
    const Dims dims{8, 12, 20};
    const Program program = lower(network, 2, dims, Mode::training);
    const Weights weights = verification_weights(program, 3);
    const Batch batch = synthetic_batch(2, dims, input_channels, classes, 3, 0);
    EXPECT_EQ(onednn::choose_layout(program, block).name(), layout);
    const Verification verification =
        verify_step(FixedLayout(block), {Precision::fp32, kThreads, {}}, program, weights, batch,
                    reference_step(program, weights, batch, kThreads));
    for (const TensorCheck& check : verification.checks) {
      EXPECT_LE(check.error, check.tolerance) << check.tensor;
    }
  }
};

TEST_F(OnednnNetwork, MayReadATensorThroughKernelsOfSeveralExtents) {
  NetworkBuilder builder("extents", 1);
  const int first = builder.batch_norm_relu("bn", builder.convolution("first", 0, 8, 3));
  const int wide = builder.convolution("wide", first, 8, 5);
  const int narrow = builder.convolution("narrow", first, 16, 1);
  const int both = builder.concat("both", wide, narrow);
  builder.sigmoid("prediction", builder.convolution("logits", both, 1, 1));
  expect_reference_step(std::move(builder).build(), 1, 1, 8, "nCdhw8c");
}

// Rows of one tile, rows of several blocks, blocks of several rows; more threads than blocks; odd
// numbers of panels; sums over several slabs.
TEST(OnednnWinograd, TakesImagesOfAnyEvenDims) {
  for (const std::int64_t block : {8, 16}) {
    for (const Dims dims : {Dims{2, 2, 2}, Dims{4, 2, 82}, Dims{2, 38, 4}, Dims{6, 10, 36}}) {
      NetworkBuilder builder("even", 1);
      // No batch norm: over so few voxels it makes errors larger.
      const int first = builder.convolution("first", 0, block, 3);
      const int wide = builder.convolution("wide", first, 3 * block, 3);
      const int narrow = builder.convolution("narrow", wide, 2 * block, 3);
      builder.sigmoid("prediction", builder.convolution("logits", narrow, 1, 1));
      const Program program = lower(std::move(builder).build(), 2, dims, Mode::training);
      const Weights weights = verification_weights(program, 3);
      const Batch batch = synthetic_batch(2, dims, 1, 1, 3, 0);
      const StepReference reference = reference_step(program, weights, batch, kThreads);
      for (const int threads : {1, 3}) {
        SCOPED_TRACE(to_string(dims) + " block " + std::to_string(block) + " threads " +
                     std::to_string(threads));
        const CompileOptions options{Precision::fp32, threads, {}};
        const auto stages = onednn::preview(program, options, {block}).stages;
        const auto is_winograd = [](const Stage& stage) {
          return stage.implementation.rfind("winograd", 0) == 0;
        };
        constexpr int kThreePassesOfTwoLayers = 6;
        EXPECT_EQ(std::count_if(stages.begin(), stages.end(), is_winograd),
                  block <= passes::kNativeLanes ? kThreePassesOfTwoLayers : 0);
        for (const TensorCheck& check :
             verify_step(FixedLayout(block), options, program, weights, batch, reference).checks) {
          EXPECT_LE(check.error, check.tolerance) << check.tensor;
        }
      }
    }
  }
}

TEST_F(OnednnNetwork, MayMakeLogitsByALargeKernel) {
  NetworkBuilder builder("logits", 2);
  const int first = builder.batch_norm_relu("bn", builder.convolution("first", 0, 8, 3));
  builder.softmax("prediction", builder.convolution("logits", first, 3, 3));
  expect_reference_step(std::move(builder).build(), 2, 2, 8, "ndhwc");
}

TEST_F(OnednnNetwork, MayPoolTheImageItself) {
  NetworkBuilder builder("pool", 1);
  const int pooled = builder.max_pool("pool", 0);
  const int first = builder.batch_norm_relu("bn", builder.convolution("first", pooled, 8, 3));
  const int up = builder.transposed_convolution("up", first, 8);
  builder.sigmoid("prediction", builder.convolution("logits", up, 1, 1));
  expect_reference_step(std::move(builder).build(), 1, 1, 8, "ndhwc");
}

// Only whole skips can lie in a concatenation: one that a convolution reads too is copied into it.
TEST_F(OnednnNetwork, MayReadASkipByAConvolutionToo) {
  NetworkBuilder builder("skip", 1);
  const int skip = builder.batch_norm_relu("bn0", builder.convolution("first", 0, 8, 3));
  const int next = builder.batch_norm_relu("bn1", builder.convolution("second", skip, 24, 3));
  const int inner = builder.concat("inner", next, skip);
  const int outer = builder.concat("outer", inner, skip);
  builder.sigmoid("prediction", builder.convolution("logits", outer, 1, 1));
  expect_reference_step(std::move(builder).build(), 1, 1, 8, "nCdhw8c");
}

TEST(OnednnLayout, NeedsChannelsThatAreMultiplesOfTheBlock) {
  const auto block_of = [](std::int64_t filters, std::int64_t block) {
    const Program program = lower(unet3d({filters, 1, 1}), 1, {16, 16, 16}, Mode::training);
    return onednn::choose_layout(program, block).name();
  };
  EXPECT_EQ(block_of(16, 16), "nCdhw16c");
  EXPECT_EQ(block_of(8, 16), "ndhwc");
  EXPECT_EQ(block_of(8, 8), "nCdhw8c");
  EXPECT_EQ(block_of(12, 8), "ndhwc");
}

TEST(OnednnLayout, PutsSkipsAndTheirGradientsIntoTheConcatenation) {
  const Program program = lower(unet3d({}), 2, {16, 16, 16}, Mode::training);
  const onednn::Formats formats(program, onednn::choose_layout(program, 8), Precision::fp32, {});
  int shared = 0;
  for (const Op& op : program.ops) {
    if (const auto* concat = std::get_if<Concat>(&op.kind)) {
      EXPECT_EQ(formats[concat->first].root, concat->output);
      EXPECT_EQ(formats[concat->second].root, concat->output);
      EXPECT_EQ(formats[concat->second].first_channel, program.tensor(concat->first).shape.back());
      ++shared;
    }
  }
  EXPECT_EQ(shared, kUnetPoolings);
}

// On instruction sets that oneDNN has convolutions for. Previews only: no tensor is allocated.
class OnednnImplementations : public testing::Test {
 protected:
  void SetUp() override {
    if (block_ == 0) {
      GTEST_SKIP() << "oneDNN has no 3D convolutions for " << onednn::isa_in_use().name;
    }
  }

  // In each precision that the CPU has: none by reference loops, nor by gemm for any but the
  // smallest images. The names are told apart as results/slow_kernel.h does.
  void expect_no_slow_kernels(const Dims& dims, std::int64_t images) const {
    constexpr std::int64_t kSmallestWithoutGemm = 48;
    const bool may_be_gemm = std::min({dims.d, dims.h, dims.w}) < kSmallestWithoutGemm;
    const Program program = lower(unet3d({}), images, dims, Mode::training);
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
      const CompileOptions options{precision, kThreads, {}};
      if (onednn_backend().unsupported(program, options)) {
        continue;
      }
      const std::int64_t block =
          precision == Precision::bf16 ? onednn::isa_in_use().bf16_block.value_or(0) : block_;
      for (const onednn::Algorithm algorithm : kAlgorithms) {
        for (const Stage& stage : onednn::preview(program, options, {block, algorithm}).stages) {
          const bool is_slow =
              stage.implementation.starts_with("ref") ||
              (!may_be_gemm && stage.implementation.find("gemm:") != std::string::npos);
          const Op& op = program.ops[static_cast<std::size_t>(stage.ops.front())];
          EXPECT_FALSE(is_slow) << to_string(dims) << " batch " << images << " "
                                << to_string(precision) << ": " << op.layer << " " << op_name(op)
                                << ": " << stage.implementation;
        }
      }
    }
  }

  const std::int64_t block_ = onednn::isa_in_use().block;
};

TEST_F(OnednnImplementations, HaveNoReferenceLoopsFromTheSmallestToTheLargestImages) {
  for (const Dims dims : {Dims{16, 16, 16}, Dims{32, 32, 32}, Dims{48, 64, 48}, Dims{64, 64, 64},
                          Dims{96, 112, 80}, Dims{128, 128, 128}, Dims{240, 240, 144}}) {
    for (const std::int64_t images : {1, 2, 4}) {
      expect_no_slow_kernels(dims, images);
    }
  }
}

TEST_F(OnednnImplementations, HaveNoSlowKernelsForImagesOfAnyDims) {
  constexpr std::uint64_t kSeed = 1;
  constexpr int kDraws = 16;
  std::mt19937_64 random(kSeed);
  const auto draw = [&random](std::uint64_t least, std::uint64_t most) {
    return static_cast<std::int64_t>(least + random() % (most - least + 1));
  };
  for (int i = 0; i < kDraws; ++i) {
    const Dims dims{16 * draw(3, 16), 16 * draw(3, 16), 16 * draw(3, 16)};
    SCOPED_TRACE("seed " + std::to_string(kSeed) + " draw " + std::to_string(i));
    expect_no_slow_kernels(dims, draw(1, 4));
  }
}

// Merged ops, shared memory and in-place passes give way to tensors that someone wants to read.
TEST(OnednnExecutable, ReadsEveryTensorThatIsToBeReadable) {
  const Program program = lower(unet3d({8, 1, 1}), 2, {16, 32, 16}, Mode::training);
  const Weights weights = verification_weights(program, 5);
  const Batch batch = synthetic_batch(2, {16, 32, 16}, 1, 1, 5, 0);
  std::vector<TensorId> readable;
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorRole role = program.tensors[i].role;
    if (role == TensorRole::activation || role == TensorRole::gradient) {
      readable.push_back(static_cast<TensorId>(i));
    }
  }
  std::vector<std::unique_ptr<Executable>> executables;
  executables.push_back(naive_backend().compile(program, {Precision::fp64, kThreads, readable}));
  executables.push_back(FixedLayout(8).compile(program, {Precision::fp32, kThreads, readable}));
  for (const auto& executable : executables) {
    set_weights(*executable, program, weights);
    executable->load(batch);
    executable->run();
  }
  for (const TensorId id : readable) {
    const std::vector<double> expected = read_tensor(*executables[0], program, id);
    const std::vector<double> found = read_tensor(*executables[1], program, id);
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      error = std::max(error, std::abs(found[i] - expected[i]));
    }
    EXPECT_GT(largest, 0) << program.tensor(id).name;
    // Rounding adds up over 46 layers; a wrong layout or a reused buffer is off by the values'
    // size.
    EXPECT_LE(error, 1e-3 * largest) << program.tensor(id).name;
  }
}

TEST(OnednnMemory, IsPlannedExactly) {
  const Program program = lower(unet3d({8, 1, 1}), 2, {16, 16, 16}, Mode::training);
  const CompileOptions options{Precision::fp32, kThreads, {}};
  const MemoryPlan planned = onednn_backend().plan(program, options);
  EXPECT_TRUE(planned.exact);
  EXPECT_EQ(planned.bytes, onednn_backend().compile(program, options)->plan().bytes);
}

// What a run leaves: the loss and every gradient.
std::vector<double> step_values(const Program& program, const CompileOptions& options,
                                const Weights& weights, const Batch& batch) {
  const auto executable = onednn_backend().compile(program, options);
  set_weights(*executable, program, weights);
  executable->load(batch);
  executable->run();
  std::vector<double> result = {executable->run().loss};
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    if (program.tensors[i].role == TensorRole::parameter_gradient) {
      const std::vector<double> values =
          read_tensor(*executable, program, static_cast<TensorId>(i));
      result.insert(result.end(), values.begin(), values.end());
    }
  }
  return result;
}

TEST(OnednnMemory, LimitsAreMetByComputingAgainWithTheSameBits) {
  const Program program = lower(unet3d({16, 1, 1}), 1, {48, 48, 48}, Mode::training);
  const Weights weights = initial_weights(program, 4);
  const Batch batch = synthetic_batch(1, program.dims, 1, 1, 4, 0);
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    CompileOptions options{precision, kThreads, {}};
    if (onednn_backend().unsupported(program, options)) {
      continue;
    }
    const MemoryPlan unlimited = onednn_backend().plan(program, options);
    const std::vector<double> expected = step_values(program, options, weights, batch);
    options.memory_limit_bytes = 1;  // the least there is, which AMX's scratchpad bounds
    const std::int64_t least = onednn_backend().plan(program, options).total_bytes();
    ASSERT_LT(least, unlimited.total_bytes()) << to_string(precision);
    for (const double share : {0.5, 0.0}) {
      options.memory_limit_bytes =
          least +
          static_cast<std::int64_t>(share * static_cast<double>(unlimited.total_bytes() - least));
      const MemoryPlan limited = onednn_backend().plan(program, options);
      EXPECT_LE(limited.total_bytes(), *options.memory_limit_bytes) << to_string(precision);
      EXPECT_EQ(step_values(program, options, weights, batch), expected)
          << to_string(precision) << " at " << share;
    }
  }
}

TEST(OnednnBackend, SaysWhatItDoesNotCompute) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::inference);
  EXPECT_FALSE(onednn_backend().unsupported(program, {Precision::fp32, 1, {}}));
  EXPECT_TRUE(onednn_backend().unsupported(program, {Precision::fp64, 1, {}}));
  EXPECT_EQ(onednn_backend().unsupported(program, {Precision::bf16, 1, {}}).has_value(),
            !onednn::isa_in_use().bf16_block.has_value());
}

// ---- bf16: where the CPU has it, in the layouts of both kinds of instructions ----

class OnednnBf16 : public testing::TestWithParam<UnetOptions> {
 protected:
  void SetUp() override {
    if (!onednn::isa_in_use().bf16_block) {
      GTEST_SKIP() << "no bf16 on " << onednn::isa_in_use().name;
    }
  }
  static constexpr Dims kDims{32, 32, 16};  // 4 voxels an image at the coarsest level
  static constexpr std::int64_t kImages = 2;
  Program program_ = lower(unet3d(GetParam()), kImages, kDims, Mode::training);
  Batch batch_ =
      synthetic_batch(kImages, kDims, GetParam().input_channels, GetParam().classes, 3, 0);
  CompileOptions options_{Precision::bf16, kThreads, {}};
};

TEST_P(OnednnBf16, IsTheStepOfTheReference) {
  const Weights weights = verification_weights(program_, 3);
  const StepReference reference = reference_step(program_, weights, batch_, kThreads);
  for (const auto& [block, algorithm] :
       {std::pair(0, onednn::Algorithm::direct), std::pair(16, onednn::Algorithm::direct),
        std::pair(16, onednn::Algorithm::winograd)}) {
    const Verification verification =
        verify_step(FixedLayout(block, algorithm), options_, program_, weights, batch_, reference);
    for (const TensorCheck& check : verification.checks) {
      EXPECT_LE(check.error, check.tolerance) << check.tensor << " block " << block;
    }
  }
}

TEST_P(OnednnBf16, KeepsTheReferencesLossesOverTenSteps) {
  const Verification verification =
      verify_losses(onednn_backend(), options_, program_, initial_weights(program_, 3), batch_, 10);
  for (const TensorCheck& check : verification.checks) {
    EXPECT_LE(check.error, check.tolerance) << check.tensor;
  }
}

TEST_P(OnednnBf16, NeedsHalfTheMemoryForActivations) {
  const Program program = lower(unet3d(GetParam()), 1, {64, 64, 64}, Mode::training);
  const auto activations = [&](Precision precision) {
    CompileOptions options = options_;
    options.precision = precision;
    return static_cast<double>(onednn_backend().plan(program, options).bytes.at("activations"));
  };
  EXPECT_LT(activations(Precision::bf16), 0.55 * activations(Precision::fp32));
}

INSTANTIATE_TEST_SUITE_P(Networks, OnednnBf16,
                         testing::Values(UnetOptions{16, 1, 1}, UnetOptions{16, 4, 3}));

}  // namespace
}  // namespace voxmark
