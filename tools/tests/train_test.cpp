// voxmark train and predict from outside, on drawn heads.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "results/training_report.h"
#include "tools/tests/command.h"
#include "workloads/data_sets/data_set.h"
#include "workloads/data_sets/phantom.h"
#include "workloads/images/nifti.h"
#include "workloads/images/nifti_writer.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

using testing::HasSubstr;
using testing::Not;

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
  // What nobody asked for, before the first epoch.
  for (const char* said : {"channels: the first of 4 is read (", "labels: 1 to 3 are one class",
                           "windows: 16x16x16 of an image of 20x18x16, near its middle",
                           "spacing: not used", "warning: this run is too short for scores"}) {
    EXPECT_LT(trained.err.find(said), trained.err.find("predicted: ")) << said;
  }
  EXPECT_THAT(trained.out, HasSubstr("% of the moving statistics is still their start)"));
  EXPECT_THAT(trained.out, HasSubstr(" (best)"));

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
  const Json& tested = report["test"]["cases"][0];
  EXPECT_EQ(predictions[0]["scores"], tested["scores"]);
  EXPECT_EQ(predictions[0]["case"], tested["name"]);
  EXPECT_THAT(tested["name"].get<std::string>(), testing::StartsWith("imagesTr/PHANTOM_"));
  EXPECT_EQ(predictions[0]["prediction"],
            folder.path("labels/" + tested["file"].get<std::string>() + "_prediction.nii.gz"));
  const NiftiImage labels = read_nifti(predictions[0]["prediction"].get<std::string>());
  const NiftiImage scan = read_nifti(predictions[0]["image"].get<std::string>(), 1);
  EXPECT_EQ(labels.header.shape, (std::vector<std::int64_t>{20, 18, 16}));
  EXPECT_EQ(labels.header.affine, scan.header.affine);
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("labels"))) {
    pictures += entry.path().extension() == ".png" ? 1 : 0;
  }
  EXPECT_EQ(pictures, 1);
  EXPECT_THAT(predicted.err, HasSubstr("channels: the first of 4 is read ("));
  EXPECT_THAT(predicted.err, HasSubstr("labels: 1 to 3 are one class"));
  const Json mean = predicted.json()["mean"];
  EXPECT_EQ(mean, report["test"]["mean"]);
}

TEST(Predict, ScoresEveryCaseOfOtherData) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:11", folder.path("run"));
  arguments.insert(arguments.end(), {"--classes", "3", "--steps", "1"});
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const std::string best = folder.path("run/best.safetensors");
  const CommandResult predicted =
      run_voxmark({"predict", best, "--data", "phantom:5:18x16x20", "--part", "all", "--backend",
                   "naive", "--out", folder.path("labels"), "--overlays", "--json"});
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  const Json result = predicted.json();
  ASSERT_EQ(result["predictions"].size(), 5U);
  ASSERT_EQ(result["mean"]["hard_dice"].size(), 3U);
  double sum = 0;
  for (const Json& one : result["predictions"]) {
    sum += one["scores"]["whole_dice"].get<double>();
  }
  EXPECT_NEAR(result["mean"]["whole_dice"].get<double>(), sum / 5, 1e-12);
  const NiftiImage labels = read_nifti(folder.path("labels/phantom_3_prediction.nii.gz"));
  EXPECT_EQ(labels.header.shape, (std::vector<std::int64_t>{18, 16, 20}));
  const Affine affine = phantom_affine({18, 16, 20});
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      EXPECT_NEAR(labels.header.affine[row][column], affine[row][column], 1e-5);  // float32
    }
  }
  EXPECT_TRUE(std::filesystem::exists(folder.path("labels/phantom_3_overlay.png")));

  const CommandResult unknown =
      run_voxmark({"predict", best, "--data", "phantom:5", "--part", "some"});
  EXPECT_EQ(unknown.status, 64);
  EXPECT_THAT(unknown.err, HasSubstr("training, validation, test or all"));
}

// A data set that has every image under the same name, in a folder per case.
void write_folder_per_case(const std::string& path, std::size_t cases, const Dims& dims) {
  PhantomOptions phantom;
  phantom.subjects = cases;
  phantom.dims = dims;
  write_phantom_dataset(path, phantom);
  Json document = read_json_file(path + "/dataset.json");
  for (std::size_t i = 0; i < cases; ++i) {
    const std::string own = fmt::format("case_{:02}", i);
    std::filesystem::create_directory(path + "/" + own);
    Json& entry = document["training"][i];
    for (const auto& [key, name] :
         {std::pair("image", "/imaging.nii.gz"), std::pair("label", "/segmentation.nii.gz")}) {
      std::filesystem::rename(path + "/" + entry[key].get<std::string>(), path + "/" + own + name);
      entry[key] = "./" + own + name;
    }
  }
  write_bytes(path + "/dataset.json", dump_json(document));
}

TEST(Predict, WritesEveryCaseOfAFolderPerCase) {
  TemporaryFolder folder;
  write_folder_per_case(folder.path("data"), 24, {16, 16, 16});
  ASSERT_EQ(run_voxmark(small_run(folder.path("data"), folder.path("run"))).status, 0);
  std::set<std::string> tested;
  const Json report = read_training_report(folder.path("run/training.json"));
  for (const Json& one : report["test"]["cases"]) {
    tested.insert(one["name"].get<std::string>());
  }
  EXPECT_EQ(tested.size(), 2U);

  const std::vector<std::string> arguments = {"predict",
                                              folder.path("run/best.safetensors"),
                                              "--data",
                                              folder.path("data"),
                                              "--part",
                                              "all",
                                              "--backend",
                                              "naive",
                                              "--overlays",
                                              "--out",
                                              folder.path("labels")};
  const CommandResult predicted = run_voxmark(arguments);
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  for (int i = 0; i < 24; ++i) {
    const std::string stem = folder.path(fmt::format("labels/case_{:02}_imaging", i));
    EXPECT_TRUE(std::filesystem::exists(stem + "_prediction.nii.gz")) << stem;
    EXPECT_TRUE(std::filesystem::exists(stem + "_overlay.png")) << stem;
    EXPECT_THAT(predicted.out, HasSubstr(fmt::format("case_{:02}/imaging.nii.gz: {}", i, stem)));
  }
  for (const std::string& name : tested) {
    EXPECT_THAT(predicted.out, HasSubstr(name + ": "));
  }

  // Of other images of these names nothing would be left.
  const CommandResult again = run_voxmark(arguments);
  EXPECT_EQ(again.status, 64);
  EXPECT_EQ(again.out, "");
  EXPECT_THAT(again.err, HasSubstr("_prediction.nii.gz is there already"));
  const CommandResult one =
      run_voxmark({"predict", folder.path("run/best.safetensors"), "--backend", "naive", "--image",
                   folder.path("data/case_03/imaging.nii.gz"), "--out", folder.path("one")});
  ASSERT_EQ(one.status, 0) << one.err;
  const CommandResult other =
      run_voxmark({"predict", folder.path("run/best.safetensors"), "--backend", "naive", "--image",
                   folder.path("data/case_04/imaging.nii.gz"), "--out", folder.path("one")});
  EXPECT_EQ(other.status, 64);
  EXPECT_THAT(other.err, HasSubstr("--overwrite"));
}

TEST(Predict, LabelsImagesThatHaveNoLabels) {
  TemporaryFolder folder;
  write_folder_per_case(folder.path("data"), 4, {16, 16, 16});
  ASSERT_EQ(run_voxmark(small_run(folder.path("data"), folder.path("run"))).status, 0);
  const std::string best = folder.path("run/best.safetensors");
  const std::string first = folder.path("data/case_00/imaging.nii.gz");
  const std::string second = folder.path("data/case_01/imaging.nii.gz");
  // As a data set they are refused before anything is written, with the way to go.
  std::filesystem::create_directories(folder.path("scans/imagesTs"));
  std::filesystem::copy_file(first, folder.path("scans/imagesTs/a.nii.gz"));
  const CommandResult refused = run_voxmark({"predict", best, "--data", folder.path("scans"),
                                             "--part", "all", "--out", folder.path("none")});
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("voxmark predict " + best + " --image " +
                                     folder.path("scans/imagesTs/*.nii.gz")));
  EXPECT_FALSE(std::filesystem::exists(folder.path("none")));
  // Words of a shell, and of each ending.
  std::filesystem::rename(folder.path("scans/imagesTs"), folder.path("my scans"));
  std::filesystem::copy_file(folder.path("my scans/a.nii.gz"), folder.path("my scans/b.nii"));
  EXPECT_THAT(
      run_voxmark({"predict", best, "--data", folder.path("my scans"), "--part", "all"}).err,
      HasSubstr("voxmark predict " + best + " --image '" + folder.path("my scans/'*.nii.gz '") +
                folder.path("my scans/'*.nii\n")));
  // Where --image would not help, there is no such way.
  const auto is_told = [&](const std::string& data) {
    const CommandResult result =
        run_voxmark({"predict", best, "--data", folder.path(data), "--part", "all"});
    EXPECT_EQ(result.status, 64) << result.err;
    return result.err.find("predicted by their names") != std::string::npos;
  };
  EXPECT_TRUE(is_told("my scans"));
  std::filesystem::create_directory(folder.path("empty"));
  EXPECT_FALSE(is_told("empty"));
  EXPECT_FALSE(is_told("absent"));
  EXPECT_FALSE(is_told("data/case_00")) << "it has labels";
  write_bytes(folder.path("empty/a.nii.gz"), "no image");
  EXPECT_FALSE(is_told("empty"));

  const CommandResult predicted =
      run_voxmark({"predict", best, "--backend", "naive", "--json", "--out", folder.path("labels"),
                   "--image", first, folder.path("absent.nii.gz"), second});
  EXPECT_EQ(predicted.status, 64) << predicted.err;
  const std::string defaults = "channels: the first of 4 is read";
  EXPECT_THAT(predicted.err, HasSubstr(defaults));
  EXPECT_EQ(predicted.err.find(defaults), predicted.err.rfind(defaults)) << "of two images, once";
  const Json result = predicted.json();
  ASSERT_EQ(result["predictions"].size(), 2U);
  EXPECT_TRUE(result["predictions"][1]["scores"].is_null());
  EXPECT_NE(result["predictions"][0]["prediction"], result["predictions"][1]["prediction"]);
  for (const Json& one : result["predictions"]) {
    EXPECT_TRUE(std::filesystem::exists(one["prediction"].get<std::string>()));
  }
  ASSERT_EQ(result["failures"].size(), 1U);
  EXPECT_EQ(result["failures"][0]["case"], folder.path("absent.nii.gz"));
  const CommandResult twice =
      run_voxmark({"predict", best, "--image", first, first, "--out", folder.path("twice")});
  EXPECT_EQ(twice.status, 64);
  EXPECT_THAT(twice.err, HasSubstr("named twice"));
}

TEST(Train, ThePresetSaysWhatItTakesAndGoesOnByItself) {
  TemporaryFolder folder;
  const CommandResult large = run_voxmark(
      {"train", "--data", "phantom:484:240x240x155", "--preset", "whitepaper", "--filters", "1",
       "--backend", "naive", "--memory-limit", "2GiB", "--out", folder.path("paper")});
  EXPECT_EQ(large.status, 5) << large.err;  // refused before anything is made
  EXPECT_THAT(large.err, HasSubstr("16 image(s) of 240x240x144"));
  EXPECT_THAT(large.err, HasSubstr("of 2.00 GiB: does not fit, "));
  EXPECT_THAT(large.err, HasSubstr(" are missing: step "));
  EXPECT_FALSE(std::filesystem::exists(folder.path("paper")));

  std::vector<std::string> arguments = small_run("phantom:16", folder.path("run"));
  arguments.insert(arguments.end(), {"--preset", "whitepaper"});
  const CommandResult first = run_voxmark(arguments);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.err,
              testing::ContainsRegex("estimated from a small step( on a busy machine)?: "));
  EXPECT_THAT(first.err, HasSubstr(": fits, "));
  EXPECT_THAT(first.err, HasSubstr(" to spare: step "));
  const CommandResult again = run_voxmark(arguments);
  ASSERT_EQ(again.status, 0) << again.err;
  const Json report = read_training_report(folder.path("run/training.json"));
  EXPECT_EQ(report["options"]["preset"], "whitepaper");
  EXPECT_EQ(report["options"]["image"], Json({16, 16, 16}));  // a flag that is given stands
  EXPECT_EQ(report["data"]["kind"], "phantom");
  EXPECT_EQ(report["data"]["labels"][3], "enhancing tumour");
  EXPECT_EQ(report["epochs"].size(), 2U);
}

TEST(Train, KeepsToTheMemoryLimit) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:16", folder.path("run"));
  arguments.insert(arguments.end(), {"--memory-limit", "1MiB"});
  const CommandResult small = run_voxmark(arguments);
  EXPECT_EQ(small.status, 5);
  EXPECT_THAT(small.err, HasSubstr("for batches, images and predictions"));
  arguments.back() = "64MiB";
  arguments.emplace_back("--dry-run");
  const CommandResult enough = run_voxmark(arguments);
  EXPECT_EQ(enough.status, 0) << enough.err;
}

TEST(Train, ADryRunRefusesWhatARunWould) {
  TemporaryFolder folder;
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"--classes", "4"}, {"--channels", "9"}}) {
    std::vector<std::string> arguments = small_run("phantom:16", folder.path("run"));
    arguments.emplace_back("--dry-run");
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(run_voxmark(arguments).status, 64) << wrong.front();
  }
  EXPECT_EQ(run_voxmark({"tricks", "--data", "phantom:11", "--image", "32", "--dry-run",
                         "--backend", "naive", "--precision", "bf16"})
                .status,
            5);
}

TEST(Tricks, CompareAtEqualVoxelsAndGoOnWhereTheyWereStopped) {
  TemporaryFolder folder;
  const std::vector<std::string> arguments = {
      "tricks",  "--data", "phantom:11",         "--image", "32",      "--filters", "1",
      "--batch", "3",      "--epochs",           "1",       "--seeds", "2",         "--backend",
      "naive",   "--out",  folder.path("tricks")};
  const CommandResult first = run_voxmark(arguments);
  ASSERT_EQ(first.status, 0) << first.err;
  const Json results = read_json_file(folder.path("tricks/tricks.json"));
  ASSERT_EQ(results["tricks"].size(), 5U);  // one filter cannot become fewer
  EXPECT_EQ(results["data"], "phantom:11:32x32x32");
  const std::string warning = results["warning"];  // an epoch of few steps
  EXPECT_THAT(first.err, HasSubstr("warning: " + warning + "\n"));
  std::ostringstream table;
  table << std::ifstream(folder.path("tricks/tricks.md")).rdbuf();
  EXPECT_THAT(table.str(), HasSubstr(warning));
  for (const Json& trick : results["tricks"]) {
    ASSERT_EQ(trick["runs"].size(), 2U);
    EXPECT_NE(trick["runs"][0]["test_dice"], trick["runs"][1]["test_dice"]) << trick["trick"];
    EXPECT_EQ(trick["runs"][0]["test_cases"], 1);
    EXPECT_THAT(first.out, HasSubstr(trick["trick"].get<std::string>()));
  }
  // The same images, split alike, in every run.
  std::set<std::string> data;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("tricks"))) {
    if (!entry.is_directory()) {
      continue;
    }
    const Json report = read_training_report((entry.path() / "training.json").string());
    data.insert(report["data"]["identity"].get<std::string>() +
                report["test"]["cases"][0]["name"].get<std::string>());
  }
  EXPECT_EQ(data.size(), 1U);

  // One run lost its test, as if it had been stopped: it alone is done again.
  std::filesystem::remove(folder.path("tricks/tiles_seed2/training.json"));
  const CommandResult second = run_voxmark(arguments);
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("tiles, seed 2: "));
  EXPECT_THAT(second.err, testing::Not(HasSubstr("seed 1: ")));
  const auto dice_of = [](const Json& all) {
    Json dice;
    for (const Json& trick : all["tricks"]) {
      for (const Json& run : trick["runs"]) {
        dice.push_back(run["test_dice"]);
      }
    }
    return dice;
  };
  EXPECT_EQ(dice_of(read_json_file(folder.path("tricks/tricks.json"))), dice_of(results));

  std::vector<std::string> other = arguments;
  other.insert(other.end(), {"--memory-limit", "1GiB"});
  EXPECT_THAT(run_voxmark(other).err, HasSubstr("memory_limit_bytes null, expected 1073741824"));
  other = arguments;
  other[4] = "48";  // the image
  const CommandResult refused = run_voxmark(other);
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("expected"));
}

TEST(Tricks, ShowARunThatDivergedAndDoNotRepeatIt) {
  TemporaryFolder folder;
  const std::vector<std::string> arguments = {
      "tricks",  "--data", "phantom:11",         "--image", "16",      "--filters", "1",
      "--batch", "1",      "--epochs",           "1",       "--seeds", "2",         "--backend",
      "naive",   "--out",  folder.path("tricks")};
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const std::string path = folder.path("tricks/full_images_seed2/training.json");
  Json report = read_training_report(path);
  report["end"] = "diverged";
  report["test"] = nullptr;
  write_training_report(path, report);
  const CommandResult again = run_voxmark(arguments);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, Not(HasSubstr("seed 2")));
  EXPECT_THAT(again.out, HasSubstr(", 1 diverged"));
  const Json runs = read_json_file(folder.path("tricks/tricks.json"))["tricks"][0]["runs"];
  EXPECT_FALSE(runs[0]["test_dice"].is_null());
  EXPECT_TRUE(runs[1]["test_dice"].is_null());
}

TEST(Tricks, RefuseDataThatLeavesNothingForTheTest) {
  const CommandResult refused = run_voxmark({"tricks", "--data", "phantom:10", "--image", "32"});
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("leave none for the test"));
}

TEST(Train, GoesOnWithMoreEpochsAndRefusesToOverwrite) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:16", folder.path("run"));
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const CommandResult again = run_voxmark(arguments);
  EXPECT_EQ(again.status, 64);
  EXPECT_THAT(again.err, HasSubstr("--resume"));
  const Json before = read_training_report(folder.path("run/training.json"));
  arguments.insert(arguments.end(), {"--resume", "--epochs", "3"});
  arguments.erase(arguments.begin() + 9, arguments.begin() + 11);  // the first --epochs
  const CommandResult resumed = run_voxmark(arguments);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  const Json report = read_training_report(folder.path("run/training.json"));
  EXPECT_EQ(report["epochs"].size(), 3U);
  // What was predicted first.
  EXPECT_EQ(report["forecast"]["step_seconds"], before["forecast"]["step_seconds"]);
  EXPECT_GT(report["forecast"]["total_seconds"], before["forecast"]["total_seconds"]);
  EXPECT_GT(report["memory"]["peak_bytes"], 0);
  const Json by = report["epochs"][2]["computed_by"];
  ASSERT_EQ(by.size(), 1U);
  EXPECT_EQ(by[0]["binary_sha256"], report["voxmark"]["binary_sha256"]);
}

TEST(Train, FindsABrokenFileBeforeAnythingIsComputed) {
  TemporaryFolder folder;
  PhantomOptions phantom;
  phantom.subjects = 16;
  phantom.dims = {16, 16, 16};
  write_phantom_dataset(folder.path("data"), phantom);
  // The one of the test, which is needed at the end.
  const std::size_t last = split_cases(phantom.subjects, 1).test.front();
  const std::string broken = fmt::format("PHANTOM_{:03}.nii.gz", last);
  const std::string path = folder.path("data/imagesTr/" + broken);
  write_bytes(path, read_bytes(path).substr(0, 1000));
  const CommandResult result = run_voxmark(small_run(folder.path("data"), folder.path("run")));
  EXPECT_EQ(result.status, 64);
  EXPECT_THAT(result.err, HasSubstr(broken));
  EXPECT_THAT(result.err, HasSubstr("cut short"));
  EXPECT_THAT(result.err, Not(HasSubstr("predicted: ")));
}

TEST(Predict, CutsIntoTilesWhatDoesNotFitBesideItsImage) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:4", folder.path("run"));
  arguments.insert(arguments.end(), {"--steps", "1"});
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const auto is_tiled = [&](const char* limit) {
    const CommandResult result =
        run_voxmark({"predict", folder.path("run/best.safetensors"), "--data", "phantom:1:64x64x64",
                     "--part", "all", "--backend", "naive", "--memory-limit", limit, "--out",
                     folder.path("labels"), "--overwrite", "--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.json()["predictions"][0]["tiled_for_memory"].get<bool>();
  };
  // The plan of the whole takes less than 12 MiB; with image, sums, result and weights it is 24
  // to 28.
  EXPECT_FALSE(is_tiled("32MiB"));
  EXPECT_TRUE(is_tiled("20MiB"));
}

TEST(Predict, RefusesAPartWithoutCases) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:4", folder.path("run"));
  arguments.insert(arguments.end(), {"--steps", "1"});
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const CommandResult unvalidated = run_voxmark(small_run("phantom:4", folder.path("other")));
  EXPECT_THAT(unvalidated.err, HasSubstr("validation: no case"));
  EXPECT_THAT(unvalidated.out, HasSubstr(" (lowest training loss)"));
  EXPECT_THAT(unvalidated.out, Not(HasSubstr("(best)")));
  const CommandResult none = run_voxmark({"predict", folder.path("run/best.safetensors"), "--data",
                                          "phantom:4", "--out", folder.path("labels")});
  EXPECT_EQ(none.status, 64);
  EXPECT_THAT(none.err, HasSubstr("--part test: phantom:4 has no such case"));
}

TEST(Predict, ScoresAPartOnlyOfTheDataThatWasSplit) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:24", folder.path("run"));
  arguments.insert(arguments.end(), {"--steps", "1"});
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const auto predict = [&](const char* data, const char* part) {
    return run_voxmark({"predict", folder.path("run/best.safetensors"), "--data", data, "--part",
                        part, "--backend", "naive", "--out",
                        folder.path(std::string("labels of ") + data)});
  };
  const CommandResult refused = predict("phantom:30", "test");
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("phantom:30 is 30 of 16x16x16"));
  EXPECT_THAT(refused.err, HasSubstr("--part all"));
  EXPECT_EQ(predict("phantom:30", "all").status, 0);
  EXPECT_EQ(predict("phantom:24", "test").status, 0);
}

TEST(Predict, TellsWhatIsReadOtherwiseThanFilesSay) {
  TemporaryFolder folder;
  PhantomOptions phantom;
  phantom.dims = {16, 16, 16};
  write_phantom_dataset(folder.path("data"), phantom);
  std::vector<std::string> arguments = small_run("phantom:4", folder.path("run"));
  arguments.insert(arguments.end(), {"--steps", "1"});
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const std::vector<std::uint8_t> labels(16 * 16 * 16);
  const std::string unpacked = folder.path("label.nii");
  write_nifti(unpacked, {{16, 16, 16}, phantom_affine(phantom.dims)},
              std::span<const std::uint8_t>(labels));
  write_bytes(folder.path("data/labelsTr/PHANTOM_001.nii.gz"), read_bytes(unpacked) + "more");
  const CommandResult predicted =
      run_voxmark({"predict", folder.path("run/best.safetensors"), "--data", folder.path("data"),
                   "--part", "all", "--backend", "naive", "--out", folder.path("labels")});
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  EXPECT_THAT(predicted.err, HasSubstr("warning: "));
  EXPECT_THAT(predicted.err, HasSubstr("PHANTOM_001.nii.gz: 4 bytes follow the voxels"));
}

TEST(Train, LeavesAFolderAloneThatAnotherRunWritesTo) {
  TemporaryFolder folder;
  const std::string out = folder.path("run");
  std::filesystem::create_directory(out);
  const int descriptor = open(out.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(descriptor, LOCK_EX | LOCK_NB), 0);
  const CommandResult refused = run_voxmark(small_run("phantom:4", out));
  close(descriptor);
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("run: another run is writing to it"));
  EXPECT_TRUE(std::filesystem::is_empty(out));
}

TEST(Train, BeginsWhereThereIsNothingToResume) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:4", folder.path("run"));
  arguments.emplace_back("--resume");
  const CommandResult result = run_voxmark(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("run: nothing to resume, so the run begins"));
  EXPECT_TRUE(std::filesystem::exists(folder.path("run/training.json")));
}

// A finished run, of which only one file is left: none is overwritten without a word.
TEST(Train, OverwritesNoFileOfARunWithoutAWord) {
  TemporaryFolder folder;
  const std::string out = folder.path("run");
  const std::vector<std::string> plain = small_run("phantom:4", out);
  std::vector<std::string> resuming = plain;
  resuming.emplace_back("--resume");
  std::vector<std::string> preset = plain;
  preset.insert(preset.end(), {"--preset", "whitepaper"});
  for (const char* name : {"best.safetensors", "training.json", "training.csv", "steps.csv"}) {
    std::filesystem::remove_all(out);
    std::filesystem::create_directory(out);
    const std::string path = folder.path(std::string("run/") + name);
    write_bytes(path, "kept");
    for (const std::vector<std::string>& arguments : {plain, resuming, preset}) {
      const CommandResult refused = run_voxmark(arguments);
      EXPECT_EQ(refused.status, 64) << name;
      EXPECT_THAT(refused.err, HasSubstr(path));
      EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
      EXPECT_THAT(refused.err, HasSubstr("there is no last.safetensors"));
      EXPECT_EQ(read_bytes(path), "kept");
    }
  }
  std::vector<std::string> anew = plain;
  anew.emplace_back("--overwrite");
  ASSERT_EQ(run_voxmark(anew).status, 0);
  const std::string first = read_bytes(folder.path("run/training.csv"));
  const CommandResult refused = run_voxmark(plain);
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("--resume goes on with the run"));
  anew.insert(anew.end(), {"--seed", "2"});
  ASSERT_EQ(run_voxmark(anew).status, 0);
  EXPECT_NE(read_bytes(folder.path("run/training.csv")), first);
  anew.emplace_back("--resume");
  EXPECT_EQ(run_voxmark(anew).status, 64);  // one or the other
}

TEST(Train, LeavesTheRunBeforeWhereTheNewOneIsRefused) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:4", folder.path("run"));
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const std::string before = read_bytes(folder.path("run/training.json"));
  arguments.insert(arguments.end(), {"--overwrite", "--memory-limit", "1MiB"});
  EXPECT_EQ(run_voxmark(arguments).status, 5);
  EXPECT_EQ(read_bytes(folder.path("run/training.json")), before);
  EXPECT_TRUE(std::filesystem::exists(folder.path("run/last.safetensors")));
}

TEST(Train, TellsOfADamagedCheckpointAndOfAFinishedRunBeforeItReadsTheCases) {
  TemporaryFolder folder;
  PhantomOptions phantom;
  phantom.subjects = 16;
  phantom.dims = {16, 16, 16};
  write_phantom_dataset(folder.path("data"), phantom);
  std::vector<std::string> arguments = small_run(folder.path("data"), folder.path("run"));
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  arguments.emplace_back("--resume");
  const std::string before = read_bytes(folder.path("run/training.json"));
  const CommandResult done = run_voxmark(arguments);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("done: "));
  EXPECT_THAT(done.err, Not(HasSubstr("reading every case")));
  EXPECT_EQ(read_bytes(folder.path("run/training.json")), before);

  // Without its report a run is not finished: the test is made again.
  std::filesystem::remove(folder.path("run/training.json"));
  EXPECT_THAT(run_voxmark(arguments).err, HasSubstr("reading every case"));
  EXPECT_EQ(read_json_file(folder.path("run/training.json"))["test"],
            parse_json(before, "before")["test"]);

  const std::string last = folder.path("run/last.safetensors");
  const std::string whole = read_bytes(last);
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{5}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(last, whole.substr(0, bytes));
    const CommandResult cut = run_voxmark(arguments);
    EXPECT_EQ(cut.status, 64) << bytes;
    EXPECT_THAT(cut.err, HasSubstr("last.safetensors: cut short")) << bytes;
    EXPECT_THAT(cut.err, HasSubstr("--overwrite begins anew")) << bytes;
    EXPECT_THAT(cut.err, Not(HasSubstr("reading every case"))) << bytes;
  }
}

TEST(Train, WarnsOfLabelsThatNoTrainingCaseHas) {
  TemporaryFolder folder;
  PhantomOptions phantom;
  phantom.dims = {16, 16, 16};
  write_phantom_dataset(folder.path("data"), phantom);
  std::vector<std::string> arguments = small_run(folder.path("data"), folder.path("run"));
  arguments.insert(arguments.end(), {"--steps", "1"});
  EXPECT_THAT(run_voxmark(arguments).err, Not(HasSubstr("no voxel in any training case")));
  const std::vector<std::uint8_t> ones(16 * 16 * 16, 1);
  for (std::size_t i = 0; i < phantom.subjects; ++i) {
    write_nifti(folder.path(fmt::format("data/labelsTr/PHANTOM_{:03}.nii.gz", i)),
                {{16, 16, 16}, phantom_affine(phantom.dims)}, std::span<const std::uint8_t>(ones));
  }
  arguments.emplace_back("--overwrite");
  const CommandResult result = run_voxmark(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, Not(HasSubstr("label 1 (")));
  EXPECT_THAT(result.err,
              HasSubstr("warning: label 3 (enhancing tumour): no voxel in any training case"));
}

// As a user who may start no thread, or one more, where four are to read.
TEST(Train, GoesOnWithTheReadersThatTheSystemGives) {
  if (getuid() != 0) {
    GTEST_SKIP() << "not root: cannot become a user with no process";
  }
  const std::string folder = fmt::format("/tmp/voxmark-train-test-{}", getpid());
  std::filesystem::create_directory(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::all);
  std::filesystem::copy_file(VOXMARK_BINARY, folder + "/voxmark");
  for (const int tasks : {1, 2, 3}) {
    const std::string command = fmt::format(
        "cd {0} && OMP_NUM_THREADS=1 HOME=/nonexistent exec setpriv --reuid 65532 --regid 65532 "
        "--clear-groups prlimit --nproc={1} ./voxmark train --data phantom:16 --image 16 "
        "--filters 1 --batch 4 --epochs 1 --backend naive --readers 4 --out run{1} "
        ">/dev/null 2>&1",
        folder, tasks);
    const int status = WEXITSTATUS(std::system(command.c_str()));
    if (status == 127) {
      std::filesystem::remove_all(folder);
      GTEST_SKIP() << "no setpriv or prlimit here";
    }
    EXPECT_EQ(status, 0) << tasks;
  }
  std::filesystem::remove_all(folder);
}

TEST(Predict, TellsWhichCasesTheModelHasSeenAndGoesOnPastABadOne) {
  TemporaryFolder folder;
  PhantomOptions phantom;
  phantom.subjects = 16;
  phantom.dims = {16, 16, 16};
  write_phantom_dataset(folder.path("data"), phantom);
  ASSERT_EQ(run_voxmark(small_run(folder.path("data"), folder.path("run"))).status, 0);
  // The run's folder means its best.safetensors.
  std::vector<std::string> arguments = {
      "predict", folder.path("run"), "--data", folder.path("data"),  "--part", "all", "--backend",
      "naive",   "--overwrite",      "--out",  folder.path("labels")};
  const CommandResult all = run_voxmark(arguments);
  ASSERT_EQ(all.status, 0) << all.err;
  EXPECT_THAT(all.err, HasSubstr("14 of these cases were trained on, 1 chose the epoch"));
  for (const char* mean : {"mean of 14 training cases: ", "mean of 1 validation cases: ",
                           "mean of 1 test cases: ", "mean of 16 cases: "}) {
    EXPECT_THAT(all.out, HasSubstr(mean));
  }
  std::size_t before = 0;
  for (std::size_t i = 0; i < phantom.subjects; ++i) {  // in the data set's order
    const std::size_t at = all.out.find(fmt::format("imagesTr/PHANTOM_{:03}", i));
    ASSERT_NE(at, std::string::npos) << i;
    EXPECT_GE(at, before) << i;
    before = at;
  }

  // Its size stays: the data are the same by their identity.
  const std::string path = folder.path("data/imagesTr/PHANTOM_002.nii.gz");
  write_bytes(path, std::string(read_bytes(path).size(), 'x'));
  const CommandResult bad = run_voxmark(arguments);
  EXPECT_EQ(bad.status, 64);
  EXPECT_THAT(bad.err, HasSubstr("1 of 16 cases failed:\nimagesTr/PHANTOM_002.nii.gz: "));
  EXPECT_THAT(bad.out, HasSubstr("mean of 15 cases: "));
  arguments.emplace_back("--json");
  const CommandResult json = run_voxmark(arguments);
  EXPECT_EQ(json.status, 64);
  EXPECT_EQ(json.json()["predictions"].size(), 15U);
  ASSERT_EQ(json.json()["failures"].size(), 1U);
  EXPECT_EQ(json.json()["failures"][0]["case"], "imagesTr/PHANTOM_002.nii.gz");
  const Json report = read_training_report(folder.path("run/training.json"));
  EXPECT_EQ(json.json()["mean_by_part"]["test"], report["test"]["mean"]);
}

TEST(Predict, TellsWhereTheCheckpointLies) {
  TemporaryFolder folder;
  std::vector<std::string> arguments = small_run("phantom:4", folder.path("run"));
  arguments.insert(arguments.end(), {"--steps", "1"});
  ASSERT_EQ(run_voxmark(arguments).status, 0);
  const auto refusal = [&](const std::string& checkpoint) {
    const CommandResult result =
        run_voxmark({"predict", checkpoint, "--data", "phantom:4", "--out", folder.path("labels")});
    EXPECT_EQ(result.status, 64);
    return result.err;
  };
  EXPECT_THAT(refusal(folder.path("run/training.json")),
              HasSubstr("training.json: JSON, not a checkpoint: " +
                        folder.path("run/best.safetensors") + " lies beside it"));
  write_bytes(folder.path("other.json"), "{}");
  EXPECT_THAT(refusal(folder.path("other.json")),
              HasSubstr("JSON, not a checkpoint: expected best.safetensors"));
  EXPECT_THAT(refusal(folder.path("")), HasSubstr("a folder without best.safetensors"));
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
  EXPECT_THAT(refusal({"--levels", "1"}, "phantom:4"), HasSubstr("levels = 1, expected 2 to 5"));
  EXPECT_THAT(refusal({"--levels", "6"}, "phantom:4"), HasSubstr("levels = 6, expected 2 to 5"));
  EXPECT_THAT(refusal({"--epochs", "0"}, "phantom:4"), HasSubstr("--epochs 0"));
  EXPECT_THAT(refusal({"--epochs", "two"}, "phantom:4"),
              HasSubstr("--epochs = two, expected a number"));
  EXPECT_THAT(refusal({"--seed", "-1"}, "phantom:4"), HasSubstr("--seed: -1, expected 0 or more"));
  EXPECT_THAT(refusal({"--split-seed", "-1"}, "phantom:4"), HasSubstr("--split-seed: -1"));
  for (const char* seconds : {"nan", "-1"}) {
    for (const char* flag : {"--checkpoint-seconds", "--progress-seconds"}) {
      EXPECT_THAT(refusal({flag, seconds}, "phantom:4"),
                  HasSubstr(fmt::format("{} {}: expected 0 or more", flag, seconds)));
    }
  }
  EXPECT_THAT(refusal({"--classes", "7"}, "phantom:4"), HasSubstr("7 classes asked for"));
  EXPECT_THAT(refusal({"--backend", "null"}, "phantom:4"), HasSubstr("cannot learn"));
  EXPECT_THAT(refusal({"--threads", "100000"}, "phantom:4"), HasSubstr("--threads 100000"));
  EXPECT_THAT(refusal({}, "phantom:none"), HasSubstr("phantom:none"));
  EXPECT_THAT(refusal({}, "phantom:4"), HasSubstr("--out /dev/null/run"));
  EXPECT_THAT(refusal({"--tile"}, "phantom:4"), HasSubstr("phantom:4:240x240x155"));
  EXPECT_THAT(refusal({"--downsample", "2"}, "phantom:4"), HasSubstr("phantom:4:240x240x155"));
  EXPECT_THAT(refusal({"--memory-limit", "much"}, "phantom:4"), HasSubstr("--memory-limit"));
  EXPECT_THAT(refusal({"--backend", "pytorch"}, "phantom:4"), HasSubstr("train_on.py"));
}

}  // namespace
}  // namespace voxmark
