// Training by several ranks: threads of this process, which meet in the trainer and in the steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <mutex>
#include <optional>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "backends/ranks/rank_talk.h"
#include "backends/ranks/ranks_in_threads.h"
#include "backends/registry/registry.h"
#include "training/checkpoint.h"
#include "training/data.h"
#include "training/estimate.h"
#include "training/host_memory.h"
#include "training/shared_scores.h"
#include "training/trainer.h"
#include "workloads/images/test_files.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

// Rank 0 remembers; any rank may ask to stop before a step.
class Listener : public TrainingObserver {
 public:
  explicit Listener(int stop_before = -1) : stop_before_(stop_before) {}
  void step(int, std::int64_t, std::int64_t, double loss, double) override {
    losses.push_back(loss);
  }
  void warning(const std::string& text) override { warnings.push_back(text); }
  void forecast(const Forecast& forecast) override { planned = forecast.planned_bytes; }
  std::int64_t peak_bytes() override { return peak; }
  bool stop() override { return static_cast<int>(losses.size()) == stop_before_; }

  std::vector<double> losses;
  std::vector<std::string> warnings;
  std::int64_t planned = 0;
  std::int64_t peak = 0;

 private:
  int stop_before_;
};

struct RankedRun {
  TrainingResult result;  // of rank 0
  Listener listener;      // of rank 0
  std::string refusal;    // that all ranks agreed on
};

// Validation and test have cases for some ranks only.
constexpr const char* kData = "phantom:24:32x32x32";

TrainingOptions options_in(const std::string& folder, int ranks) {
  TrainingOptions options;
  options.backend = find_backend("naive").backend;
  options.precision = Precision::fp64;
  options.memory_bytes = std::int64_t{1} << 32U;
  options.image = {16, 16, 16};
  options.batch = 4;
  options.network.filters = 2;
  options.epochs = 2;
  options.steps_per_epoch = 3;
  options.folder = folder;
  options.ranks = ranks;
  std::filesystem::create_directories(folder);
  return options;
}

SubjectParts parts_of(const TrainingOptions& options) {
  return open_parts(kData, options.image, options.seed);
}

// `stop`: the rank that asks to stop, and before which step. `change` is told each rank's options.
struct Ranked {
  bool resume = false;
  std::optional<std::pair<int, int>> stop = std::nullopt;
  std::function<void(int, TrainingOptions&, SubjectParts&)> change = [](auto...) {};
};

RankedRun train_as_ranks(const TrainingOptions& options, const Ranked& how = {}) {
  RankedRun run;
  std::mutex mutex;
  std::vector<std::string> refusals;
  const auto train_one = [&](Collectives* ranks) {
    TrainingOptions own = options;
    own.collectives = ranks;
    SubjectParts parts = parts_of(own);
    how.change(rank_of(ranks), own, parts);
    const bool stops = how.stop && how.stop->first == rank_of(ranks);
    Listener listener(stops ? how.stop->second : -1);
    listener.peak = 100 + rank_of(ranks);
    try {
      TrainingResult result = train(own, parts, how.resume, listener);
      if (is_first(ranks)) {
        run.result = std::move(result);
        run.listener = listener;
      }
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      refusals.emplace_back(error.what());
    }
  };
  if (options.ranks == 1) {
    train_one(nullptr);
  } else {
    run_ranks(options.ranks, [&](Collectives& ranks) { train_one(&ranks); });
  }
  if (!refusals.empty()) {
    EXPECT_EQ(refusals,
              std::vector<std::string>(static_cast<std::size_t>(options.ranks), refusals.front()));
    run.refusal = refusals.front();
  }
  return run;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], tolerance) << "step " << i;
  }
}

void expect_scores_near(const Scores& found, const Scores& expected, double tolerance) {
  EXPECT_NEAR(found.loss, expected.loss, tolerance);
  EXPECT_NEAR(found.accuracy, expected.accuracy, tolerance);
  expect_near(found.soft_dice, expected.soft_dice, tolerance);
  expect_near(found.hard_dice, expected.hard_dice, tolerance);
}

// In double ranks differ by the order of sums alone, which Adam amplifies from step to step.
constexpr double kDouble = 1e-9;

class EveryCount : public testing::TestWithParam<std::pair<int, std::int64_t>> {};

TEST_P(EveryCount, HasTheLossesAndScoresOfOneProcess) {
  const auto [ranks, batch] = GetParam();
  TemporaryFolder folder;
  TrainingOptions options = options_in(folder.path("one"), 1);
  options.batch = batch;
  const RankedRun one = train_as_ranks(options);
  options = options_in(folder.path("several"), ranks);
  options.batch = batch;
  const RankedRun several = train_as_ranks(options);
  ASSERT_EQ(several.refusal, "");
  ASSERT_EQ(one.listener.losses.size(), 6U);
  EXPECT_NE(one.listener.losses[0], one.listener.losses[1]);
  expect_near(several.listener.losses, one.listener.losses, kDouble);
  ASSERT_EQ(several.result.epochs.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const EpochRecord& found = several.result.epochs[i];
    const EpochRecord& expected = one.result.epochs[i];
    EXPECT_EQ(found.images, expected.images);
    expect_scores_near(found.training, expected.training, kDouble);
    expect_scores_near(*found.validation, *expected.validation, 1e-6);  // predicted in float
    EXPECT_EQ(found.computed_by.at(0)["ranks"], ranks);
    EXPECT_FALSE(expected.computed_by.at(0).contains("ranks"));
  }
  ASSERT_EQ(several.result.test.size(), one.result.test.size());
  ASSERT_GT(one.result.test.size(), 1U);
  for (std::size_t i = 0; i < one.result.test.size(); ++i) {
    EXPECT_EQ(several.result.test[i].name, one.result.test[i].name);
    EXPECT_EQ(several.result.test[i].file, one.result.test[i].file);
    EXPECT_EQ(several.result.test[i].dims, one.result.test[i].dims);
    EXPECT_EQ(several.result.test[i].spacing, one.result.test[i].spacing);
    expect_scores_near(several.result.test[i].scores, one.result.test[i].scores, 1e-6);
    EXPECT_EQ(several.result.test[i].scores.surface_dice.size(),
              one.result.test[i].scores.surface_dice.size());
  }
  EXPECT_EQ(several.result.peak_bytes, 100 + ranks - 1);  // of the largest
}

INSTANTIATE_TEST_SUITE_P(Ranks, EveryCount,
                         testing::Values(std::pair(2, 4), std::pair(4, 4), std::pair(3, 3)),
                         [](const auto& ranks) {
                           return fmt::format("{}of{}", ranks.param.first, ranks.param.second);
                         });

class EveryFastBackend : public testing::TestWithParam<std::string> {};

TEST_P(EveryFastBackend, HasTheLossesOfOneProcessToFloatsRounding) {
  const Backend* backend = find_backend(GetParam()).backend;
  if (backend == nullptr) {
    GTEST_SKIP() << GetParam() << " is not built";
  }
  TemporaryFolder folder;
  RankedRun runs[2];
  for (const int ranks : {1, 2}) {
    TrainingOptions options = options_in(folder.path(std::to_string(ranks)), ranks);
    options.backend = backend;
    options.precision = Precision::fp32;
    options.epochs = 1;
    runs[ranks - 1] = train_as_ranks(options);
  }
  // As verify.h has it for the losses of further steps.
  ASSERT_EQ(runs[1].refusal, "");
  EXPECT_NEAR(runs[1].listener.losses.at(0), runs[0].listener.losses.at(0), 1e-6);
  expect_near(runs[1].listener.losses, runs[0].listener.losses, 2e-3);
}

INSTANTIATE_TEST_SUITE_P(Backends, EveryFastBackend, testing::Values("eigen", "onednn"),
                         [](const auto& backend) { return backend.param; });

TEST(RanksTrain, ResumedWithAsManyRanksTheLossesAreTheSameBitByBitWithOthersToRounding) {
  TemporaryFolder folder;
  const RankedRun whole = train_as_ranks(options_in(folder.path("whole"), 2));
  for (const int ranks : {2, 4, 1}) {
    const std::string path = folder.path(fmt::format("then{}", ranks));
    const RankedRun before = train_as_ranks(options_in(path, 2), {.stop = std::pair(1, 4)});
    EXPECT_EQ(before.result.end, TrainingEnd::interrupted);  // rank 1 alone was asked to
    ASSERT_EQ(before.listener.losses.size(), 4U);
    const RankedRun after = train_as_ranks(options_in(path, ranks), {.resume = true});
    ASSERT_EQ(after.refusal, "");
    std::vector<double> losses = before.listener.losses;
    losses.insert(losses.end(), after.listener.losses.begin(), after.listener.losses.end());
    if (ranks == 2) {
      EXPECT_EQ(losses, whole.listener.losses);
      EXPECT_THAT(after.listener.warnings, testing::IsEmpty());
    } else {
      expect_near(losses, whole.listener.losses, kDouble);
      ASSERT_EQ(after.listener.warnings.size(), 1U);
      EXPECT_THAT(after.listener.warnings[0],
                  testing::HasSubstr(fmt::format("made with ranks 2, goes on with {}", ranks)));
    }
    EXPECT_EQ(after.result.end, TrainingEnd::done);
    expect_scores_near(after.result.test.at(0).scores, whole.result.test.at(0).scores, 1e-6);
  }
}

TEST(RanksTrain, RankZeroAloneReadsAndWritesTheFolder) {
  TemporaryFolder folder;
  const auto elsewhere = [&](int rank, TrainingOptions& own, SubjectParts&) {
    if (rank != 0) {
      own.folder = folder.path("nowhere");
    }
  };
  const TrainingOptions options = options_in(folder.path("run"), 2);
  train_as_ranks(options, {.stop = std::pair(0, 4), .change = elsewhere});
  const RankedRun rest = train_as_ranks(options, {.resume = true, .change = elsewhere});
  EXPECT_EQ(rest.refusal, "");
  EXPECT_EQ(rest.listener.losses.size(), 2U);
  EXPECT_EQ(rest.result.end, TrainingEnd::done);
  EXPECT_FALSE(std::filesystem::exists(folder.path("nowhere")));
}

TEST(RanksTrain, EachReadsItsOwnShareOfCases) {
  TemporaryFolder folder;
  std::mutex mutex;
  std::vector<std::vector<std::string>> read(2);
  const auto watch = [&](int rank, TrainingOptions&, SubjectParts& parts) {
    for (SubjectSource* part : {&parts.training, &parts.validation, &parts.test}) {
      part->load = [&, rank, load = part->load](std::size_t subject, std::int64_t channels) {
        Subject found = load(subject, channels);
        const std::lock_guard lock(mutex);
        read[static_cast<std::size_t>(rank)].push_back(found.name);
        return found;
      };
    }
  };
  TrainingOptions options = options_in(folder.path("run"), 2);
  options.epochs = 1;
  const SubjectParts parts = parts_of(options);
  train_as_ranks(options, {.change = watch});
  ASSERT_EQ(parts.validation.count + parts.test.count, 3U);
  const std::size_t scored[] = {2, 1};  // of each part the first case, and one of the other
  for (const std::size_t rank : {0U, 1U}) {
    // Two images of three steps, and of the step and the case that are forecast.
    EXPECT_EQ(read[rank].size(), 2 * 3 + 2 + 1 + scored[rank]);
  }
}

TEST(RanksTrain, RefusesOtherCasesAndOtherWeightsOnARank) {
  TemporaryFolder folder;
  const TrainingOptions options = options_in(folder.path("run"), 2);
  RankedRun run =
      train_as_ranks(options, {.change = [](int rank, TrainingOptions&, SubjectParts& parts) {
                       parts.facts.identity += rank == 1 ? "another" : "";
                     }});
  EXPECT_THAT(run.refusal, testing::HasSubstr("rank 1 has another list of cases than rank 0"));
  run = train_as_ranks(options, {.change = [](int rank, TrainingOptions& own, SubjectParts&) {
                         own.seed += static_cast<std::uint64_t>(rank);
                       }});
  EXPECT_THAT(run.refusal, testing::HasSubstr("rank 1 has another set of options than rank 0"));
  EXPECT_TRUE(run.listener.losses.empty());
}

TEST(RanksTrain, WhatDoesNotFitOneRankIsRefusedByAll) {
  TemporaryFolder folder;
  const RankedRun run = train_as_ranks(options_in(folder.path("run"), 2),
                                       {.change = [](int rank, TrainingOptions& own, auto&) {
                                         own.memory_bytes = rank == 1 ? 100000 : own.memory_bytes;
                                       }});
  EXPECT_THAT(run.refusal, testing::HasSubstr("expected at most"));
}

TEST(RanksTrain, LocalBatchNormIsAnotherMathematicsThatGoesOnWithAsManyRanksOnly) {
  TemporaryFolder folder;
  const auto local = [](int, TrainingOptions& own, SubjectParts&) {
    own.batch_norm = BatchNormOver::own_images;
  };
  const RankedRun global = train_as_ranks(options_in(folder.path("global"), 2));
  const RankedRun whole = train_as_ranks(options_in(folder.path("local"), 2), {.change = local});
  EXPECT_GT(std::abs(whole.listener.losses.at(0) - global.listener.losses.at(0)), 1e-6);

  const TrainingOptions options = options_in(folder.path("stopped"), 2);
  const RankedRun before = train_as_ranks(options, {.stop = std::pair(0, 4), .change = local});
  EXPECT_THAT(
      train_as_ranks(options_in(options.folder, 4), {.resume = true, .change = local}).refusal,
      testing::HasSubstr("made with ranks 2, expected 4"));
  EXPECT_THAT(train_as_ranks(options, {.resume = true}).refusal,
              testing::HasSubstr("made with batch_norm \"local\", expected \"global\""));
  const RankedRun after = train_as_ranks(options, {.resume = true, .change = local});
  std::vector<double> losses = before.listener.losses;
  losses.insert(losses.end(), after.listener.losses.begin(), after.listener.losses.end());
  EXPECT_EQ(losses, whole.listener.losses);
  EXPECT_EQ(to_json(after.result.epochs.at(1).validation.value()),
            to_json(whole.result.epochs.at(1).validation.value()));
}

// naive, but on rank 1 the first image's sums are no numbers, and so the loss of all.
class BadOnRankOne : public Backend {
 public:
  std::string_view name() const override { return "bad on rank 1"; }
  std::string_view description() const override { return "for a test"; }
  std::optional<Unsupported> unsupported(const Program&, const CompileOptions&) const override {
    return std::nullopt;
  }
  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    return naive_backend().plan(program, options);
  }
  std::unique_ptr<Executable> compile(const Program& program,
                                      const CompileOptions& options) const override {
    class Bad : public Executable {
     public:
      Bad(std::unique_ptr<Executable> inner, bool is_trained, int rank)
          : inner_(std::move(inner)), is_trained_(is_trained), rank_(rank) {}
      void set(TensorId id, std::span<const double> values) override { inner_->set(id, values); }
      void read(TensorId id, std::span<double> values) const override { inner_->read(id, values); }
      void load(const Batch& batch) override { inner_->load(batch); }
      const StepResult& run(StageObserver* observer) override {
        result_ = inner_->run(observer);
        if (is_trained_) {
          result_.loss = std::nan("");
          result_.sums.front().prediction += rank_ == 1 ? std::nan("") : 0;
        }
        return result_;
      }
      void update() override { inner_->update(); }
      std::span<const Stage> stages() const override { return inner_->stages(); }
      const MemoryPlan& plan() const override { return inner_->plan(); }

     private:
      std::unique_ptr<Executable> inner_;
      bool is_trained_;
      int rank_;
      StepResult result_;
    };
    return std::make_unique<Bad>(naive_backend().compile(program, options), options.ranks > 1,
                                 rank_of(options.collectives));
  }
};

TEST(RanksTrain, ALossThatIsNoNumberNamesTheRank) {
  TemporaryFolder folder;
  const BadOnRankOne backend;
  TrainingOptions options = options_in(folder.path("run"), 2);
  options.backend = &backend;
  const RankedRun run = train_as_ranks(options);
  EXPECT_EQ(run.result.end, TrainingEnd::diverged);
  EXPECT_TRUE(run.listener.losses.empty());
  EXPECT_THAT(run.listener.warnings,
              testing::ElementsAre("epoch 1 step 1: predictions are no numbers on rank 1"));
}

// A whole run that TensorFlow computed in double, with one of its two images on each rank.
TEST(RanksTrain, TwoRanksComputeTheRunOfAnotherFramework) {
  const std::string path =
      VOXMARK_SOURCE_DIR "/../shared/reference/unet_f4_16x16x16_b2.safetensors";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no reference runs beside the checkout";
  }
  const SafetensorsFile file(path);
  const Json recorded = parse_json(file.metadata().at("reference"), path);
  const auto losses = recorded.at("loss").get<std::vector<double>>();
  ASSERT_EQ(recorded.at("batch"), 2);
  UnetOptions network;
  network.filters = recorded.at("filters").get<std::int64_t>();
  network.input_channels = recorded.at("input_channels").get<std::int64_t>();
  const Dims dims{16, 16, 16};
  const std::vector<float> input = file.read_floats("input");
  const std::vector<float> target = file.read_floats("target");
  run_ranks(2, [&](Collectives& ranks) {
    Program program = lower(unet3d(network), 1, dims, Mode::training);
    const Json& adam = recorded.at("optimizer");
    program.adam.learning_rate = adam.at("learning_rate").get<double>();
    program.adam.beta1 = adam.at("beta1").get<double>();
    program.adam.beta2 = adam.at("beta2").get<double>();
    program.adam.epsilon = adam.at("epsilon").get<double>();
    program.batch_norm.epsilon = recorded.at("batch_norm").at("epsilon").get<double>();
    program.batch_norm.momentum = recorded.at("batch_norm").at("momentum").get<double>();
    CompileOptions options;
    options.precision = Precision::fp64;
    options.ranks = 2;
    options.collectives = &ranks;
    const auto executable = naive_backend().compile(program, options);
    set_weights(*executable, program, load_weights(path, program, "initial/"));
    const auto own = [&](const std::vector<float>& all) {
      const auto half = static_cast<std::ptrdiff_t>(all.size() / 2);
      const auto begin = all.begin() + ranks.rank() * half;
      return std::vector<float>(begin, begin + half);
    };
    executable->load({1, dims, network.input_channels, 1, own(input), own(target)});
    for (const double expected : losses) {
      EXPECT_NEAR(executable->run().loss, expected, 1e-9);
      executable->update();
    }
    const Weights found = read_weights(*executable, program);
    for (const auto& [name, expected] : load_weights(path, program, "final/")) {
      if (!name.starts_with("optimizer/")) {
        SCOPED_TRACE(name);
        expect_near(found.at(name), expected, 1e-8);
      }
    }
  });
}

TEST(RanksMemory, OfEachRankIsThatOfItsShare) {
  TemporaryFolder folder;
  TrainingOptions options = options_in(folder.path("run"), 2);
  const SubjectParts parts = parts_of(options);
  const Estimate two = estimate(options, parts);
  options.ranks = 1;
  const Estimate one = estimate(options, parts);
  EXPECT_EQ(2 * two.memory.host.batches, one.memory.host.batches);
  EXPECT_LT(two.memory.step, one.memory.step);
  options.batch = 2;  // the step of one process with as many images, and what it exchanges
  EXPECT_GT(two.memory.step, estimate(options, parts).memory.step);
}

TEST(SharedScores, ComeBackBitByBitAndByRank) {
  run_ranks(3, [](Collectives& ranks) {
    std::optional<TestCase> own;
    if (ranks.rank() != 2) {
      own.emplace();
      own->dims = {1, 2, 3};
      own->spacing = {0.1, 0.2, 0.3};
      own->scores.loss = std::nan("");
      own->scores.soft_dice = {1.0 / 3, ranks.rank() + 0.5};
      own->scores.hard_dice = {0.5};
      own->scores.surface_dice = {std::nullopt, 0.25};
      own->scores.whole_surface_dice = 0.75;
    }
    const auto all = cases_of_all(&ranks, own);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_FALSE(all[2]);
    for (const std::size_t rank : {0U, 1U}) {
      const Scores& scores = all[rank]->scores;
      EXPECT_EQ(all[rank]->dims, (Dims{1, 2, 3}));
      EXPECT_EQ(all[rank]->spacing, (Spacing{0.1, 0.2, 0.3}));
      EXPECT_TRUE(std::isnan(scores.loss));
      EXPECT_EQ(scores.soft_dice, (std::vector<double>{1.0 / 3, static_cast<double>(rank) + 0.5}));
      EXPECT_EQ(scores.surface_dice, (std::vector<std::optional<double>>{std::nullopt, 0.25}));
      EXPECT_EQ(scores.whole_surface_dice, 0.75);
      EXPECT_FALSE(scores.whole_dice);
    }
  });
}

TEST(SharedScores, NameTheRanksWhoseSumsAreNoNumbers) {
  std::vector<ClassSums> sums(4);
  EXPECT_THAT(ranks_without_numbers(sums, 2), testing::IsEmpty());
  sums[3].prediction = std::nan("");
  EXPECT_THAT(ranks_without_numbers(sums, 2), testing::ElementsAre(1));
  sums[0].correct = HUGE_VAL;
  EXPECT_THAT(ranks_without_numbers(sums, 4), testing::ElementsAre(0, 3));
}

}  // namespace
}  // namespace voxmark
