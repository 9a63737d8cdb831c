#include "training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "backends/naive/naive.h"
#include "backends/registry.h"
#include "backends/verify.h"
#include "training/checkpoint.h"
#include "training/data.h"
#include "training/predictor.h"
#include "workloads/test_files.h"

namespace voxmark {
namespace {

// Remembers every loss; stops before step `stop_before` of the process, when that is set.
class Listener : public TrainingObserver {
 public:
  explicit Listener(int stop_before = -1) : stop_before_(stop_before) {}
  void step(int, std::int64_t, std::int64_t, double loss, double) override {
    losses.push_back(loss);
  }
  void epoch(const TrainingResult&, double) override { ++epochs; }
  bool stop() override { return static_cast<int>(losses.size()) == stop_before_; }

  std::vector<double> losses;
  int epochs = 0;

 private:
  int stop_before_;
};

// naive, but no update changes anything: it cannot get better.
class NeverUpdating : public Backend {
 public:
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
      explicit Still(std::unique_ptr<Executable> inner) : inner_(std::move(inner)) {}
      void set(TensorId id, std::span<const double> values) override { inner_->set(id, values); }
      void read(TensorId id, std::span<double> values) const override { inner_->read(id, values); }
      void load(const Batch& batch) override { inner_->load(batch); }
      StepResult run(StageObserver* observer) override { return inner_->run(observer); }
      void update() override {}
      std::span<const Stage> stages() const override { return inner_->stages(); }
      const MemoryPlan& plan() const override { return inner_->plan(); }

     private:
      std::unique_ptr<Executable> inner_;
    };
    return std::make_unique<Still>(naive_backend().compile(program, options));
  }
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
    if (backend_or_null(GetParam()) == nullptr) GTEST_SKIP() << GetParam() << " is not built";
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

  // Stopped within the first epoch, after it, and within the second.
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

TEST(Train, KilledAtAnyMomentLeavesACheckpointToGoOnFrom) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("whole"), "naive");
  options.checkpoint_seconds = 0;  // after every step
  const SubjectParts parts = parts_of(options);
  Listener whole;
  train(options, parts, false, whole);

  options.folder = folder.path("killed");
  std::filesystem::create_directories(options.folder);
  const pid_t child = fork();
  if (child == 0) {
    class Suicidal : public TrainingObserver {
      void step(int, std::int64_t step, std::int64_t, double, double) override {
        if (step == 3) raise(SIGKILL);  // before that step's checkpoint
      }
    } suicidal;
    options.threads = 1;  // OpenMP's threads do not survive a fork
    omp_set_num_threads(1);
    train(options, parts, false, suicidal);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const Json state = read_checkpoint_state(last_checkpoint(options.folder));
  EXPECT_EQ(state["position"]["step"], 2);
  Listener after;
  train(options, parts, true, after);
  EXPECT_EQ(after.losses.size(), 6U);
}

TEST(Train, AFullDiskLeavesTheLastGoodCheckpoint) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  const SubjectParts parts = parts_of(options);
  Listener first(4);
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
  EXPECT_EQ(second.losses.size(), 4U);
  EXPECT_EQ(read_bytes(last_checkpoint(options.folder)), before);
  Listener third;
  train(options, parts, true, third);
  EXPECT_EQ(third.losses, second.losses);
}

TEST(Train, RefusesToResumeAnotherRun) {
  TemporaryFolder folder;
  TrainingOptions options = small_options(folder.path("run"), "naive");
  options.epochs = 1;
  const SubjectParts parts = parts_of(options);
  Listener listener;
  train(options, parts, false, listener);
  options.batch = 2;
  const std::string refusal = refusal_of([&] { train(options, parts, true, listener); });
  EXPECT_THAT(refusal, testing::HasSubstr("batch 4, expected 2"));
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
