// voxmark train and predict from outside, on drawn heads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "results/training_report.h"
#include "tools/tests/command.h"
#include "workloads/nifti.h"
#include "workloads/phantom.h"
#include "workloads/test_files.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

std::vector<std::string> small_run(const std::string& data, const std::string& out) {
  return {"train", "--data",   data, "--image",   "16",    "--filters", "2", "--batch",
          "4",     "--epochs", "2",  "--backend", "naive", "--out",     out};
}

TEST(Train, WritesReportTableAndCheckpointsAndPredictsInPlace) {
  TemporaryFolder folder;
  PhantomOptions phantom;
  phantom.subjects = 16;
  phantom.dims = {20, 18, 16};
  write_phantom_dataset(folder.path("data"), phantom);
  const CommandResult trained = run_voxmark(small_run(folder.path("data"), folder.path("run")));
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("predicted: "));
  EXPECT_THAT(trained.out, HasSubstr("done after 2 epochs"));

  const Json report = read_training_report(folder.path("run/training.json"));
  EXPECT_EQ(report["end"], "done");
  ASSERT_EQ(report["epochs"].size(), 2U);
  EXPECT_EQ(report["epochs"][1]["images"], 16);
  EXPECT_EQ(report["cases"], Json({{"training", 14}, {"validation", 1}, {"test", 1}}));
  ASSERT_EQ(report["test"]["cases"].size(), 1U);
  EXPECT_EQ(read_bytes(folder.path("run/training.csv")), epochs_csv(report));

  const CommandResult predicted =
      run_voxmark({"predict", folder.path("run/best.safetensors"), "--data", folder.path("data"),
                   "--backend", "naive", "--out", folder.path("labels"), "--overlays", "--json"});
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  const Json predictions = predicted.json()["predictions"];
  ASSERT_EQ(predictions.size(), 1U);
  // What training said of the same case with the same weights.
  EXPECT_EQ(predictions[0]["scores"], report["test"]["cases"][0]["scores"]);
  const NiftiImage labels = read_nifti(predictions[0]["prediction"].get<std::string>());
  const NiftiImage scan = read_nifti(predictions[0]["image"].get<std::string>(), 1);
  EXPECT_EQ(labels.header.shape, (std::vector<std::int64_t>{20, 18, 16}));
  EXPECT_EQ(labels.header.affine, scan.header.affine);
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("labels"))) {
    pictures += entry.path().extension() == ".png" ? 1 : 0;
  }
  EXPECT_EQ(pictures, 1);
}

TEST(Train, GoesOnWithMoreEpochsAndRefusesToOverwrite) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:16", folder.path("run"));
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const CommandResult again = run_voxmark(arguments);
  EXPECT_EQ(again.status, 64);
  EXPECT_THAT(again.err, HasSubstr("--resume"));
  arguments.insert(arguments.end(), {"--resume", "--epochs", "3"});
  arguments.erase(arguments.begin() + 9, arguments.begin() + 11);  // the first --epochs
  const CommandResult resumed = run_voxmark(arguments);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  const Json report = read_training_report(folder.path("run/training.json"));
  EXPECT_EQ(report["epochs"].size(), 3U);
}

TEST(Train, NamesTheFlagThatDoesNotMakeSense) {
  const auto refusal = [](const std::vector<std::string>& more, const std::string& data) {
    std::vector<std::string> arguments = {"train", "--data", data, "--out", "/dev/null/run"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandResult result = run_voxmark(arguments);
    EXPECT_EQ(result.status, 64) << result.err;
    return result.err;
  };
  EXPECT_THAT(refusal({"--image", "20"}, "phantom:4"), HasSubstr("--image 20"));
  EXPECT_THAT(refusal({"--epochs", "0"}, "phantom:4"), HasSubstr("--epochs 0"));
  EXPECT_THAT(refusal({"--backend", "null"}, "phantom:4"), HasSubstr("cannot learn"));
  EXPECT_THAT(refusal({"--threads", "100000"}, "phantom:4"), HasSubstr("--threads 100000"));
  EXPECT_THAT(refusal({}, "phantom:none"), HasSubstr("phantom:none"));
  EXPECT_THAT(refusal({}, "phantom:4"), HasSubstr("--out /dev/null/run"));
}

}  // namespace
}  // namespace voxmark
