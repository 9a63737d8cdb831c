// R ranks of b images each compute the step of one process with R * b images: every backend of this
// build, with ranks that are threads.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "backends/ranks/exchange_points.h"
#include "backends/ranks/ranks_in_threads.h"
#include "backends/registry/registry.h"
#include "backends/verify/verify.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

constexpr std::uint64_t kSeed = 3;

struct Case {
  UnetOptions network;
  std::int64_t images;  // of all ranks
  Dims dims;
};

// Images `first` to `first + count` of a batch.
Batch slice(const Batch& batch, std::int64_t images, std::int64_t first, std::int64_t count) {
  Batch part = batch;
  for (auto member : {&Batch::input, &Batch::target}) {
    const std::vector<float>& all = batch.*member;
    const std::int64_t each = static_cast<std::int64_t>(all.size()) / images;
    (part.*member).assign(all.begin() + first * each, all.begin() + (first + count) * each);
  }
  return part;
}

Program program_of(const Case& c, std::int64_t images) {
  return lower(unet3d(c.network), images, c.dims, Mode::training);
}

// What is equal on all ranks, and what each has of its own images.
struct Step {
  double loss = 0, next_loss = 0;
  std::vector<double> prediction;
  std::map<std::string, std::vector<double>> gradients, updated;
};

Step compute(const Backend& backend, const Program& program, CompileOptions options,
             const Weights& weights, const Batch& batch) {
  options.readable = {program.prediction};
  const auto executable = backend.compile(program, options);
  set_weights(*executable, program, weights);
  executable->load(batch);
  executable->run();
  Step step;
  step.loss = executable->run().loss;  // the second time: nothing may be left of the first
  step.prediction = read_tensor(*executable, program, program.prediction);
  const auto collect = [&](TensorRole role, auto& into) {
    for (std::size_t id = 0; id < program.tensors.size(); ++id) {
      if (program.tensors[id].role == role) {
        into[program.tensors[id].name] =
            read_tensor(*executable, program, static_cast<TensorId>(id));
      }
    }
  };
  collect(TensorRole::parameter_gradient, step.gradients);
  executable->update();
  collect(TensorRole::parameter, step.updated);
  collect(TensorRole::moving_statistic, step.updated);
  step.next_loss = executable->run().loss;
  return step;
}

std::vector<Step> compute_on_ranks(const Backend& backend, const Case& c, int ranks,
                                   Precision precision, bool across_ranks = true) {
  const Batch batch =
      synthetic_batch(c.images, c.dims, c.network.input_channels, c.network.classes, kSeed, 0);
  const std::int64_t local = c.images / ranks;
  std::vector<Step> steps(static_cast<std::size_t>(ranks));
  run_ranks(ranks, [&](Collectives& collectives) {
    Program program = program_of(c, local);
    program.batch_norm.across_ranks = across_ranks;
    CompileOptions options{precision, 1, {}};
    options.ranks = ranks;
    options.collectives = &collectives;
    steps[static_cast<std::size_t>(collectives.rank())] =
        compute(backend, program, options, verification_weights(program, kSeed),
                slice(batch, c.images, collectives.rank() * local, local));
  });
  return steps;
}

Step compute_in_one(const Backend& backend, const Case& c, Precision precision) {
  const Program program = program_of(c, c.images);
  return compute(
      backend, program, {precision, 1, {}}, verification_weights(program, kSeed),
      synthetic_batch(c.images, c.dims, c.network.input_channels, c.network.classes, kSeed, 0));
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0, size = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
    size = std::max(size, std::abs(b[i]));
  }
  return size > 0 ? largest / size : largest;
}

const Case& small() {
  static const Case c{{4, 1, 1}, 12, {16, 32, 16}};
  return c;
}

class RanksOfNaive : public testing::TestWithParam<int> {};

TEST_P(RanksOfNaive, ComputeTheStepOfOneProcessInDouble) {
  static const Step whole = compute_in_one(naive_backend(), small(), Precision::fp64);
  const int ranks = GetParam();
  const std::vector<Step> steps =
      compute_on_ranks(naive_backend(), small(), ranks, Precision::fp64);
  std::vector<double> prediction;
  for (const Step& step : steps) {
    EXPECT_NEAR(step.loss, whole.loss, 1e-12);
    EXPECT_NEAR(step.next_loss, whole.next_loss, 1e-9);
    prediction.insert(prediction.end(), step.prediction.begin(), step.prediction.end());
    // Against the largest gradient of the network: those of biases before batch norms are rounding.
    double size = 0;
    for (const auto& [name, values] : whole.gradients) {
      for (const double value : values) {
        size = std::max(size, std::abs(value));
      }
    }
    for (const auto& [name, values] : whole.gradients) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        ASSERT_NEAR(step.gradients.at(name)[i], values[i], 1e-12 * size) << name;
      }
    }
    for (const auto& [name, values] : whole.updated) {
      if (name.find("moving") != std::string::npos) {
        EXPECT_LE(largest_difference(step.updated.at(name), values), 1e-12) << name;
      }
    }
    EXPECT_EQ(step.updated, steps.front().updated);
    EXPECT_EQ(step.gradients, steps.front().gradients);
  }
  EXPECT_LE(largest_difference(prediction, whole.prediction), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Ranks, RanksOfNaive, testing::Values(2, 3, 4, 12));

// ---- Batch norms of each rank over its own images ----

TEST(LocalBatchNorm, IsAnotherStepThanThatOfOneProcess) {
  const Case c{{4, 1, 1}, 2, {16, 16, 32}};
  const std::vector<Step> local = compute_on_ranks(naive_backend(), c, 2, Precision::fp64, false);
  const Step whole = compute_in_one(naive_backend(), c, Precision::fp64);
  EXPECT_GT(std::abs(local[0].loss - whole.loss), 1e-6);
  EXPECT_EQ(local[0].gradients, local[1].gradients);
  EXPECT_NE(local[0].updated.at("encodeA_bn0/moving_mean"),
            local[1].updated.at("encodeA_bn0/moving_mean"));
}

// Gradients of the loss of all ranks, through each rank's own statistics.
TEST(LocalBatchNorm, HasTheGradientsOfItsLoss) {
  const Case c{{2, 1, 1}, 2, {16, 32, 32}};
  const Batch batch = synthetic_batch(c.images, c.dims, 1, 1, kSeed, 0);
  struct Parameter {
    std::string name;
    std::size_t index;
  };
  const std::vector<Parameter> parameters = {{"encodeA_conv0/kernel", 3},
                                             {"encodeB_bn0/gamma", 1},
                                             {"convOut_bn1/beta", 0},
                                             {"convOut_conv1/kernel", 20},
                                             {"PredictionMask/bias", 0}};
  constexpr double kStep = 1e-5;
  run_ranks(2, [&](Collectives& collectives) {
    Program program = program_of(c, 1);
    program.batch_norm.across_ranks = false;
    CompileOptions options{Precision::fp64, 1, {}};
    options.ranks = 2;
    options.collectives = &collectives;
    const auto executable = naive_backend().compile(program, options);
    const Weights weights = verification_weights(program, kSeed);
    executable->load(slice(batch, c.images, collectives.rank(), 1));
    for (const Parameter& parameter : parameters) {
      const std::string& name = parameter.name;
      const std::size_t index = parameter.index;
      const auto loss_at = [&](double change) {
        Weights changed = weights;
        changed.at(name)[index] += change;
        set_weights(*executable, program, changed);
        return executable->run().loss;
      };
      const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
      loss_at(0);
      const double gradient =
          read_tensor(*executable, program, program.find("gradient/" + name))[index];
      EXPECT_NEAR(gradient, slope, 1e-3 * std::abs(slope) + 1e-9) << name;
      EXPECT_NE(gradient, 0) << name;
    }
  });
}

class RanksOfBackends : public testing::TestWithParam<std::string> {
 protected:
  const Backend& backend() const { return *find_backend(GetParam()).backend; }
};

// Against naive in double on the whole batch, with the tolerances of one process.
TEST_P(RanksOfBackends, ComputeTheStepOfTheReference) {
  struct OnRanks {
    Case c;
    int ranks;
  };
  for (const OnRanks& run :
       {OnRanks{{{4, 2, 2}, 4, {16, 32, 48}}, 2}, OnRanks{{{16, 1, 1}, 3, {32, 16, 32}}, 3}}) {
    const Case& c = run.c;
    const int ranks = run.ranks;
    const Program whole = program_of(c, c.images);
    const Weights weights = verification_weights(whole, kSeed);
    const Batch batch =
        synthetic_batch(c.images, c.dims, c.network.input_channels, c.network.classes, kSeed, 0);
    const StepReference reference = reference_step(whole, weights, batch, 2);
    const std::int64_t local = c.images / ranks;
    run_ranks(ranks, [&](Collectives& collectives) {
      CompileOptions options{Precision::fp32, 1, {}};
      options.ranks = collectives.ranks();
      options.collectives = &collectives;
      const std::int64_t first = collectives.rank() * local;
      const Verification verification = verify_step(backend(), options, program_of(c, local),
                                                    weights, slice(batch, c.images, first, local),
                                                    reference_of_images(reference, first, local));
      for (const TensorCheck& check : verification.checks) {
        EXPECT_LE(check.error, check.tolerance)
            << check.tensor << " of rank " << collectives.rank() << " of " << ranks;
      }
    });
  }
}

TEST_P(RanksOfBackends, HaveALossThatIsNoNumberWhereOneOfThemHasIt) {
  const Case c{{4, 1, 1}, 2, {16, 16, 32}};
  const Batch batch = synthetic_batch(c.images, c.dims, 1, 1, kSeed, 0);
  for (const bool across_ranks : {true, false}) {
    run_ranks(2, [&](Collectives& collectives) {
      Program program = program_of(c, 1);
      program.batch_norm.across_ranks = across_ranks;
      CompileOptions options{Precision::fp32, 1, {}};
      options.ranks = 2;
      options.collectives = &collectives;
      const auto executable = backend().compile(program, options);
      Weights weights = verification_weights(program, kSeed);
      if (collectives.rank() == 1) {
        for (auto& [name, values] : weights) {
          std::ranges::fill(values, std::numeric_limits<double>::quiet_NaN());
        }
      }
      set_weights(*executable, program, weights);
      executable->load(slice(batch, c.images, collectives.rank(), 1));
      EXPECT_FALSE(std::isfinite(executable->run().loss)) << "rank " << collectives.rank();
    });
  }
}

// One of two ranks, whose other one has the same values. Notes what leaves.
class Noting : public Collectives {
 public:
  int rank() const override { return 0; }
  int ranks() const override { return 2; }
  void gather(ExchangeKind kind, std::span<const double> own, std::span<double> all) override {
    left.emplace_back(kind, own.size_bytes());
    std::ranges::copy(own, all.begin());
    std::ranges::copy(own, all.begin() + static_cast<std::ptrdiff_t>(own.size()));
  }
  void broadcast(std::span<std::byte>) override {}
  void begin_sum(std::span<float> values) override { begin(values.size_bytes()); }
  void begin_sum(std::span<double> values) override { begin(values.size_bytes()); }
  void wait() override {}
  void abandon() override { is_under_way = false; }

  std::vector<std::pair<ExchangeKind, std::size_t>> left;
  bool is_under_way = false;

 private:
  void begin(std::size_t bytes) {
    left.emplace_back(ExchangeKind::gradients, bytes);
    is_under_way = true;
  }
};

TEST(ExchangePoints, AreThoseOfAStepOpByOp) {
  const Case c{{16, 1, 1}, 2, {16, 16, 32}};
  for (const bool across_ranks : {true, false}) {
    Program program = program_of(c, 1);
    program.batch_norm.across_ranks = across_ranks;
    Noting collectives;
    CompileOptions options{Precision::fp32, 1, {}};
    options.ranks = 2;
    options.collectives = &collectives;
    const auto executable = naive_backend().compile(program, options);
    set_weights(*executable, program, verification_weights(program, kSeed));
    executable->load(synthetic_batch(1, c.dims, 1, 1, kSeed, 0));
    executable->run();
    std::vector<std::pair<ExchangeKind, std::size_t>> expected;
    for (const ExchangePoint& point : exchange_points(program, sizeof(float))) {
      expected.emplace_back(point.kind, static_cast<std::size_t>(point.bytes));
    }
    EXPECT_EQ(collectives.left, expected);
    EXPECT_GT(std::ranges::count(expected, std::pair(ExchangeKind::gradients, kMessageBytes)), 0);
  }
}

// Its step ends by an exception while gradients are under way.
class Failing final : public Noting {
 public:
  void wait() override { throw std::bad_alloc(); }
};

TEST_P(RanksOfBackends, LeaveNoMessageBehindWhoseMemoryIsGone) {
  const Case c{{4, 1, 1}, 2, {16, 16, 32}};
  const Program program = program_of(c, 1);
  Failing collectives;
  CompileOptions options{Precision::fp32, 1, {}};
  options.ranks = 2;
  options.collectives = &collectives;
  auto executable = backend().compile(program, options);
  set_weights(*executable, program, verification_weights(program, kSeed));
  executable->load(synthetic_batch(1, c.dims, 1, 1, kSeed, 0));
  EXPECT_THROW(executable->run(), std::bad_alloc);
  EXPECT_TRUE(collectives.is_under_way);
  executable.reset();
  EXPECT_FALSE(collectives.is_under_way);
}

TEST_P(RanksOfBackends, HaveTheSameBitsEveryTimeAndOnEveryRank) {
  const std::vector<Step> first = compute_on_ranks(backend(), small(), 3, Precision::fp32);
  const std::vector<Step> second = compute_on_ranks(backend(), small(), 3, Precision::fp32);
  for (std::size_t rank = 0; rank < first.size(); ++rank) {
    EXPECT_EQ(first[rank].loss, second[rank].loss);
    EXPECT_EQ(first[rank].gradients, second[rank].gradients);
    EXPECT_EQ(first[rank].updated, second[rank].updated);
    EXPECT_EQ(first[rank].updated, first[0].updated);
  }
}

std::vector<std::string> computing_backends() {
  std::vector<std::string> names;
  for (const RegisteredBackend& entry : registered_backends()) {
    if (entry.backend != nullptr && entry.backend->computes() && entry.name != "example") {
      names.push_back(entry.name);
    }
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Backends, RanksOfBackends, testing::ValuesIn(computing_backends()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace voxmark
