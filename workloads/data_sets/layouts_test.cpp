// Descriptions of nnU-Net and MONAI, and folders without one.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/sha256.h"
#include "workloads/data_sets/batch_source.h"
#include "workloads/data_sets/data_set.h"
#include "workloads/data_sets/inspect.h"
#include "workloads/images/nifti_writer.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

const Affine kScanner = {{{1, 0, 0, -1}, {0, 1, 0, -1}, {0, 0, 1, -1}}};

// Images of 4 x 3 x 2 voxels: `first`, first + 1, ...; labels 0, 1, 2, 3, 0, ...
class Folder {
 public:
  std::string path(const std::string& name = "") const { return folder_.path(name); }

  void image(const std::string& name, float first = 0, const Affine& affine = kScanner,
             const std::vector<std::int64_t>& shape = {4, 3, 2}) const {
    std::int64_t voxels = 1;
    for (const std::int64_t extent : shape) {
      voxels *= extent;
    }
    std::vector<float> values(static_cast<std::size_t>(voxels));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = first + static_cast<float>(i);
    }
    write(name, shape, affine, values);
  }

  void label(const std::string& name, int values = 4) const {
    std::vector<float> labels(24);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = static_cast<float>(i % static_cast<std::size_t>(values));
    }
    write(name, {4, 3, 2}, kScanner, labels);
  }

  void json(const Json& document, const std::string& name = "dataset.json") const {
    write_bytes(path(name), dump_json(document));
  }

  void empty(const std::string& name) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    write_bytes(path(name), "");
  }

  std::string refusal(const std::string& name = "") const {
    return refusal_of([&] { read_subject(read_data_set(path(name)), 0); });
  }

 private:
  void write(const std::string& name, const std::vector<std::int64_t>& shape, const Affine& affine,
             const std::vector<float>& values) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    write_nifti(path(name), {shape, affine}, std::span<const float>(values));
  }

  TemporaryFolder folder_;
};

const Json kLabels = {{"background", 0}, {"edema", 1}, {"core", 2}, {"enhancing", 3}};

Json nnunet_document() {
  return {{"channel_names", {{"0", "FLAIR"}, {"1", "T1w"}}},
          {"labels", kLabels},
          {"numTraining", 2},
          {"file_ending", ".nii.gz"}};
}

// Two cases of two channels.
void write_nnunet_files(const Folder& folder) {
  for (const char* name : {"B_002", "B_001"}) {
    folder.image(std::string("imagesTr/") + name + "_0000.nii.gz", 0);
    folder.image(std::string("imagesTr/") + name + "_0001.nii.gz", 100);
    folder.label(std::string("labelsTr/") + name + ".nii.gz");
  }
}

TEST(NnUNet, ReadsAFilePerChannel) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.empty("imagesTr/._B_001_0000.nii.gz");  // macOS leaves such
  folder.json(nnunet_document());
  const DataSet dataset = read_data_set(folder.path());
  EXPECT_EQ(dataset.layout, "nnunet");
  EXPECT_EQ(dataset.modalities, (std::vector<std::string>{"FLAIR", "T1w"}));
  EXPECT_EQ(dataset.labels, (std::vector<std::string>{"background", "edema", "core", "enhancing"}));
  EXPECT_TRUE(dataset.notes.empty());
  ASSERT_EQ(dataset.cases.size(), 2U);
  EXPECT_EQ(dataset.cases[0].images,
            (std::vector<std::string>{"imagesTr/B_001_0000.nii.gz", "imagesTr/B_001_0001.nii.gz"}));
  EXPECT_EQ(dataset.cases[0].label, "labelsTr/B_001.nii.gz");
  const Subject subject = read_subject(dataset, 0);
  EXPECT_EQ(subject.channels, 2);
  ASSERT_EQ(subject.image.size(), 48U);
  EXPECT_EQ(subject.image[5], 5.0F);
  EXPECT_EQ(subject.image[24 + 5], 105.0F);
  EXPECT_EQ(subject.labels[7], 3);
  EXPECT_EQ(read_subject(dataset, 0, 1).image.size(), 24U);
  EXPECT_EQ(outline_subject(dataset, 1).channels, 2);
  const Batch batch =
      make_batch(data_set_subjects(folder.path(), 1), {{4, 3, 2}, 2, 3}, 2, 1, 0, 0);
  EXPECT_EQ(batch.input.size(), 96U);
  const SubjectParts parts = data_set_parts(folder.path(), 1);
  EXPECT_EQ(parts.facts.kind, "nnunet");
  const std::set<std::string> names = {"imagesTr/B_001.nii.gz", "imagesTr/B_002.nii.gz"};
  EXPECT_TRUE(names.contains(parts.training.case_name(0))) << parts.training.case_name(0);
}

TEST(NnUNet, ReadsVersion1WhoseListLeavesTheSuffixOut) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json({{"name", "B"},
               {"modality", {{"0", "FLAIR"}, {"1", "T1w"}}},
               {"labels", {{"0", "background"}, {"1", "edema"}, {"2", "core"}, {"3", "new"}}},
               {"training",
                {{{"image", "./imagesTr/B_001.nii.gz"}, {"label", "./labelsTr/B_001.nii.gz"}}}}});
  const DataSet dataset = read_data_set(folder.path());
  EXPECT_EQ(dataset.layout, "nnunet");
  ASSERT_EQ(dataset.cases.size(), 1U);  // those that the list has
  EXPECT_EQ(dataset.cases[0].images.size(), 2U);
  EXPECT_EQ(read_subject(dataset, 0).image[24 + 5], 105.0F);
}

TEST(NnUNet, ReadsAListThatNamesTheFirstChannel) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json({{"name", "B"},
               {"modality", {{"0", "FLAIR"}, {"1", "T1w"}}},
               {"labels", kLabels},
               {"training",
                {{{"image", "imagesTr/B_001_0000.nii.gz"}, {"label", "labelsTr/B_001.nii.gz"}}}}});
  EXPECT_EQ(read_data_set(folder.path()).cases[0].images.size(), 2U);
}

TEST(NnUNet, ReadsAListByCase) {
  const Folder folder;
  write_nnunet_files(folder);
  Json document = nnunet_document();
  document["dataset"] = {{"one",
                          {{"images", {"imagesTr/B_002_0000.nii.gz", "imagesTr/B_002_0001.nii.gz"}},
                           {"label", "labelsTr/B_002.nii.gz"}}}};
  folder.json(document);
  const DataSet dataset = read_data_set(folder.path());
  ASSERT_EQ(dataset.cases.size(), 1U);
  EXPECT_EQ(dataset.cases[0].label, "labelsTr/B_002.nii.gz");
  document["dataset"]["one"]["label"] = "../B_002.nii.gz";
  folder.json(document);
  EXPECT_NE(folder.refusal().find("without \"..\""), std::string::npos);
}

TEST(NnUNet, ReadsRegionsAsTheLabelValuesTheyAreMadeOf) {
  const Folder folder;
  write_nnunet_files(folder);
  Json document = nnunet_document();
  document["labels"] = {
      {"background", 0}, {"whole tumor", {1, 2, 3}}, {"tumor core", {2, 3}}, {"enhancing", {3}}};
  document["regions_class_order"] = {1, 2, 3};
  folder.json(document);
  const DataSet dataset = read_data_set(folder.path());
  EXPECT_EQ(dataset.labels,
            (std::vector<std::string>{"background", "whole tumor", "whole tumor + tumor core",
                                      "whole tumor + tumor core + enhancing"}));
  ASSERT_EQ(dataset.notes.size(), 1U);
  EXPECT_NE(dataset.notes[0].find("whole tumor: 1, 2, 3; tumor core: 2, 3"), std::string::npos);
  EXPECT_EQ(read_subject(dataset, 0).labels[7], 3);
}

TEST(NnUNet, ReadsIgnoredVoxelsAsBackgroundAndSaysSo) {
  const Folder folder;
  write_nnunet_files(folder);
  Json document = nnunet_document();
  document["labels"] = {{"background", 0}, {"edema", 1}, {"core", "2"}, {"ignore", 3}};
  folder.json(document);
  const DataSet dataset = read_data_set(folder.path());
  EXPECT_EQ(dataset.labels.size(), 3U);
  ASSERT_EQ(dataset.notes.size(), 1U);
  EXPECT_NE(dataset.notes[0].find("\"ignore\" (3) is read as background"), std::string::npos);
  EXPECT_EQ(read_subject(dataset, 0).labels[7], 0);
  EXPECT_EQ(data_set_subjects(folder.path(), 1).classes, 2);
  const Json facts = inspect_dataset(folder.path(), 1);
  EXPECT_EQ(facts["labels"][3]["name"], "ignore");
  EXPECT_EQ(facts["labels"][3]["voxels"], 12);

  document["labels"]["ignore"] = 7;
  folder.json(document);
  EXPECT_NE(folder.refusal().find("\"ignore\" is 7, expected 3, the value after the last label"),
            std::string::npos);
  document["labels"] = {{"ignore", 0}};
  folder.json(document);
  EXPECT_NE(folder.refusal().find("\"labels\": expected a name beside \"ignore\""),
            std::string::npos);
}

TEST(NnUNet, TakesTheFoldsOfItsSplitsFinal) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json(nnunet_document());
  const DataSet plain = read_data_set(folder.path());
  ASSERT_EQ(plain.cases.size(), 2U);
  std::vector<std::string> names;
  for (const DataCase& one : plain.cases) {
    names.push_back(fs::path(one.label).stem().stem().string());
  }
  EXPECT_NE(refusal_of([&] { read_data_set("fold:0:" + folder.path()); }).find("splits_final.json"),
            std::string::npos);
  const Json splits = Json::array(
      {{{"train", {names[0]}}, {"val", {names[1]}}}, {{"train", {names[1]}}, {"val", {names[0]}}}});
  folder.json(splits, "splits_final.json");
  const DataSet first = read_data_set(folder.path());
  ASSERT_TRUE(first.listed_split);
  EXPECT_EQ(first.listed_split->training, std::vector<std::size_t>{0});
  EXPECT_EQ(first.listed_split->validation, std::vector<std::size_t>{1});
  EXPECT_NE(first.notes.back().find("fold 0 of the 2"), std::string::npos);
  const DataSet second = read_data_set("fold:1:" + folder.path());
  EXPECT_EQ(second.listed_split->validation, std::vector<std::size_t>{0});

  EXPECT_NE(refusal_of([&] { read_data_set("fold:2:" + folder.path()); }).find("a fold 2, found 2"),
            std::string::npos);
  folder.json(Json::array({{{"train", {"absent"}}, {"val", {names[0]}}}}), "splits_final.json");
  EXPECT_NE(folder.refusal().find("\"absent\": no such case"), std::string::npos);
  folder.json(Json::array({{{"train", names}, {"val", {names[0]}}}}), "splits_final.json");
  EXPECT_NE(folder.refusal().find("trains and validates"), std::string::npos);
}

TEST(NnUNet, RefusesACaseThatAFoldListsTwice) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json(nnunet_document());
  const auto said = [&](const Json& train, const Json& val) {
    folder.json(Json::array({{{"train", train}, {"val", val}}}), "splits_final.json");
    return folder.refusal();
  };
  EXPECT_EQ(said({"B_001"}, {"B_002"}), "");
  EXPECT_NE(said({"B_001", "B_001"}, {"B_002"}).find("\"train\": \"B_001\" is listed twice"),
            std::string::npos);
  EXPECT_NE(said({"B_001"}, {"B_002", "B_002"}).find("\"val\": \"B_002\" is listed twice"),
            std::string::npos);
  EXPECT_NE(said({"B_001", "B_002"}, {"B_002"}).find("B_002.nii.gz trains and validates"),
            std::string::npos);
}

TEST(NnUNet, CountsCasesThatAFoldDoesNotList) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json(nnunet_document());
  const auto note = [&](const Json& val) {
    folder.json(Json::array({{{"train", {"B_001"}}, {"val", val}}}), "splits_final.json");
    return read_data_set(folder.path()).notes.back();
  };
  EXPECT_EQ(note({"B_002"}).find("in neither"), std::string::npos);
  EXPECT_NE(note(Json::array()).find("train (1) and which validate (0); 1 in neither, not used"),
            std::string::npos);
}

// Of files by name and size, and of a listed split.
std::string identity(const Folder& folder, const std::vector<std::string>& files,
                     const std::string& split) {
  Sha256 hash;
  const auto add = [&](const std::string& line) { hash.update(std::as_bytes(std::span(line))); };
  for (const std::string& file : files) {
    add(fmt::format("{} {}\n", file, fs::file_size(folder.path(file))));
  }
  add(split);
  return hash.hex();
}

// `train` goes on, and `predict` scores a part, only where it is the same.
TEST(NnUNet, IsOtherDataWhereAFoldTrainsOnOtherCases) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.image("imagesTr/B_003_0000.nii.gz");
  folder.image("imagesTr/B_003_0001.nii.gz");
  folder.label("labelsTr/B_003.nii.gz");
  folder.json(nnunet_document());
  const auto identity_of_training_on = [&](const std::vector<std::string>& names) {
    folder.json(Json::array({{{"train", names}, {"val", {"B_001"}}}}), "splits_final.json");
    return data_set_parts(folder.path(), 1).facts.identity;
  };
  EXPECT_NE(identity_of_training_on({"B_002"}), identity_of_training_on({"B_003"}));
  EXPECT_NE(identity_of_training_on({"B_002"}), identity_of_training_on({"B_002", "B_003"}));
  // That of checkpoints of earlier versions: all cases but the others train.
  const std::vector<std::string> files = {
      "imagesTr/B_001_0000.nii.gz", "imagesTr/B_001_0001.nii.gz", "labelsTr/B_001.nii.gz",
      "imagesTr/B_002_0000.nii.gz", "imagesTr/B_002_0001.nii.gz", "labelsTr/B_002.nii.gz",
      "imagesTr/B_003_0000.nii.gz", "imagesTr/B_003_0001.nii.gz", "labelsTr/B_003.nii.gz"};
  EXPECT_EQ(identity_of_training_on({"B_002", "B_003"}),
            identity(folder, files, "validation 0\ntest \n"));
}

// BraTS has 0, 1, 2 and 4.
TEST(NnUNet, TakesLabelValuesWithAGap) {
  for (const Json& labels : {Json{{"background", 0}, {"edema", 1}, {"core", 3}},
                             Json{{"0", "background"}, {"3", "core"}},
                             Json{{"background", 0}, {"whole", {1, 3}}, {"core", {3}}}}) {
    const Folder folder;
    write_nnunet_files(folder);
    Json document = nnunet_document();
    document["labels"] = labels;
    folder.json(document);
    const DataSet dataset = read_data_set(folder.path());
    ASSERT_EQ(dataset.labels.size(), 4U) << labels;
    EXPECT_EQ(dataset.labels[2], "unnamed 2");
    EXPECT_NE(dataset.notes.front().find("has no name for "), std::string::npos) << labels;
    EXPECT_NE(dataset.notes.front().find("each value from 0 to 3 is a class; a class without"),
              std::string::npos)
        << dataset.notes.front();
    EXPECT_EQ(read_subject(dataset, 0).labels[7], 3);
  }
}

TEST(NnUNet, RefusesWhatIsMissingByItsName) {
  const auto said = [](const auto& change) {
    const Folder folder;
    write_nnunet_files(folder);
    Json document = nnunet_document();
    change(folder, document);
    folder.json(document);
    return folder.refusal();
  };
  EXPECT_EQ(said([](const Folder&, Json&) {}), "");
  EXPECT_NE(said([](const Folder& folder, Json&) {
              fs::remove(folder.path("labelsTr/B_001.nii.gz"));
            }).find("labelsTr/B_001.nii.gz is missing: the labels of imagesTr/B_001_0000"),
            std::string::npos);
  EXPECT_NE(said([](const Folder& folder, Json&) {
              fs::remove(folder.path("imagesTr/B_001_0001.nii.gz"));
            }).find("imagesTr/B_001_0001.nii.gz is missing: channel 1, T1w"),
            std::string::npos);
  EXPECT_NE(said([](const Folder& folder, Json&) {
              fs::remove(folder.path("imagesTr/B_001_0000.nii.gz"));
            }).find("imagesTr/B_001_0000.nii.gz is missing: channel 0, FLAIR"),
            std::string::npos);
  EXPECT_NE(said([](const Folder&, Json& json) { json["labels"]["core"] = -1; }).find("\"core\""),
            std::string::npos);
  EXPECT_NE(said([](const Folder&, Json& json) { json.erase("labels"); }).find("\"labels\""),
            std::string::npos);
  EXPECT_NE(said([](const Folder&, Json& json) { json["file_ending"] = ".nrrd"; }).find("NRRD"),
            std::string::npos);
  EXPECT_NE(
      said([](const Folder&, Json& json) { json["file_ending"] = ".png"; }).find("two dimensions"),
      std::string::npos);
}

TEST(NnUNet, ListsEveryFileThatIsMissingOrTooMany) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.image("imagesTr/B_003_0001.nii.gz");
  folder.image("imagesTr/B_002_0002.nii.gz");
  fs::remove(folder.path("labelsTr/B_001.nii.gz"));
  folder.json(nnunet_document());
  const std::string said = folder.refusal();
  for (const char* fault :
       {"labelsTr/B_001.nii.gz is missing", "imagesTr/B_002_0002.nii.gz is one too many",
        "imagesTr/B_003_0000.nii.gz is missing: channel 0", "labelsTr/B_003.nii.gz is missing"}) {
    EXPECT_NE(said.find(fault), std::string::npos) << said;
  }
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 3) << said;
}

TEST(NnUNet, ListsEveryCaseOfVersion1ThatLacksAChannel) {
  const Folder folder;
  write_nnunet_files(folder);
  Json training = Json::array();
  for (const char* name : {"B_001", "B_002"}) {
    training.push_back({{"image", fmt::format("imagesTr/{}.nii.gz", name)},
                        {"label", fmt::format("labelsTr/{}.nii.gz", name)}});
    fs::remove(folder.path(fmt::format("imagesTr/{}_0001.nii.gz", name)));
  }
  folder.json({{"name", "B"},
               {"modality", {{"0", "FLAIR"}, {"1", "T1w"}}},
               {"labels", kLabels},
               {"training", training}});
  const std::string said = folder.refusal();
  for (const char* name : {"B_001", "B_002"}) {
    const std::string fault = fmt::format("imagesTr/{}_0001.nii.gz is missing", name);
    EXPECT_NE(said.find(fault), std::string::npos) << said;
  }
}

TEST(NnUNet, ListsEveryFaultOfAListByCase) {
  const Folder folder;
  write_nnunet_files(folder);
  Json document = nnunet_document();
  document["dataset"] = {
      {"one", {{"images", {"imagesTr/B_002_0000.nii.gz"}}, {"label", "labelsTr/B_002.nii.gz"}}},
      {"two", {{"images", Json::array()}}}};
  folder.json(document);
  const std::string said = folder.refusal();
  EXPECT_NE(said.find("dataset[\"one\"]: 1 channel files, expected 2"), std::string::npos) << said;
  EXPECT_NE(said.find("dataset[\"two\"]: 0 channel files, expected 2"), std::string::npos) << said;
}

TEST(NnUNet, CountsTestImagesThatAreNotRead) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json(nnunet_document());
  for (const char* name : {"T_001", "T_002"}) {
    folder.image(fmt::format("imagesTs/{}_0000.nii.gz", name));
    folder.image(fmt::format("imagesTs/{}_0001.nii.gz", name));
  }
  EXPECT_NE(inspect_text(inspect_dataset(folder.path(), 1))
                .find("imagesTs: 2 images without labels, not read\n"),
            std::string::npos);
}

TEST(NnUNet, SaysWhenTheCountOfCasesDiffers) {
  const Folder folder;
  write_nnunet_files(folder);
  Json document = nnunet_document();
  document["numTraining"] = 3;
  folder.json(document);
  const DataSet dataset = read_data_set(folder.path());
  ASSERT_EQ(dataset.notes.size(), 1U);
  EXPECT_NE(dataset.notes[0].find("\"numTraining\" says 3"), std::string::npos);
}

TEST(NnUNet, RefusesChannelsThatDifferInDimsOrAffine) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json(nnunet_document());
  folder.image("imagesTr/B_001_0001.nii.gz", 0, kScanner, {4, 2, 3});
  EXPECT_NE(folder.refusal().find("shape 4x2x3, expected 4x3x2"), std::string::npos);
  Affine moved = kScanner;
  moved[0][3] += 0.5;
  folder.image("imagesTr/B_001_0001.nii.gz", 0, moved);
  EXPECT_NE(folder.refusal().find("B_001_0001.nii.gz: affine[0][3]"), std::string::npos);
  folder.image("imagesTr/B_001_0001.nii.gz", 0, kScanner, {4, 3, 2, 2});
  EXPECT_NE(folder.refusal().find("2 channels, expected 1"), std::string::npos);
}

TEST(NnUNet, RefusesChannelFilesThatAreLinksOutOrFifos) {
  const Folder folder;
  const TemporaryFolder outside;
  write_nnunet_files(folder);
  folder.json(nnunet_document());
  const std::string second = folder.path("imagesTr/B_001_0001.nii.gz");
  fs::rename(second, outside.path("x.nii.gz"));
  fs::create_symlink(outside.path("x.nii.gz"), second);
  EXPECT_NE(folder.refusal().find("link out of the folder"), std::string::npos);
  fs::remove(second);
  ASSERT_EQ(mkfifo(second.c_str(), 0600), 0);
  EXPECT_NE(folder.refusal().find("regular file"), std::string::npos);
}

TEST(DataSet, ReadsLabelsFromNameToNumberInTheDecathlonsForm) {
  const Folder folder;
  folder.image("imagesTr/a.nii.gz");
  folder.label("labelsTr/a.nii.gz");
  folder.json({{"name", "a"},
               {"labels", kLabels},
               {"training", {{{"image", "imagesTr/a.nii.gz"}, {"label", "labelsTr/a.nii.gz"}}}}});
  const DataSet dataset = read_data_set(folder.path());
  EXPECT_EQ(dataset.layout, "decathlon");
  EXPECT_EQ(dataset.labels[3], "enhancing");
}

TEST(DataSet, TakesABackslashForASeparatorAndKeepsTheFolderClosed) {
  const Folder folder;
  folder.image("imagesTr/a.nii.gz");
  folder.label("labelsTr/a.nii.gz");
  const auto said_of = [&](const std::string& image) {
    folder.json({{"name", "a"},
                 {"labels", kLabels},
                 {"training", {{{"image", image}, {"label", ".\\labelsTr\\a.nii.gz"}}}}});
    return folder.refusal();
  };
  EXPECT_EQ(said_of("imagesTr\\a.nii.gz"), "");
  for (const char* out : {"..\\a.nii.gz", "imagesTr\\..\\..\\a.nii.gz", "\\etc\\a.nii.gz",
                          "C:\\data\\a.nii.gz", "C:/data/a.nii.gz"}) {
    EXPECT_NE(said_of(out).find("expected one inside the folder"), std::string::npos) << out;
  }
  folder.image("odd\\name.nii.gz");  // a name that Linux allows
  EXPECT_EQ(said_of("odd\\name.nii.gz"), "");
}

// Cases 0 to 5 of two modalities, folds 0, 1, 2, 0, 1, 2.
Json folds_document(const Folder& folder) {
  Json training = Json::array();
  for (int i = 0; i < 6; ++i) {
    const std::string stem = fmt::format("case{0}/case{0}", i);
    folder.image(stem + "_flair.nii.gz", 0);
    folder.image(stem + "_t1.nii.gz", 100);
    folder.label(stem + "_seg.nii.gz");
    training.push_back({{"fold", i % 3},
                        {"image", {stem + "_flair.nii.gz", stem + "_t1.nii.gz"}},
                        {"label", stem + "_seg.nii.gz"}});
  }
  return {{"training", training}};
}

TEST(Datalist, ReadsAFilePerModalityAndFoldsAndAnyLabel) {
  const Folder folder;
  folder.json(folds_document(folder), "brats_folds.json");
  const std::string list = folder.path("brats_folds.json");
  const DataSet dataset = read_data_set(list);
  EXPECT_EQ(dataset.layout, "datalist");
  EXPECT_EQ(dataset.name, "brats_folds");
  EXPECT_TRUE(dataset.labels.empty());
  EXPECT_EQ(dataset.notes.size(), 2U);
  ASSERT_TRUE(dataset.listed_split);
  EXPECT_EQ(dataset.listed_split->validation, (std::vector<std::size_t>{0, 3}));
  EXPECT_EQ(dataset.listed_split->training, (std::vector<std::size_t>{1, 2, 4, 5}));
  EXPECT_EQ(read_subject(dataset, 2).channels, 2);
  // The folder's only list is the folder's description.
  EXPECT_EQ(read_data_set(folder.path()).cases.size(), 6U);
  const SubjectParts parts = data_set_parts(list, 1);
  EXPECT_EQ(parts.training.classes, 1);
  EXPECT_EQ(parts.validation.count, 2U);
  EXPECT_EQ(parts.test.count, 0U);
  EXPECT_NE(refusal_of([&] {
              check_source(parts.training, {{4, 3, 2}, 1, 3}, 1);
            }).find("names one label besides background, or none"),
            std::string::npos);
  const Json facts = inspect(list, 1);
  EXPECT_EQ(facts["labels"].size(), 4U);
  EXPECT_TRUE(facts["labels"][3]["name"].is_null());
  EXPECT_NE(inspect_text(facts).find("label 3: not named"), std::string::npos);
}

TEST(Datalist, TakesTheFoldThatIsAskedFor) {
  const Folder folder;
  folder.json(folds_document(folder));
  const DataSet dataset = read_data_set("fold:2:" + folder.path());
  EXPECT_EQ(dataset.listed_split->validation, (std::vector<std::size_t>{2, 5}));
  EXPECT_NE(data_set_parts("fold:2:" + folder.path(), 1).facts.identity,
            data_set_parts(folder.path(), 1).facts.identity);
  EXPECT_NE(refusal_of([&] { read_data_set("fold:3:" + folder.path()); }).find("0, 1, 2"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { read_data_set("fold:x:" + folder.path()); }).find("fold:N:PATH"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { read_data_set("fold:1"); }).find("fold:N:PATH"), std::string::npos);
}

TEST(Datalist, TakesSectionsForTheSplit) {
  const Folder folder;
  Json document = folds_document(folder);
  Json training = document["training"];
  document["labels"] = {{"0", "background"}, {"1", "a"}, {"2", "b"}, {"3", "c"}};
  document["modality"] = {{"0", "MRI"}};  // a word for both
  document["validation"] = Json::array({training[4]});
  document["test"] = Json::array({training[5], {{"image", training[5]["image"]}}});
  training.erase(5);
  training.erase(4);
  for (Json& one : training) {
    one.erase("fold");
  }
  document["training"] = training;
  folder.json(document);
  const DataSet dataset = read_data_set(folder.path());
  ASSERT_TRUE(dataset.listed_split);
  EXPECT_EQ(dataset.listed_split->training.size(), 4U);
  EXPECT_EQ(dataset.listed_split->validation, (std::vector<std::size_t>{4}));
  EXPECT_EQ(dataset.listed_split->test, (std::vector<std::size_t>{5}));
  EXPECT_TRUE(dataset.modalities.empty());
  EXPECT_NE(refusal_of([&] { read_data_set("fold:1:" + folder.path()); }).find("lists no folds"),
            std::string::npos);
}

TEST(Datalist, RefusesCasesOfOtherForms) {
  const auto said = [](const auto& change) {
    const Folder folder;
    Json document = folds_document(folder);
    change(document["training"]);
    folder.json(document);
    return folder.refusal();
  };
  EXPECT_NE(said([](Json& list) { list[1]["image"].erase(1); }).find("1 image files, expected 2"),
            std::string::npos);
  EXPECT_NE(said([](Json& list) { list[1]["image"][1] = 5; }).find("expected a string"),
            std::string::npos);
  EXPECT_NE(said([](Json& list) { list[1]["image"][1] = "../x.nii.gz"; }).find("\"..\""),
            std::string::npos);
  EXPECT_NE(said([](Json& list) { list[1]["image"][1] = list[1]["image"][0]; }).find("twice"),
            std::string::npos);
  EXPECT_NE(said([](Json& list) { list[1]["fold"] = "a"; }).find("\"fold\""), std::string::npos);
  EXPECT_NE(said([](Json& list) { list[1]["image"] = "case1/x.mha"; }).find("1 image files"),
            std::string::npos);
  EXPECT_NE(said([](Json& list) { list[1]["label"] = "case1/x.mha"; }).find("MetaImage"),
            std::string::npos);
}

TEST(Datalist, ListsEveryCaseThatIsOfAnotherForm) {
  const Folder folder;
  Json document = folds_document(folder);
  document["training"][1].erase("label");
  document["training"][2]["image"].erase(1);
  document["training"][3]["image"][0] = "../x.nii.gz";
  document["validation"] = Json::array({{{"image", 5}, {"label", "x.nii.gz"}}});
  folder.json(document);
  const std::string said = folder.refusal();
  for (const char* fault : {"training[1]: \"label\" is missing", "training[2]: 1 image files",
                            "training[3]: path \"../x.nii.gz\"", "validation[0]: \"image\""}) {
    EXPECT_NE(said.find(fault), std::string::npos) << said;
  }
}

TEST(Datalist, ReadsAListOfCasesAlone) {
  const Folder folder;
  folder.json(folds_document(folder)["training"], "list.json");
  EXPECT_EQ(read_data_set(folder.path("list.json")).cases.size(), 6U);
  EXPECT_EQ(read_data_set(folder.path()).listed_split->validation,
            (std::vector<std::size_t>{0, 3}));
}

TEST(Datalist, ReadsAbsolutePathsThatLeadIntoTheFolder) {
  const Folder folder;
  const TemporaryFolder elsewhere;
  fs::create_directory_symlink(folder.path(), elsewhere.path("alias"));
  folder.image("a.nii.gz");
  folder.label("label.nii.gz");
  fs::create_symlink("/etc/passwd", folder.path("out.nii.gz"));
  const auto said_of = [&](const std::string& image) {
    folder.json({{"training", {{{"image", image}, {"label", folder.path("label.nii.gz")}}}}});
    return folder.refusal();
  };
  EXPECT_EQ(said_of(folder.path("a.nii.gz")), "");
  EXPECT_EQ(said_of(elsewhere.path("alias/a.nii.gz")), "");
  EXPECT_EQ(read_data_set(elsewhere.path("alias")).cases[0].images[0], "a.nii.gz");
  EXPECT_NE(said_of(elsewhere.path("a.nii.gz")).find("inside the folder"), std::string::npos);
  EXPECT_NE(said_of(folder.path("../x/a.nii.gz")).find("without \"..\""), std::string::npos);
  EXPECT_NE(said_of(folder.path("out.nii.gz")).find("link out of the folder"), std::string::npos);
  EXPECT_NE(said_of(folder.path()).find("inside the folder"), std::string::npos);
}

TEST(Datalist, CountsImagesWithoutLabelsOfEverySection) {
  const Folder folder;
  Json document = folds_document(folder);
  document["test"] = {"imagesTs/a.nii.gz", "imagesTs/b.nii.gz"};
  document["testing"] = Json::array({{{"image", "imagesTs/c.nii.gz"}}});
  folder.json(document);
  const std::string text = inspect_text(inspect_dataset(folder.path(), 1));
  EXPECT_NE(text.find("\"test\": 2 images without labels, not read\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\"testing\": 1 image without labels, not read\n"), std::string::npos)
      << text;
}

TEST(Datalist, AsksWhichOfSeveral) {
  const Folder folder;
  const Json document = folds_document(folder);
  folder.json(document, "dataset_0.json");
  folder.json(document, "dataset_1.json");
  folder.json({{"other", 1}}, "notes.json");
  EXPECT_NE(folder.refusal().find("2 datalists (dataset_0.json, dataset_1.json), expected one"),
            std::string::npos);
  EXPECT_EQ(folder.refusal("dataset_1.json"), "");
}

TEST(OtherLayouts, AreNamedWithTheWayThere) {
  const auto said = [](const std::vector<std::string>& files) {
    const Folder folder;
    for (const std::string& file : files) {
      folder.empty(file);
    }
    return refusal_of([&] { read_data_set(folder.path()); });
  };
  const auto expect = [&](const std::vector<std::string>& files, const std::string& words) {
    const std::string found = said(files);
    EXPECT_NE(found.find(words), std::string::npos) << found;
  };
  expect({"BraTS_001/BraTS_001_flair.nii.gz", "BraTS_001/BraTS_001_seg.nii.gz"}, "as BraTS has it");
  expect(
      {"BraTS_001/BraTS_001_flair.nii.gz", "BraTS_001/BraTS_001_seg.nii.gz"},
      R"({"image":"BraTS_001/BraTS_001_flair.nii.gz","label":"BraTS_001/BraTS_001_seg.nii.gz"})");
  expect({"case_0/imaging.nii.gz", "case_0/segmentation.nii.gz"}, "as KiTS has it");
  expect({"dataset_description.json", "sub-01/anat/sub-01_T1w.nii.gz"}, "a BIDS folder");
  expect({"nnUNetPlans.json", "dataset_fingerprint.json", "nnUNetPlans_3d_fullres/a.b2nd"},
         "nnU-Net's preprocessed data");
  expect({"Dataset001_A/dataset.json", "Dataset002_B/dataset.json"},
         "2 data sets (Dataset001_A, Dataset002_B)");
  expect({"series/0001.dcm"}, "DICOM");
  expect({"imagesTr/a.nii.gz", "labelsTr/a.nii.gz"}, "images without a description");
  expect({"a.nrrd"}, "NRRD");
  expect({"readme.txt"}, "no dataset.json, expected the folder");
}

TEST(OtherLayouts, WithNnUNetsNamesGetADescriptionThatIsRead) {
  const Folder folder;
  write_nnunet_files(folder);
  for (const char* place : {"", "imagesTr"}) {
    const std::string said = folder.refusal(place);
    EXPECT_NE(said.find("write "), std::string::npos) << said;
    const std::size_t begin = said.find('{');
    ASSERT_NE(begin, std::string::npos) << said;
    Json document = Json::parse(said.substr(begin));
    EXPECT_EQ(document["channel_names"].size(), 2U);
    EXPECT_EQ(document["numTraining"], 2);
    document["labels"] = kLabels;
    folder.json(document);
    EXPECT_EQ(folder.refusal(), "");
    fs::remove(folder.path("dataset.json"));
  }
}

TEST(OtherLayouts, OfAPartOfADataSetNameTheFolder) {
  const Folder folder;
  write_nnunet_files(folder);
  folder.json(nnunet_document());
  EXPECT_NE(folder.refusal("imagesTr").find("a part of a data set, expected its folder: "),
            std::string::npos);
}

TEST(UnlabelledImages, AreThoseOfAFolderWithoutDescriptionAndLabels) {
  const auto found = [](const std::vector<std::string>& files, const std::string& place = "") {
    const Folder folder;
    for (const std::string& file : files) {
      folder.empty(file);
    }
    std::vector<std::string> images = unlabelled_images(folder.path(place));
    for (std::string& image : images) {
      image = fs::path(image).lexically_relative(folder.path()).string();
    }
    return images;
  };
  using Files = std::vector<std::string>;
  EXPECT_EQ(found({"b.nii.gz", "a.nii", ".c.nii.gz", "notes.txt"}), (Files{"a.nii", "b.nii.gz"}));
  EXPECT_EQ(found({"imagesTs/a.nii.gz"}), Files{"imagesTs/a.nii.gz"});
  EXPECT_EQ(found({"imagesTs/a.nii.gz", "dataset.json"}, "imagesTs"), Files{"imagesTs/a.nii.gz"});
  EXPECT_EQ(found({"imagesTr/a.nii.gz"}), Files{"imagesTr/a.nii.gz"});
  EXPECT_EQ(found({"a_0000.nii.gz", "b_0000.nii.gz"}), (Files{"a_0000.nii.gz", "b_0000.nii.gz"}));

  EXPECT_EQ(found({"notes.txt"}), Files{});
  EXPECT_EQ(found({"imagesTs/notes.txt"}), Files{});
  EXPECT_EQ(found({"a.nii.gz", "dataset.json"}), Files{});
  EXPECT_EQ(found({"imagesTr/a.nii.gz", "labelsTr/a.nii.gz"}), Files{});
  EXPECT_EQ(found({"imagesTr/a.nii.gz", "labelsTr/a.nii.gz"}, "imagesTr"), Files{});
  EXPECT_EQ(found({"a.nii.gz", "a_seg.nii.gz"}), Files{});
  EXPECT_EQ(found({"imagesTs/a_0000.nii.gz", "imagesTs/a_0001.nii.gz"}), Files{});
  EXPECT_EQ(found({"a_0001.nii.gz"}), Files{});
  EXPECT_EQ(found({"a/a.nii.gz"}), Files{});
  EXPECT_EQ(found({"a.nii.gz"}, "a.nii.gz"), Files{});
  EXPECT_EQ(found({}, "absent"), Files{});
  const Folder folder;
  folder.json(folds_document(folder), "list.json");
  folder.image("a.nii.gz");
  EXPECT_EQ(unlabelled_images(folder.path()), Files{});
}

TEST(OtherLayouts, SayWhatAnNnUNetDescriptionLacks) {
  const Folder folder;
  folder.json(nnunet_document());
  EXPECT_NE(folder.refusal().find("no imagesTr/CASE_0000.nii.gz"), std::string::npos);
  folder.empty("nnUNetPlans.json");
  EXPECT_NE(folder.refusal().find("preprocessed"), std::string::npos);
}

}  // namespace
}  // namespace voxmark
