#include "training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "backends/naive/naive.h"
#include "backends/registry/registry.h"
#include "backends/verify/verify.h"
#include "training/checkpoint.h"
#include "training/data.h"
#include "training/exported_batches.h"
#include "training/host_memory.h"
#include "training/prediction/predictor.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

// Remembers every loss; stops before step `stop_before` of the process, when that is set, and not
// before so many epochs are done.
class Listener : public TrainingObserver {
 public:
  explicit Listener(int stop_before = -1, int epochs_before = 0)
      : stop_before_(stop_before), epochs_before_(epochs_before) {}
  void step(int, std::int64_t, std::int64_t, double loss, double) override {
    losses.push_back(loss);
  }
  void epoch(const TrainingResult&, double) override { ++epochs; }
  void warning(const std::string& text) override { warnings.push_back(text); }
  void forecast(const Forecast& forecast) override { seconds_left = forecast.total_seconds; }
  std::int64_t peak_bytes() override { return peak; }
  bool stop() override {
    return static_cast<int>(losses.size()) == stop_before_ && epochs >= epochs_before_;
  }

  std::vector<double> losses;
  std::vector<std::string> warnings;
  double seconds_left = 0;
  std::int64_t peak = 0;
  int epochs = 0;

 private:
  int stop_before_;
  int epochs_before_;
};

// naive, but no update changes anything: it cannot get better. Or each turns the last parameter
// into NaN.
class NeverUpdating : public Backend {
 public:
  explicit NeverUpdating(bool poisonous = false) : poisonous_(poisonous) {}
  std::string_view name() const override { return "never updating"; }
  std::string_view description() const override { return "for a test"; }
  std::optional<Unsupported> unsupported(const Program&, const CompileOptions&) const override {
    return std::nullopt;
  }
  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    return naive_backend().plan(program, options);
  }
  std::unique_ptr<Executable> compile(const Program& program,
                                      const CompileOptions& options) const override {
    class Still : public Executable {
     public:
      Still(std::unique_ptr<Executable> inner,
            std::optional<std::pair<TensorId, std::size_t>> poison)
          : inner_(std::move(inner)), poison_(poison) {}
      void set(TensorId id, std::span<const double> values) override { inner_->set(id, values); }
      void read(TensorId id, std::span<double> values) const override { inner_->read(id, values); }
      void load(const Batch& batch) override { inner_->load(batch); }
      const StepResult& run(StageObserver* observer) override { return inner_->run(observer); }
      void update() override {
        if (!poison_) {
          return;
        }
        const std::vector<double> values(poison_->second, std::nan(""));
        inner_->set(poison_->first, values);
      }
      std::span<const Stage> stages() const override { return inner_->stages(); }
      const MemoryPlan& plan() const override { return inner_->plan(); }

     private:
      std::unique_ptr<Executable> inner_;
      std::optional<std::pair<TensorId, std::size_t>> poison_;
    };
    std::optional<std::pair<TensorId, std::size_t>> poison;
    for (std::size_t i = 0; poisonous_ && i < program.tensors.size(); ++i) {
      if (program.tensors[i].role != TensorRole::parameter) {
        continue;
      }
      poison = std::pair(static_cast<TensorId>(i),
                         static_cast<std::size_t>(elements(program.tensors[i].shape)));
    }
    return std::make_unique<Still>(naive_backend().compile(program, options), poison);
  }

 private:
  bool poisonous_;
};

const Backend* backend_or_null(const std::string& name) { return find_backend(name).backend; }

// 14 training cases, one of validation, one of test.
constexpr const char* kData = "phantom:16:32x32x32";

TrainingOptions small_options(const std::string& folder, const std::string& backend) {
  TrainingOptions options;
  options.backend = backend_or_null(backend);
  options.threads = 2;
  options.memory_bytes = std::int64_t{1} << 32U;
  options.image = {16, 16, 16};
  options.batch = 4;
  options.network.filters = 2;
  options.epochs = 2;
  options.folder = folder;
  std::filesystem::create_directories(folder);
  return options;
}

SubjectParts parts_of(const TrainingOptions& options) {
  return open_parts(kData, options.image, options.seed);
}

class EveryBackend : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (backend_or_null(GetParam()) == nullptr) {
      GTEST_SKIP() << GetParam() << " is not built";
    }
  }
};

TEST_P(EveryBackend, ResumedRunHasTheLossesOfAnUninterruptedOneBitByBit) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("whole"), GetParam());
  const SubjectParts parts = parts_of(options);
  Listener whole;
  const TrainingResult expected = train(options, parts, false, whole);
  ASSERT_EQ(whole.losses.size(), 8U);
  EXPECT_EQ(expected.end, TrainingEnd::done);

  // Stopped within the first epoch, in its validation, and within the second.
  for (const int stop : {2, 4, 7}) {
    options = small_options(folder.path("stopped" + std::to_string(stop)), GetParam());
    Listener before(stop);
    EXPECT_EQ(train(options, parts, false, before).end, TrainingEnd::interrupted);
    Listener after;
    const TrainingResult resumed = train(options, parts, true, after);
    std::vector<double> losses = before.losses;
    losses.insert(losses.end(), after.losses.begin(), after.losses.end());
    EXPECT_EQ(losses, whole.losses) << "stopped before step " << stop;
    ASSERT_EQ(resumed.epochs.size(), expected.epochs.size());
    for (std::size_t i = 0; i < resumed.epochs.size(); ++i) {
      EXPECT_EQ(to_json(resumed.epochs[i].training), to_json(expected.epochs[i].training));
      EXPECT_EQ(to_json(resumed.epochs[i].validation.value()),
                to_json(expected.epochs[i].validation.value()));
    }
    ASSERT_EQ(resumed.test.size(), 1U);
    EXPECT_EQ(to_json(resumed.test[0].scores), to_json(expected.test[0].scores));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, EveryBackend, testing::Values("naive", "eigen", "onednn"),
                         [](const auto& backend) { return backend.param; });

TEST(Train, AFullDiskLeavesTheLastGoodCheckpoint) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  const SubjectParts parts = parts_of(options);
  Listener first(5);  // within the second epoch
  train(options, parts, false, first);
  const std::string before = read_bytes(last_checkpoint(options.folder));

  // A limit on the size of files stands for the disk that is full.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{1000, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  Listener second;
  EXPECT_THROW(train(options, parts, true, second), Error);
  setrlimit(RLIMIT_FSIZE, &limit);
  EXPECT_EQ(second.losses.size(), 3U);
  EXPECT_EQ(read_bytes(last_checkpoint(options.folder)), before);
  Listener third;
  train(options, parts, true, third);
  EXPECT_EQ(third.losses, second.losses);
}

TEST(Train, AResumedRunKeepsTheFirstForecastAndTheHighestPeak) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  const SubjectParts parts = parts_of(options);
  Listener before(5);  // within the second epoch
  before.peak = 900;
  const Forecast first = train(options, parts, false, before).forecast;
  EXPECT_DOUBLE_EQ(first.total_seconds, 2 * first.epoch_seconds + first.test_seconds);
  EXPECT_NEAR(before.seconds_left, first.total_seconds, 1e-9 * first.total_seconds);

  Listener after;
  after.peak = 300;
  const TrainingResult resumed = train(options, parts, true, after);
  EXPECT_EQ(resumed.peak_bytes, 900);
  EXPECT_EQ(resumed.forecast.step_seconds, first.step_seconds);
  EXPECT_EQ(resumed.forecast.total_seconds, first.total_seconds);
  EXPECT_NE(after.seconds_left, first.total_seconds);

  Listener only_test;
  only_test.peak = 1000;
  const TrainingResult tested = train(options, parts, true, only_test);
  EXPECT_EQ(tested.peak_bytes, 1000);
  EXPECT_EQ(tested.forecast.total_seconds, first.total_seconds);

  options.epochs = 3;
  Listener more;
  EXPECT_DOUBLE_EQ(train(options, parts, true, more).forecast.total_seconds,
                   3 * first.epoch_seconds + first.test_seconds);
}

TEST(Position, OfAnEarlierVersionHasNeitherPeakNorForecast) {
  Position position;
  position.peak_bytes = 900;
  position.forecast = {1, 2, 3, 4, 5};
  position.epoch = 1;
  position.epochs.emplace_back().computed_by = {Json::object()};
  position.epochs.back().images = 1;
  position.epochs.back().seconds = 1;
  Json json = to_json(position);
  EXPECT_EQ(position_from_json(json, "new").peak_bytes, 900);
  EXPECT_EQ(position_from_json(json, "new").forecast.total_seconds, 4);
  for (const char* key : {"peak_bytes", "forecast", "computed_by"}) {
    json.erase(key);
  }
  EXPECT_EQ(position_from_json(json, "old").peak_bytes, 0);
  EXPECT_TRUE(to_json(position_from_json(json, "old").forecast).is_null());
  json["epochs"][0].erase("computed_by");
  EXPECT_TRUE(position_from_json(json, "old").epochs.at(0).computed_by.empty());
}

TEST(Train, RefusesToResumeAnotherRun) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.epochs = 1;
  const SubjectParts parts = parts_of(options);
  Listener listener;
  train(options, parts, false, listener);
  options.batch = 2;
  EXPECT_THAT(refusal_of([&] { train(options, parts, true, listener); }),
              testing::HasSubstr("batch 4, expected 2"));
  options.batch = 4;
  const SubjectParts others = open_parts("phantom:17:32x32x32", options.image, options.seed);
  EXPECT_THAT(refusal_of([&] { train(options, others, true, listener); }),
              testing::HasSubstr("made with other data"));
  options.network.filters = 4;
  EXPECT_THAT(refusal_of([&] { train(options, parts, true, listener); }),
              testing::HasSubstr("filters 2, expected 4"));
}

TEST(Train, RefusesABestCheckpointThatIsNotThisRunsBest) {
  TemporaryFolder folder;
  const TrainingOptions options = small_options(folder.path("run"), "naive");
  const SubjectParts parts = parts_of(options);
  Listener first(5);  // within the second epoch
  train(options, parts, false, first);
  const std::string best = best_checkpoint(options.folder);
  const std::string own = read_bytes(best);
  const auto refusal = [&] {
    Listener listener;
    const std::string text = refusal_of([&] { train(options, parts, true, listener); });
    EXPECT_TRUE(listener.losses.empty());
    return text;
  };
  std::filesystem::remove(best);
  EXPECT_THAT(refusal(), testing::HasSubstr("best.safetensors"));
  // Of the run itself, but of no epoch's end.
  write_bytes(best, read_bytes(last_checkpoint(options.folder)));
  EXPECT_THAT(refusal(), testing::HasSubstr("expected the weights of epoch 1"));
  // Of another run with the same options.
  TrainingOptions other = small_options(folder.path("other"), "naive");
  other.epochs = 1;
  Listener nobody;
  train(other, parts, false, nobody);
  write_bytes(best, read_bytes(best_checkpoint(other.folder)));
  EXPECT_THAT(refusal(), testing::HasSubstr("of another run"));
  other = small_options(folder.path("others"), "naive");
  other.epochs = 1;
  other.batch = 2;
  train(other, parts, false, nobody);
  write_bytes(best, read_bytes(best_checkpoint(other.folder)));
  EXPECT_THAT(refusal(), testing::HasSubstr("batch 2, expected 4"));

  write_bytes(best, own);
  Listener rest;
  EXPECT_EQ(train(options, parts, true, rest).end, TrainingEnd::done);
}

TEST(Train, RefusesToScoreABestCheckpointThatWasSwappedMeanwhile) {
  TemporaryFolder folder;
  const NeverUpdating backend;  // no epoch is better than the first
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.backend = &backend;
  const SubjectParts parts = parts_of(options);
  class Thief : public Listener {
   public:
    explicit Thief(std::string path) : path_(std::move(path)) {}
    void epoch(const TrainingResult& so_far, double) override {
      if (so_far.epochs.size() == 2) {
        std::filesystem::remove(path_);
      }
    }

   private:
    std::string path_;
  } thief(best_checkpoint(options.folder));
  EXPECT_THAT(refusal_of([&] { train(options, parts, false, thief); }),
              testing::HasSubstr("best.safetensors"));
}

// Killed between the two checkpoints of an epoch's end.
TEST(Train, MakesTheBestCheckpointAgainFromTheLastOne) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.epochs = 1;
  const SubjectParts parts = parts_of(options);
  Listener listener;
  const TrainingResult expected = train(options, parts, false, listener);
  std::filesystem::remove(best_checkpoint(options.folder));
  const TrainingResult resumed = train(options, parts, true, listener);
  EXPECT_EQ(to_json(resumed.test.at(0).scores), to_json(expected.test.at(0).scores));
}

TEST(Train, RecordsWhatComputedEachEpoch) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.epochs = 3;
  options.binary_sha256 = "one";
  const SubjectParts parts = parts_of(options);
  Listener before(6);  // within the second epoch
  train(options, parts, false, before);
  options.threads = 1;
  options.binary_sha256 = "two";
  Listener after;
  const TrainingResult result = train(options, parts, true, after);
  const auto by = [](int threads, const char* binary) {
    return Json({{"backend", "naive"},
                 {"precision", "fp32"},
                 {"threads", threads},
                 {"binary_sha256", binary}});
  };
  ASSERT_EQ(result.epochs.size(), 3U);
  EXPECT_THAT(result.epochs[0].computed_by, testing::ElementsAre(by(2, "one")));
  EXPECT_THAT(result.epochs[1].computed_by, testing::ElementsAre(by(2, "one"), by(1, "two")));
  EXPECT_THAT(result.epochs[2].computed_by, testing::ElementsAre(by(1, "two")));
}

TEST(Train, AnExportLeavesNoBatchOfTheOneBefore) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  const SubjectParts parts = parts_of(options);
  for (const std::int64_t count : {6, 2}) {
    options.exported_batches = count;
    Listener listener(0);
    train(options, parts, false, listener);
    std::int64_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(batches_folder(options.folder))) {
      found += entry.path().filename().string().starts_with("step_") ? 1 : 0;
    }
    EXPECT_EQ(found, count);
  }
}

TEST(Train, WarnsWhenSomethingElseComputesTheRest) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.epochs = 1;
  const SubjectParts parts = parts_of(options);
  Listener listener;
  train(options, parts, false, listener);
  EXPECT_TRUE(listener.warnings.empty());
  options.epochs = 2;
  options.threads = 1;
  train(options, parts, true, listener);
  ASSERT_EQ(listener.warnings.size(), 1U);
  EXPECT_THAT(listener.warnings[0], testing::HasSubstr("threads 2, goes on with 1"));
}

TEST(Train, WarnsOfLessMemoryOnlyWhereThatTilesPredictions) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.epochs = 1;
  const SubjectParts parts = parts_of(options);
  Listener listener;
  train(options, parts, false, listener);

  options.epochs = 2;
  options.memory_bytes /= 2;
  train(options, parts, true, listener);
  EXPECT_TRUE(listener.warnings.empty());  // all still fits

  options.epochs = 3;
  const Program step = lower(unet3d(options.network), options.batch, options.image, Mode::training);
  const std::int64_t beside = bytes_beside_step(options, step, parts);
  options.memory_bytes =
      beside + options.backend->plan(step, step_options(options, beside)).total_bytes();
  train(options, parts, true, listener);
  ASSERT_EQ(listener.warnings.size(), 1U);
  EXPECT_THAT(listener.warnings[0], testing::HasSubstr("predicted in tiles"));
}

TEST(Train, RemovesWhatAKilledRunLeftOfACheckpoint) {
  TemporaryFolder folder;
  const TrainingOptions options = small_options(folder.path("run"), "naive");
  write_bytes(folder.path("run/last.safetensors.4711.part"), "half");
  write_bytes(folder.path("run/notes.4711.part"), "not ours");
  Listener listener(1);
  train(options, parts_of(options), false, listener);
  EXPECT_FALSE(std::filesystem::exists(folder.path("run/last.safetensors.4711.part")));
  EXPECT_TRUE(std::filesystem::exists(folder.path("run/notes.4711.part")));
}

TEST(Train, StopsEarlyWithoutABetterValidationLoss) {
  TemporaryFolder folder;
  // No epoch is better than the first.
  const NeverUpdating backend;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.backend = &backend;
  options.epochs = 50;
  options.patience = 2;
  const SubjectParts parts = parts_of(options);
  Listener listener;
  const TrainingResult result = train(options, parts, false, listener);
  EXPECT_EQ(result.end, TrainingEnd::early_stop);
  EXPECT_EQ(result.epochs.size(), 3U);
  EXPECT_EQ(result.best_epoch, 1);
  EXPECT_EQ(result.test.size(), 1U);
  // Resumed, it stays where it is.
  Listener nothing;
  EXPECT_EQ(train(options, parts, true, nothing).end, TrainingEnd::early_stop);
  EXPECT_TRUE(nothing.losses.empty());
}

TEST(HostMemory, CountsWhatIsReadAheadAndGrowsWithIt) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  const SubjectParts parts = parts_of(options);
  const auto memory_of = [&] {
    return host_memory(options,
                       lower(unet3d(options.network), options.batch, options.image, Mode::training),
                       parts);
  };
  const HostMemory before = memory_of();
  // Two readers, three ahead and one in use; image and target in float32.
  EXPECT_EQ(before.batches, std::int64_t{2 + 3 + 1} * 4 * 16 * 16 * 16 * 2 * 4);
  EXPECT_GT(before.images, std::int64_t{2 + 3} * 32 * 32 * 32 * 5);  // and what reading takes
  options.readers = 4;
  EXPECT_GT(memory_of().batches, before.batches);
  EXPECT_GT(memory_of().images, before.images);
  options.network.filters = 4;
  EXPECT_GT(memory_of().weights, 3 * before.weights);
  EXPECT_EQ(memory_of().prediction, before.prediction);
}

TEST(HostMemory, OfAPredictionIsItsImageWhatIsGatheredAndTheWeights) {
  UnetOptions network;
  network.filters = 2;
  const Program program = lower(unet3d(network), 1, {16, 16, 16}, Mode::training);
  const auto bytes_of = [&](const Dims& dims) {
    return bytes_beside_prediction(network, program, dims);
  };
  // Values, labels, the scale's doubles, sums, their weights, the result.
  EXPECT_EQ(bytes_of({64, 64, 64}) - bytes_of({32, 64, 64}),
            std::int64_t{32} * 64 * 64 * (4 + 1 + 8 + 8 + 8 + 4));
  EXPECT_GT(bytes_of({1, 1, 1}), 1000);
}

TEST(Train, EndsWhenWeightsAreNoNumbersAndKeepsTheCheckpointBefore) {
  const NeverUpdating backend(true);
  for (const std::int64_t steps : {1, 3}) {  // found in validation, found in the next step
    TemporaryFolder folder;
    TrainingOptions options = small_options(folder.path("run"), "naive");
    options.backend = &backend;
    options.steps_per_epoch = steps;
    options.checkpoint_seconds = 1e9;
    const SubjectParts parts = parts_of(options);
    Listener listener;
    const TrainingResult result = train(options, parts, false, listener);
    EXPECT_EQ(result.end, TrainingEnd::diverged);
    EXPECT_EQ(listener.losses.size(), 1U);
    EXPECT_TRUE(result.epochs.empty());
    EXPECT_TRUE(result.test.empty());
    EXPECT_FALSE(std::filesystem::exists(last_checkpoint(options.folder)));
  }
}

// Asked to stop while it scores cases: the validation is done again, then the run goes on.
TEST(Train, HeedsAnInterruptWhileItScores) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("whole"), "naive");
  const SubjectParts parts = parts_of(options);
  Listener whole;
  const TrainingResult expected = train(options, parts, false, whole);

  options = small_options(folder.path("stopped"), "naive");
  Listener in_validation(4);
  EXPECT_EQ(train(options, parts, false, in_validation).end, TrainingEnd::interrupted);
  EXPECT_EQ(in_validation.epochs, 0);
  const Json state = read_checkpoint_state(last_checkpoint(options.folder));
  EXPECT_EQ(state["position"]["step"], 4);
  Listener in_test(8 - 4, 2);  // after both epochs
  const TrainingResult untested = train(options, parts, true, in_test);
  EXPECT_EQ(untested.end, TrainingEnd::interrupted);
  EXPECT_EQ(untested.epochs.size(), 2U);
  EXPECT_TRUE(untested.test.empty());
  Listener rest;
  const TrainingResult found = train(options, parts, true, rest);
  EXPECT_TRUE(rest.losses.empty());
  EXPECT_EQ(found.end, TrainingEnd::done);
  ASSERT_EQ(found.epochs.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(found.epochs[i].step_losses, expected.epochs[i].step_losses);
    EXPECT_EQ(to_json(*found.epochs[i].validation), to_json(*expected.epochs[i].validation));
  }
  ASSERT_EQ(found.test.size(), 1U);
  EXPECT_EQ(to_json(found.test[0].scores), to_json(expected.test[0].scores));
}

// Every subject comes 0.1 s after the step before it was made, so that each step waits about that.
TEST(Train, CountsTheTimeThatItWaitsForBatches) {
  constexpr double kDelaySeconds = 0.1;
  constexpr int kSteps = 8;
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.batch = 1;
  options.epochs = 1;
  options.steps_per_epoch = kSteps;
  options.readers = 1;
  SubjectParts parts = parts_of(options);
  parts.validation.count = 0;
  parts.test.count = 0;

  struct Gate : TrainingObserver {
    void forecast(const Forecast&) override { allow(2); }
    void step(int, std::int64_t step, std::int64_t, double, double) override {
      allow(static_cast<int>(step) + 2);
    }
    void allow(int count) {
      const std::lock_guard lock(mutex);
      allowed = count;
      changed.notify_all();
    }
    std::mutex mutex;
    std::condition_variable changed;
    int allowed = 1;  // the forecast's own batch
    int made = 0;
  } gate;
  const auto load = parts.training.load;
  parts.training.load = [&](std::size_t subject, std::int64_t channels) {
    {
      std::unique_lock lock(gate.mutex);
      gate.changed.wait(lock, [&] { return gate.made < gate.allowed; });
      ++gate.made;
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(kDelaySeconds));
    return load(subject, channels);
  };
  const TrainingResult result = train(options, parts, false, gate);
  const EpochRecord& epoch = result.epochs.at(0);
  // A quarter: the first was counted before the epoch, and steps may come late to their batch.
  EXPECT_GT(epoch.waiting_seconds, kDelaySeconds * kSteps / 4);
  EXPECT_LE(epoch.waiting_seconds, epoch.seconds);
  EXPECT_GT(epoch.waiting_share(), 0);
}

TEST(Train, CountsTheTimeThatValidationWaitsForImages) {
  constexpr double kDelaySeconds = 0.5;
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.epochs = 1;
  SubjectParts parts = parts_of(options);
  const auto load = parts.validation.load;
  parts.validation.load = [&](std::size_t subject, std::int64_t channels) {
    std::this_thread::sleep_for(std::chrono::duration<double>(kDelaySeconds));
    return load(subject, channels);
  };
  Listener listener;
  const EpochRecord epoch = train(options, parts, false, listener).epochs.at(0);
  EXPECT_GT(epoch.validation_waiting_seconds, kDelaySeconds / 2);
  EXPECT_LE(epoch.validation_waiting_seconds, epoch.validation_seconds);
}

// Ways to train that are options of the same loop: each learns, resumes bit by bit, and is scored.
struct Variant {
  std::string name;
  std::string backend = "naive";
  std::int64_t classes = 1;
  bool tile = false;
  std::int64_t downsample = 1;
  Precision precision = Precision::fp32;
};

class EveryVariant : public testing::TestWithParam<Variant> {};

TEST_P(EveryVariant, LearnsResumesAndIsScored) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("whole"), GetParam().backend);
  if (options.backend == nullptr) {
    GTEST_SKIP() << GetParam().backend << " is not built";
  }
  options.network.classes = GetParam().classes;
  options.tile = GetParam().tile;
  options.downsample = GetParam().downsample;
  options.precision = GetParam().precision;
  options.network.filters = 4;
  options.epochs = 3;
  const SubjectParts parts = parts_of(options);
  Listener whole;
  TrainingResult expected;
  try {
    expected = train(options, parts, false, whole);
  } catch (const Error& error) {
    if (error.code() != ExitCode::cannot_here) {
      throw;
    }
    GTEST_SKIP() << error.what();  // no bf16 on this CPU
  }
  EXPECT_LT(expected.epochs.back().training.loss, expected.epochs.front().training.loss);
  ASSERT_EQ(expected.test.size(), 1U);
  const Scores& scores = expected.test[0].scores;
  EXPECT_EQ(scores.hard_dice.size(), static_cast<std::size_t>(GetParam().classes));
  EXPECT_EQ(expected.test[0].dims, (Dims{32, 32, 32}));  // scored at full resolution
  EXPECT_FALSE(expected.prediction_tiled);               // nobody lacked memory

  options.folder = folder.path("stopped");
  std::filesystem::create_directories(options.folder);
  Listener before(6);
  EXPECT_EQ(train(options, parts, false, before).end, TrainingEnd::interrupted);
  Listener after;
  const TrainingResult resumed = train(options, parts, true, after);
  std::vector<double> losses = before.losses;
  losses.insert(losses.end(), after.losses.begin(), after.losses.end());
  EXPECT_EQ(losses, whole.losses);
  EXPECT_EQ(to_json(resumed.test.at(0).scores), to_json(scores));
}

INSTANTIATE_TEST_SUITE_P(Variants, EveryVariant,
                         testing::Values(Variant{"classes", "naive", 3},
                                         Variant{"tile", "naive", 1, true},
                                         Variant{"downsample", "naive", 1, false, 2},
                                         Variant{"bf16", "onednn", 1, false, 1, Precision::bf16}),
                         [](const auto& variant) { return variant.param.name; });

TEST(DataLines, NameTheLabelsThatDiceValuesStandFor) {
  const DataFacts facts{"nnunet", "a", "b", {"background", "edema", "core"}, {"a note"}};
  EXPECT_EQ(
      data_lines(facts, 2),
      (std::vector<std::string>{"a note", "labels, in the order of the Dice values: edema, core"}));
  EXPECT_EQ(data_lines(facts, 1), std::vector<std::string>{"a note"});  // one, of all labels
}

TEST(Train, RefusesWhatDoesNotFitIntoTheMemory) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.memory_bytes = 100000;
  Listener listener;
  try {
    train(options, parts_of(options), false, listener);
    FAIL() << "trained in 100 kB";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::cannot_here);
  }
}

// The first 20 steps of training, new data at every step, against naive in double. The tolerance of
// verify.h grows per step, because Adam amplifies the sign of rounding noise, and is wide after 20:
// a fixed one stands beside it.
class FirstSteps : public EveryBackend {};

TEST_P(FirstSteps, HaveTheLossesOfTheReference) {
  constexpr int kSteps = 20;
  constexpr double kMostSeen = 0.01;
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("reference"), "naive");
  options.network.filters = 4;
  options.batch = 2;
  options.epochs = 1;
  options.steps_per_epoch = kSteps;
  options.precision = Precision::fp64;
  const SubjectParts parts = parts_of(options);
  Listener reference;
  train(options, parts, false, reference);

  options.folder = folder.path("own");
  std::filesystem::create_directories(options.folder);
  options.backend = backend_or_null(GetParam());
  options.precision = Precision::fp32;
  Listener own;
  train(options, parts, false, own);
  ASSERT_EQ(own.losses.size(), static_cast<std::size_t>(kSteps));
  const Verification checked = check_losses(own.losses, reference.losses, options.precision);
  EXPECT_TRUE(checked.passed()) << checked.worst().tensor << ": " << checked.worst().error;
  for (std::size_t i = 0; i < own.losses.size(); ++i) {
    EXPECT_NEAR(own.losses[i], reference.losses[i], kMostSeen) << "step " << i;
  }
  EXPECT_LT(own.losses.back(), own.losses.front());
}

INSTANTIATE_TEST_SUITE_P(Backends, FirstSteps, testing::Values("naive", "eigen", "onednn"),
                         [](const auto& backend) { return backend.param; });

}  // namespace
}  // namespace voxmark
