#include "workloads/data_sets/data_set.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "base/json.h"
#include "workloads/data_sets/batch_source.h"
#include "workloads/data_sets/data_files.h"
#include "workloads/data_sets/inspect.h"
#include "workloads/images/nifti_writer.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

const Affine kAffine = {{{1, 0, 0, -1}, {0, 1, 0, -1}, {0, 0, 1, -1}}};

// A folder with one case of 4 x 3 x 2 voxels: image 0..23, labels 0, 1, 2, 0, 1, 2, ...
class DecathlonFolder {
 public:
  DecathlonFolder() {
    fs::create_directories(path("imagesTr"));
    fs::create_directories(path("labelsTr"));
    write_image({4, 3, 2});
    write_label();
    document = {
        {"name", "tiny"},
        {"modality", {{"0", "MRI"}}},
        {"labels", {{"0", "background"}, {"1", "edge"}, {"2", "core"}}},
        {"training", {{{"image", "./imagesTr/a.nii.gz"}, {"label", "./labelsTr/a.nii.gz"}}}}};
  }

  void write_image(const std::vector<std::int64_t>& shape) const {
    std::int64_t voxels = 1;
    for (const std::int64_t extent : shape) {
      voxels *= extent;
    }
    std::vector<float> values(static_cast<std::size_t>(voxels));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(i);
    }
    write_nifti(path("imagesTr/a.nii.gz"), {shape, kAffine}, std::span<const float>(values));
  }

  void write_label(const std::vector<std::int64_t>& shape = {4, 3, 2},
                   const Affine& affine = kAffine, float odd_value = 0) const {
    std::int64_t voxels = 1;
    for (const std::int64_t extent : shape) {
      voxels *= extent;
    }
    std::vector<float> values(static_cast<std::size_t>(voxels));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(i % 3);
    }
    if (odd_value != 0) {
      values[3] = values[9] = odd_value;
    }
    write_nifti(path("labelsTr/a.nii.gz"), {shape, affine}, std::span<const float>(values));
  }

  std::string path(const std::string& name) const { return folder_.path(name); }

  // What is said of the folder with the document as it is now; empty when case 0 is read.
  std::string refusal(const ReadOptions& reading = {}) const {
    write_bytes(path("dataset.json"), dump_json(document));
    return refusal_of([&] { read_subject(read_data_set(path(""), reading), 0); });
  }

  Json document;

 private:
  TemporaryFolder folder_;
};

TEST(Decathlon, ReadsASingleCase) {
  DecathlonFolder folder;
  ASSERT_EQ(folder.refusal(), "");
  const DataSet dataset = read_data_set(folder.path(""));
  EXPECT_EQ(dataset.name, "tiny");
  EXPECT_EQ(dataset.labels, (std::vector<std::string>{"background", "edge", "core"}));
  const Subject subject = read_subject(dataset, 0);
  EXPECT_EQ(subject.dims, (Dims{4, 3, 2}));
  EXPECT_EQ(subject.image[5], 5.0F);
  EXPECT_EQ(subject.labels[5], 2);
  const Batch batch =
      make_batch(data_set_subjects(folder.path(""), 1), {{4, 3, 2}, 1, 2}, 2, 1, 0, 0);
  EXPECT_EQ(batch.input.size(), 48U);
  EXPECT_EQ(batch.output_channels, 3);
}

TEST(Decathlon, ReadsA4dImageByChannels) {
  DecathlonFolder folder;
  folder.write_image({4, 3, 2, 2});
  folder.document["modality"] = {{"0", "FLAIR"}, {"1", "T1w"}};
  ASSERT_EQ(folder.refusal(), "");
  const DataSet dataset = read_data_set(folder.path(""));
  EXPECT_EQ(read_subject(dataset, 0).channels, 2);
  const Subject first = read_subject(dataset, 0, 1);
  EXPECT_EQ(first.channels, 1);
  EXPECT_EQ(first.image.size(), 24U);
}

TEST(Decathlon, TellsWhatIsReadOtherwiseThanItsFilesSay) {
  DecathlonFolder folder;
  const std::vector<float> zeros(24);
  for (const char* name : {"imagesTr/nan.nii", "labelsTr/nan.nii"}) {
    const std::string path = folder.path(name);
    write_nifti(path, {{4, 3, 2}, kAffine}, std::span<const float>(zeros));
    constexpr std::streamoff kSlope = 112;  // scl_slope in a NIfTI-1 header
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kSlope).write(reinterpret_cast<const char*>(&nan), sizeof nan);
  }
  folder.document["training"][0] = {{"image", "./imagesTr/nan.nii"},
                                    {"label", "./labelsTr/nan.nii"}};
  ASSERT_EQ(folder.refusal(), "");
  const DataSet dataset = read_data_set(folder.path(""));
  const std::vector<std::string> read = read_subject(dataset, 0).warnings;
  ASSERT_EQ(read.size(), 2U);
  EXPECT_NE(read[0].find("labelsTr/nan.nii: scl_slope = nan: read as unscaled"), std::string::npos);
  EXPECT_NE(read[1].find("imagesTr/nan.nii: scl_slope = nan: read as unscaled"), std::string::npos);
  // What is known from headers, before anything runs.
  const SubjectSource source = data_set_subjects(folder.path(""), 1);
  EXPECT_EQ(check_first_batch(source, {{4, 3, 2}, 1, 2}, 1, 1), std::vector<std::string>{read[1]});
}

TEST(Decathlon, RefusesImageAndLabelThatDiffer) {
  DecathlonFolder folder;
  folder.write_label({4, 2, 3});
  EXPECT_NE(folder.refusal().find("shape 4x2x3, expected 4x3x2"), std::string::npos);
  folder.write_label({4, 3, 2, 2});
  EXPECT_NE(folder.refusal().find("shape 4x3x2x2"), std::string::npos);
  Affine moved = kAffine;
  moved[1][3] += 0.01;
  folder.write_label({4, 3, 2}, moved);
  EXPECT_NE(folder.refusal().find("affine[1][3] = -0.99"), std::string::npos);
  EXPECT_NE(folder.refusal().find("up to 0.01 mm, and 0.001 are accepted; to accept more: "
                                  "--affine-tolerance"),
            std::string::npos);
  EXPECT_NE(folder.refusal({false, 0.005}), "");
  EXPECT_EQ(folder.refusal({false, 0.02}), "");
  const Subject read = read_subject(read_data_set(folder.path(""), {false, 0.02}), 0);
  ASSERT_EQ(read.warnings.size(), 1U);
  EXPECT_NE(read.warnings[0].find("differs from the image's by up to 0.01 mm"), std::string::npos);
  moved[1][3] = kAffine[1][3] + 1e-6;  // rounding of another program
  folder.write_label({4, 3, 2}, moved);
  EXPECT_EQ(folder.refusal(), "");
}

TEST(Decathlon, RefusesLabelValuesThatAreNotInTheMapWithTheirCount) {
  DecathlonFolder folder;
  for (const float value : {3.0F, -1.0F, 0.5F, 255.0F, 1e30F}) {
    folder.write_label({4, 3, 2}, kAffine, value);
    const std::string said = folder.refusal();
    EXPECT_NE(said.find(fmt::format("label value {} (2 voxels", value)), std::string::npos) << said;
    EXPECT_NE(said.find("labelsTr/a.nii.gz"), std::string::npos) << said;
  }
}

// Labels as a writer stores them that puts floats into an integer type, with slope and intercept.
template <class Stored>
void write_scaled_label(const std::string& path, double largest_label, float slope, float inter) {
  std::vector<float> stored(24);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const double label = static_cast<double>(i % 3) * largest_label / 2;
    stored[i] = static_cast<float>(static_cast<Stored>(
        std::round((label - static_cast<double>(inter)) / static_cast<double>(slope))));
  }
  const std::vector<Stored> values(stored.begin(), stored.end());
  write_nifti(path, {{4, 3, 2}, kAffine}, std::span<const Stored>(values));
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(112).write(reinterpret_cast<const char*>(&slope), sizeof slope);
  file.write(reinterpret_cast<const char*>(&inter), sizeof inter);
}

TEST(Decathlon, RoundsLabelsThatAScalingMovedOffWholeNumbersWithAWarning) {
  DecathlonFolder folder;
  folder.document["training"][0]["label"] = "labelsTr/a.nii";
  const std::string label = folder.path("labelsTr/a.nii");
  const auto expect_rounded = [&] {
    ASSERT_EQ(folder.refusal(), "");
    const Subject subject = read_subject(read_data_set(folder.path("")), 0);
    for (std::size_t i = 0; i < 24; ++i) {
      EXPECT_EQ(subject.labels[i], i % 3) << i;
    }
    ASSERT_EQ(subject.warnings.size(), 1U);
    EXPECT_NE(subject.warnings[0].find("off whole numbers (stored in steps of scl_slope = "),
              std::string::npos);
  };
  // As nibabel scales 0..2: int16 in 65535 steps around 1, uint8 in 255 steps from 0.
  write_scaled_label<std::int16_t>(label, 2, 2.0F / 65535, 1 + 1.0F / 65535);
  expect_rounded();
  write_scaled_label<std::uint8_t>(label, 2, 2.0F / 255, 0);
  expect_rounded();
  write_scaled_label<std::int16_t>(label, 2, -2.0F / 65535, 1 - 1.0F / 65535);
  expect_rounded();
  // Steps that cannot tell labels apart, and a value that no rounding explains.
  write_scaled_label<std::int16_t>(label, 2, 1, 0.5F);
  EXPECT_NE(folder.refusal().find("stored in steps of scl_slope = 1, from scl_inter = 0.5"),
            std::string::npos)
      << folder.refusal();
  write_scaled_label<std::int16_t>(label, 1, 2.0F / 65535, 1);
  EXPECT_NE(folder.refusal().find("label value 0.4999"), std::string::npos) << folder.refusal();
  write_scaled_label<std::int16_t>(label, -2, 2.0F / 65535, -1 + 1.0F / 65535);
  EXPECT_NE(folder.refusal().find("label value -0.9999"), std::string::npos) << folder.refusal();
}

TEST(Decathlon, RoundsLabelsOfFloatsThatAreARoundingOffWithAWarning) {
  DecathlonFolder folder;
  for (const float slope : {1.0F, 0.0F}) {
    for (const float value : {1.0000153F, 0.9999999F, 1.0009F, 0.9991F}) {
      folder.document["training"][0]["label"] = "labelsTr/a.nii";
      std::vector<float> values(24, 0.0F);
      values[3] = value;
      values[4] = 2;
      const std::string label = folder.path("labelsTr/a.nii");
      write_nifti(label, {{4, 3, 2}, kAffine}, std::span<const float>(values));
      std::fstream file(label, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(112).write(reinterpret_cast<const char*>(&slope), sizeof slope);
      file.close();
      ASSERT_EQ(folder.refusal(), "") << value;
      const Subject subject = read_subject(read_data_set(folder.path("")), 0);
      EXPECT_EQ(subject.labels[3], 1);
      EXPECT_EQ(subject.labels[4], 2);
      const std::string warning = subject.warnings.front();
      EXPECT_NE(warning.find("1 voxels hold labels up to "), std::string::npos) << warning;
      EXPECT_NE(warning.find("off whole numbers: rounded"), std::string::npos) << warning;
    }
  }
}

TEST(Decathlon, RefusesLabelsOfFloatsThatNoRoundingExplains) {
  DecathlonFolder folder;
  for (const float value : {1.002F, 0.98F, -0.01F, 2.9995F}) {
    folder.write_label({4, 3, 2}, kAffine, value);
    EXPECT_NE(folder.refusal().find("label value "), std::string::npos) << value;
  }
}

TEST(Decathlon, RefusesANumberOfChannelsThatIsNotTheModalities) {
  DecathlonFolder folder;
  folder.document["modality"] = {{"0", "FLAIR"}, {"1", "T1w"}};
  EXPECT_NE(folder.refusal().find("1 channels, expected 2"), std::string::npos);
}

TEST(Decathlon, RefusesADocumentOfAnotherForm) {
  const DecathlonFolder good;
  const auto said = [](const auto& change) {
    DecathlonFolder folder;
    change(folder.document);
    return folder.refusal();
  };
  EXPECT_NE(said([](Json& json) { json.erase("training"); }).find("\"training\" is missing"),
            std::string::npos);
  for (const char* key : {"name", "labels", "training"}) {
    EXPECT_NE(said([&](Json& json) { json[key] = 5; }).find(key), std::string::npos);
  }
  EXPECT_NE(said([](Json& json) { json = Json::array(); }).find("expected an object"),
            std::string::npos);
  EXPECT_NE(said([](Json& json) { json["training"] = Json::array(); }).find("is empty"),
            std::string::npos);
  EXPECT_NE(said([](Json& json) { json["training"][0] = "a"; }).find("training[0]"),
            std::string::npos);
  EXPECT_NE(
      said([](Json& json) { json["training"][0].erase("label"); }).find("\"label\" is missing"),
      std::string::npos);
  EXPECT_NE(said([](Json& json) { json["modality"] = {{"0", "a"}, {"2", "b"}}; }).find("\"1\""),
            std::string::npos);
  EXPECT_NE(said([](Json& json) { json["labels"] = {{"background", -1}}; }), "");
  EXPECT_NE(said([](Json& json) { json["labels"] = Json::object(); }).find("0 entries"),
            std::string::npos);
  EXPECT_NE(said([](Json& json) {
              json["training"].push_back(json["training"][0]);
            }).find("listed twice"),
            std::string::npos);
}

TEST(Decathlon, RefusesPathsOutOfTheFolder) {
  DecathlonFolder folder;
  const TemporaryFolder outside;
  fs::copy(folder.path("imagesTr/a.nii.gz"), outside.path("a.nii.gz"));
  fs::create_symlink(outside.path("a.nii.gz"), folder.path("imagesTr/link.nii.gz"));
  fs::create_directory_symlink(outside.path(""), folder.path("linked"));

  const auto said_of = [&](const std::string& image) {
    folder.document["training"][0]["image"] = image;
    return folder.refusal();
  };
  EXPECT_NE(said_of("../a.nii.gz").find("without \"..\""), std::string::npos);
  EXPECT_NE(said_of("imagesTr/../imagesTr/a.nii.gz").find("without \"..\""), std::string::npos);
  EXPECT_NE(said_of(outside.path("a.nii.gz")).find("inside the folder"), std::string::npos);
  EXPECT_NE(said_of("").find("inside the folder"), std::string::npos);
  EXPECT_NE(said_of("a\nb").find("holds a line feed"), std::string::npos);
  EXPECT_NE(said_of("a\x01").find("holds the control character 0x01"), std::string::npos);
  EXPECT_NE(said_of("imagesTr/link.nii.gz").find("link out of the folder"), std::string::npos);
  EXPECT_NE(said_of("linked/a.nii.gz").find("link out of the folder"), std::string::npos);
  EXPECT_NE(said_of("imagesTr/none.nii.gz").find("No such file"), std::string::npos);
}

TEST(Decathlon, FollowsLinksOutOfTheFolderWhereThatIsAllowed) {
  DecathlonFolder folder;
  const TemporaryFolder store;
  fs::create_directory(store.path("blobs"));
  fs::rename(folder.path("imagesTr/a.nii.gz"), store.path("blobs/0f3a"));  // gzip by its bytes
  fs::create_symlink(store.path("blobs/0f3a"), folder.path("imagesTr/a.nii.gz"));
  fs::rename(folder.path("labelsTr"), store.path("labels"));
  fs::create_directory_symlink(store.path("labels"), folder.path("labelsTr"));

  const std::string said = folder.refusal();
  EXPECT_NE(
      said.find("link out of the folder, to " + fs::canonical(store.path("blobs/0f3a")).string()),
      std::string::npos)
      << said;
  EXPECT_NE(said.find("--follow-links"), std::string::npos) << said;
  EXPECT_NE(said.find("1 more"), std::string::npos) << said;

  const ReadOptions follow{true, 1e-3};
  EXPECT_EQ(folder.refusal(follow), "");
  const DataSet dataset = read_data_set(folder.path(""), follow);
  EXPECT_EQ(link_target(dataset.folder, dataset.cases[0].images[0]),
            fs::canonical(store.path("blobs/0f3a")));
  EXPECT_EQ(link_target(dataset.folder, dataset.cases[0].label),
            fs::canonical(store.path("labels/a.nii.gz")));
  EXPECT_EQ(link_target(dataset.folder, "dataset.json"), "");
  EXPECT_NE(inspect_text(inspect_dataset(folder.path(""), 1, follow)).find("blobs/0f3a"),
            std::string::npos);
  fs::rename(folder.path("dataset.json"), store.path("blobs/77"));
  fs::create_symlink(store.path("blobs/77"), folder.path("dataset.json"));
  EXPECT_NE(refusal_of([&] { read_data_set(folder.path("")); }).find("dataset.json"),
            std::string::npos);
  EXPECT_EQ(read_data_set(folder.path(""), follow).cases.size(), 1U);
}

TEST(Decathlon, FollowsNoPathOutOfTheFolderAndNoLinkToWhatIsNoFile) {
  DecathlonFolder folder;
  const ReadOptions follow{true, 1e-3};
  const auto said_of = [&](const std::string& image) {
    folder.document["training"][0]["image"] = image;
    return folder.refusal(follow);
  };
  EXPECT_NE(said_of("../a.nii.gz").find("without \"..\""), std::string::npos);
  EXPECT_NE(said_of("/etc/passwd").find("inside the folder"), std::string::npos);
  const auto link_to = [&](const std::string& target) {
    fs::remove(folder.path("imagesTr/link"));
    fs::create_symlink(target, folder.path("imagesTr/link"));
    return said_of("imagesTr/link");
  };
  EXPECT_NE(link_to("/dev/zero").find("regular file"), std::string::npos);
  EXPECT_NE(link_to("..").find("regular file"), std::string::npos);
  EXPECT_NE(link_to("link").find("Too many levels of symbolic links"), std::string::npos);
  EXPECT_NE(link_to("gone").find("a link to gone: No such file"), std::string::npos);
  EXPECT_NE(link_to("../.git/annex/objects/x/y").find("git annex get"), std::string::npos);
}

TEST(Decathlon, TakesLabelsOfTheSameContentsForSeveralCases) {
  DecathlonFolder folder;
  fs::copy(folder.path("imagesTr/a.nii.gz"), folder.path("imagesTr/b.nii.gz"));
  fs::create_symlink("a.nii.gz", folder.path("labelsTr/b.nii.gz"));
  folder.document["training"].push_back(
      {{"image", "imagesTr/b.nii.gz"}, {"label", "labelsTr/b.nii.gz"}});
  EXPECT_EQ(folder.refusal(), "");
  fs::remove(folder.path("imagesTr/b.nii.gz"));
  fs::create_symlink("a.nii.gz", folder.path("imagesTr/b.nii.gz"));
  EXPECT_NE(folder.refusal().find("listed twice"), std::string::npos);
}

TEST(Decathlon, ListsAllFilesThatAreNotThere) {
  DecathlonFolder folder;
  for (const char* name : {"b", "c"}) {
    folder.document["training"].push_back({{"image", fmt::format("imagesTr/{}.nii.gz", name)},
                                           {"label", fmt::format("labelsTr/{}.nii.gz", name)}});
  }
  const std::string said = folder.refusal();
  for (const char* file : {"imagesTr/b", "labelsTr/b", "imagesTr/c", "labelsTr/c"}) {
    EXPECT_NE(said.find(file), std::string::npos) << said;
  }
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 3) << said;
}

TEST(Decathlon, InspectsEveryVoxelOnlyWhereThatIsAskedForAndSaysWhich) {
  DecathlonFolder folder;
  ASSERT_EQ(folder.refusal(), "");
  EXPECT_NE(inspect_text(inspect_dataset(folder.path(""), 1)).find("not the voxels: --deep"),
            std::string::npos);
  EXPECT_NE(inspect_text(inspect_dataset(folder.path(""), 1, {}, true)).find("Every voxel"),
            std::string::npos);

  // Three more cases: one of NaN, one cut short, one that is whole.
  for (const char* name : {"b", "c", "d"}) {
    const std::string file = fmt::format("{}.nii.gz", name);
    for (const char* part : {"imagesTr/", "labelsTr/"}) {
      fs::copy(folder.path(part + std::string("a.nii.gz")), folder.path(part + file));
    }
    folder.document["training"].push_back(
        {{"image", "imagesTr/" + file}, {"label", "labelsTr/" + file}});
  }
  const std::vector<float> nan(24, std::numeric_limits<float>::quiet_NaN());
  write_nifti(folder.path("imagesTr/b.nii.gz"), {{4, 3, 2}, kAffine}, std::span<const float>(nan));
  fs::resize_file(folder.path("imagesTr/c.nii.gz"),
                  fs::file_size(folder.path("imagesTr/c.nii.gz")) - 4);
  ASSERT_EQ(folder.refusal(), "");
  EXPECT_EQ(inspect_dataset(folder.path(""), 1)["cases"].size(), 4U);
  const std::string said =
      refusal_of([&] { inspect_dataset(folder.path(""), 1, ReadOptions{}, true); });
  EXPECT_NE(said.find("2 of 4 cases cannot be read:\n"), std::string::npos) << said;
  EXPECT_NE(said.find("b.nii.gz: 24 of 24 voxels are NaN"), std::string::npos) << said;
  EXPECT_NE(said.find("c.nii.gz: the stream is cut short"), std::string::npos) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
}

TEST(Decathlon, ReadsImagesWithTheirChannelsBehindAnAxisOfOne) {
  DecathlonFolder folder;
  folder.document["modality"] = {{"0", "FLAIR"}, {"1", "T1w"}};
  folder.write_image({4, 3, 2, 1, 2});
  folder.write_label({4, 3, 2, 1, 1});
  ASSERT_EQ(folder.refusal(), "");
  const Subject subject = read_subject(read_data_set(folder.path("")), 0);
  EXPECT_EQ(subject.dims, (Dims{4, 3, 2}));
  EXPECT_EQ(subject.channels, 2);
  EXPECT_EQ(subject.image.size(), 48U);
}

TEST(Decathlon, FollowsLinksThatStayInTheFolder) {
  DecathlonFolder folder;
  fs::create_symlink("a.nii.gz", folder.path("imagesTr/link.nii.gz"));
  folder.document["training"][0]["image"] = "imagesTr/link.nii.gz";
  EXPECT_EQ(folder.refusal(), "");
}

TEST(Decathlon, RefusesFifosDevicesAndFoldersWithoutWaiting) {
  DecathlonFolder folder;
  ASSERT_EQ(mkfifo(folder.path("imagesTr/fifo.nii.gz").c_str(), 0600), 0);
  folder.document["training"][0]["image"] = "imagesTr/fifo.nii.gz";
  EXPECT_NE(folder.refusal().find("regular file"), std::string::npos);
  folder.document["training"][0]["image"] = "imagesTr";
  EXPECT_NE(folder.refusal().find("regular file"), std::string::npos);

  fs::remove(folder.path("dataset.json"));
  ASSERT_EQ(mkfifo(folder.path("dataset.json").c_str(), 0600), 0);
  EXPECT_NE(refusal_of([&] { read_data_set(folder.path("")); }).find("regular file"),
            std::string::npos);
}

TEST(Decathlon, NamesWhatLiesInPlaceOfADescription) {
  DecathlonFolder folder;
  const auto said_of = [&](const std::string& bytes) {
    write_bytes(folder.path("dataset.json"), bytes);
    return refusal_of([&] { read_data_set(folder.path("")); });
  };
  EXPECT_NE(said_of("version https://git-lfs.github.com/spec/v1\n").find("git lfs pull"),
            std::string::npos);
  EXPECT_NE(said_of("<!doctype html><html></html>").find("web page"), std::string::npos);
  EXPECT_NE(said_of("").find("an empty file"), std::string::npos);
}

TEST(Decathlon, RefusesAFolderThatIsNone) {
  const TemporaryFolder folder;
  EXPECT_NE(refusal_of([&] { read_data_set(folder.path("none")); }).find("No such file"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { read_data_set(folder.path("")); }).find("dataset.json"),
            std::string::npos);
}

TEST(SplitCases, HasThePapersProportions) {
  const CaseSplit split = split_cases(484, 1);
  EXPECT_EQ(split.training.size(), 406U);
  EXPECT_EQ(split.validation.size(), 32U);
  EXPECT_EQ(split.test.size(), 46U);
}

TEST(SplitCases, PutsEveryCaseInOnePart) {
  for (const std::size_t count : {1U, 2U, 10U, 11U, 16U, 200U, 484U}) {
    const CaseSplit split = split_cases(count, 3);
    std::set<std::size_t> all(split.training.begin(), split.training.end());
    all.insert(split.validation.begin(), split.validation.end());
    all.insert(split.test.begin(), split.test.end());
    EXPECT_EQ(all.size(), count);
    EXPECT_EQ(split.training.size() + split.validation.size() + split.test.size(), count);
    EXPECT_FALSE(split.training.empty());
  }
}

TEST(SplitCases, DependsOnTheSeedAlone) {
  EXPECT_EQ(split_cases(200, 1).test, split_cases(200, 1).test);
  EXPECT_NE(split_cases(200, 1).test, split_cases(200, 2).test);
}

std::string real_data(const std::string& name) {
  return std::string(VOXMARK_SOURCE_DIR) + "/../shared/data/" + name;
}

TEST(DecathlonData, ReadsTwoBrainTumourCases) {
  const std::string folder = real_data("Task01_BrainTumour");
  if (!fs::exists(folder)) {
    GTEST_SKIP() << folder << " is not there";
  }
  const Json facts = inspect_dataset(folder, 1);
  EXPECT_EQ(facts["cases"].size(), 2U);
  EXPECT_EQ(facts["split"]["training"], 2);
  EXPECT_EQ(facts["cases"][0]["shape"], Json({240, 240, 155, 4}));
  for (const Json& label : facts["labels"]) {
    EXPECT_GT(label["voxels"].get<std::int64_t>(), 0);
  }
  EXPECT_NE(inspect_text(facts).find("240x240x155x4"), std::string::npos);

  const Batch batch = make_batch(data_set_subjects(folder, 1), {{64, 64, 64}, 1, 1}, 2, 1, 0, 0);
  const double voxels = 64.0 * 64 * 64;
  for (std::size_t image = 0; image < 2; ++image) {
    const auto begin = batch.input.begin() + static_cast<std::ptrdiff_t>(image) * 64 * 64 * 64;
    double sum = 0;
    double squares = 0;
    std::for_each(begin, begin + 64 * 64 * 64, [&](float value) {
      sum += static_cast<double>(value);
      squares += static_cast<double>(value) * static_cast<double>(value);
    });
    EXPECT_NEAR(sum / voxels, 0, 1e-6);  // rounding to float, voxel by voxel
    EXPECT_NEAR(squares / voxels, 1, 1e-6);
  }
  EXPECT_NE(std::count(batch.target.begin(), batch.target.end(), 1.0F), 0);
}

TEST(DecathlonData, ReadsTwoHundredHippocampusCases) {
  const std::string folder = real_data("Task04_Hippocampus");
  if (!fs::exists(folder)) {
    GTEST_SKIP() << folder << " is not there";
  }
  const Json facts = inspect_dataset(folder, 1);
  EXPECT_EQ(facts["cases"].size(), 200U);
  EXPECT_EQ(facts["split"]["training"], 168);
  EXPECT_EQ(facts["split"]["validation"], 13);
  EXPECT_EQ(facts["split"]["test"], 19);
  EXPECT_EQ(facts["labels"].size(), 3U);
  const DataSet dataset = read_data_set(folder);
  for (std::size_t index = 0; index < dataset.cases.size(); ++index) {
    const Subject subject = read_subject(dataset, index);
    EXPECT_EQ(subject.labels.size(), subject.image.size());
  }
}

}  // namespace
}  // namespace voxmark
