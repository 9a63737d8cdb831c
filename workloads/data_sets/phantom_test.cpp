#include "workloads/data_sets/phantom.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "base/sha256.h"
#include "workloads/data_sets/batch_source.h"
#include "workloads/data_sets/data_set.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

constexpr Dims kSmall{48, 40, 32};

TEST(Phantom, HasEveryLabelInEverySubject) {
  for (const Dims& dims : {Dims{32, 32, 32}, kSmall}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      for (std::size_t index = 0; index < 4; ++index) {
        const Subject subject = phantom_subject({seed, 4, dims}, index);
        const std::set<int> labels(subject.labels.begin(), subject.labels.end());
        EXPECT_EQ(labels, (std::set<int>{0, 1, 2, 3})) << "seed " << seed << " subject " << index;
      }
    }
  }
}

// Brighter oedema in FLAIR and T2w, a bright rim in T1gd: what tells the labels apart.
TEST(Phantom, IntensitiesTellTheLabelsApart) {
  const Subject subject = phantom_subject({1, 4, kSmall}, 0);
  const std::size_t voxels = subject.labels.size();
  std::array<std::array<double, 4>, 4> mean{};  // by label and channel, over the brain
  for (std::size_t label = 0; label < 4; ++label) {
    for (std::size_t channel = 0; channel < 4; ++channel) {
      double sum = 0;
      double count = 0;
      for (std::size_t i = 0; i < voxels; ++i) {
        if (subject.labels[i] != label || subject.image[i] == 0) {
          continue;
        }
        sum += static_cast<double>(subject.image[channel * voxels + i]);
        count += 1;
      }
      mean[label][channel] = sum / count;
    }
  }
  EXPECT_GT(mean[1][0], mean[0][0] + 100);  // FLAIR: oedema
  EXPECT_GT(mean[1][3], mean[0][3] + 100);  // T2w: oedema
  EXPECT_GT(mean[3][2], mean[1][2] + 200);  // T1gd: rim above oedema
  EXPECT_LT(mean[2][2], mean[3][2] - 200);  // T1gd: core below rim
}

TEST(Phantom, OutsideTheHeadIsExactlyZero) {
  const Subject subject = phantom_subject({1, 4, kSmall}, 0);
  for (std::size_t channel = 0; channel < 4; ++channel) {
    EXPECT_EQ(subject.image[channel * subject.labels.size()], 0.0F);
  }
}

// The digest is of the same bytes on every machine, compiler and optimisation level.
TEST(Phantom, IsTheSameEverywhere) {
  const Subject subject = phantom_subject({1, 4, kSmall}, 0);
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(subject.image))),
            "71cebb462e487ee4c68f898c0c9d9da2c411af3a0504add709aca843e3b09952");
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(subject.labels))),
            "c9b572c534d83f7e2c1c78f815f40b8454ed135706e0ada85aef6472e439678d");
}

TEST(Phantom, DiffersBySeedAndSubject) {
  const Subject subject = phantom_subject({1, 4, kSmall}, 0);
  EXPECT_NE(subject.labels, phantom_subject({2, 4, kSmall}, 0).labels);
  EXPECT_NE(subject.labels, phantom_subject({1, 4, kSmall}, 1).labels);
}

TEST(Phantom, WhatIsWrittenReadsBackVoxelByVoxel) {
  const TemporaryFolder folder;
  const PhantomOptions options{7, 3, kSmall};
  write_phantom_dataset(folder.path("set"), options);
  const DataSet dataset = read_data_set(folder.path("set"));
  ASSERT_EQ(dataset.cases.size(), 3U);
  EXPECT_EQ(dataset.labels.size(), 4U);
  EXPECT_EQ(dataset.modalities.size(), 4U);
  for (std::size_t index = 0; index < 3; ++index) {
    const Subject drawn = phantom_subject(options, index);
    const Subject read = read_subject(dataset, index);
    EXPECT_EQ(read.dims, drawn.dims);
    EXPECT_EQ(read.channels, drawn.channels);
    EXPECT_EQ(read.image, drawn.image);
    EXPECT_EQ(read.labels, drawn.labels);
  }
}

TEST(Phantom, OverwritesAPhantomButNoOtherDataSet) {
  const TemporaryFolder folder;
  const PhantomOptions options{1, 1, {16, 16, 16}};
  write_phantom_dataset(folder.path("set"), options);
  EXPECT_EQ(refusal_of([&] { write_phantom_dataset(folder.path("set"), options); }), "");
  write_bytes(folder.path("set/dataset.json"), R"({"name": "BRATS"})");
  const std::string said = refusal_of([&] { write_phantom_dataset(folder.path("set"), options); });
  EXPECT_NE(said.find("another data set"), std::string::npos) << said;
  EXPECT_EQ(read_bytes(folder.path("set/dataset.json")), R"({"name": "BRATS"})");
}

TEST(Phantom, FewerChannelsAreTheFirstOfAll) {
  const PhantomOptions options{1, 4, kSmall};
  const Subject all = phantom_subject(options, 2);
  const Subject two = phantom_subject(options, 2, 2);
  EXPECT_EQ(two.channels, 2);
  EXPECT_EQ(two.labels, all.labels);
  ASSERT_EQ(two.image.size(), all.image.size() / 2);
  EXPECT_TRUE(std::equal(two.image.begin(), two.image.end(), all.image.begin()));
}

// A set too large for the disk: what is drawn is what would be written.
TEST(Phantom, CasesOfALargeSetAreThoseThatTheWriterWrites) {
  const TemporaryFolder folder;
  const Dims dims{48, 48, 32};
  PhantomOptions options;
  options.seed = 5;
  options.subjects = 3;
  options.dims = dims;
  write_phantom_dataset(folder.path("set"), options);
  const DataSet written = read_data_set(folder.path("set"));
  options.subjects = 484;  // the number decides nothing about a case
  for (std::size_t i = 0; i < 3; ++i) {
    const Subject drawn = phantom_subject(options, i);
    const Subject read = read_subject(written, i);
    EXPECT_EQ(read.image, drawn.image);
    EXPECT_EQ(read.labels, drawn.labels);
    EXPECT_EQ(read_image_header(written, i).affine[2], phantom_affine(dims)[2]);
  }
}

TEST(DataFacts, KnowTheFilesWhereverTheyLie) {
  const TemporaryFolder folder;
  PhantomOptions options;
  options.dims = kSmall;
  options.subjects = 2;
  write_phantom_dataset(folder.path("one"), options);
  std::filesystem::copy(folder.path("one"), folder.path("elsewhere"),
                        std::filesystem::copy_options::recursive);
  options.seed = 2;
  write_phantom_dataset(folder.path("other"), options);
  const auto facts = [&](const char* name) { return data_set_parts(folder.path(name), 1).facts; };
  EXPECT_EQ(facts("one").kind, "decathlon");
  EXPECT_EQ(facts("one").identity, facts("elsewhere").identity);
  EXPECT_NE(facts("one").identity, facts("other").identity);
  EXPECT_NE(phantom_parts(8, kSmall, 1).facts.identity, phantom_parts(8, kSmall, 2).facts.identity);
  EXPECT_NE(phantom_parts(8, kSmall, 1).facts.identity, phantom_parts(9, kSmall, 1).facts.identity);
}

TEST(MakeBatch, IsAPureFunctionOfSeedEpochAndStep) {
  const SubjectSource source = phantom_subjects({32, 32, 16}, 1);
  const SampleShape shape{{32, 16, 16}, 2, 3};
  const Batch batch = make_batch(source, shape, 2, 1, 0, 1);
  EXPECT_EQ(batch.input.size(), std::size_t{2 * 32 * 16 * 16 * 2});
  EXPECT_EQ(batch.target.size(), std::size_t{2 * 32 * 16 * 16 * 4});
  EXPECT_EQ(sha256_hex(batch), sha256_hex(make_batch(source, shape, 2, 1, 0, 1)));
  EXPECT_NE(sha256_hex(batch), sha256_hex(make_batch(source, shape, 2, 1, 0, 0)));
  EXPECT_NE(sha256_hex(batch), sha256_hex(make_batch(source, shape, 2, 2, 0, 1)));
}

// Records which subjects a batch asks for.
SubjectSource recording(std::size_t count, std::vector<std::size_t>& asked) {
  return {count,
          1,
          1,
          [&asked](std::size_t subject, std::int64_t) {
            asked.push_back(subject);
            return Subject{"tiny", {1, 1, 1}, 1, {1.0F}, {0}};
          },
          {}};
}

TEST(MakeBatch, TakesEverySubjectOncePerEpoch) {
  for (const std::int64_t images : {1, 2, 3, 6}) {
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<std::size_t> asked;
      const SubjectSource source = recording(6, asked);
      for (std::uint64_t step = 0; step < 6 / static_cast<std::uint64_t>(images); ++step) {
        make_batch(source, {{1, 1, 1}, 1, 1}, images, 1, epoch, step);
      }
      EXPECT_EQ(asked.size(), 6U);
      EXPECT_EQ(std::set<std::size_t>(asked.begin(), asked.end()).size(), 6U);
    }
  }
}

TEST(MakeBatch, ShufflesByEpochAndSeed) {
  std::set<std::vector<std::size_t>> orders;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<std::size_t> asked;
      make_batch(recording(20, asked), {{1, 1, 1}, 1, 1}, 20, seed, epoch, 0);
      orders.insert(asked);
    }
  }
  EXPECT_EQ(orders.size(), 9U);
}

TEST(MakeBatch, FillsALargeBatchFromASingleSubject) {
  std::vector<std::size_t> asked;
  make_batch(recording(1, asked), {{1, 1, 1}, 1, 1}, 3, 1, 0, 5);
  EXPECT_EQ(asked, (std::vector<std::size_t>{0, 0, 0}));
}

TEST(MakeBatch, RefusesWhatTheSourceDoesNotHave) {
  const SubjectSource source = phantom_subjects({16, 16, 16}, 1);
  const auto said = [&](const SampleShape& shape, std::int64_t images) {
    return refusal_of([&] { make_batch(source, shape, images, 1, 0, 0); });
  };
  EXPECT_NE(said({{16, 16, 16}, 5, 1}, 1).find("5 input channels"), std::string::npos);
  EXPECT_NE(said({{16, 16, 16}, 0, 1}, 1).find("0 input channels"), std::string::npos);
  EXPECT_NE(said({{16, 16, 16}, 1, 2}, 1).find("2 classes"), std::string::npos);
  EXPECT_NE(said({{16, 16, 16}, 1, 1}, 0).find("batch of 0"), std::string::npos);
  EXPECT_NE(said({{32, 16, 16}, 1, 1}, 1).find("16x16x16"), std::string::npos);
}

}  // namespace
}  // namespace voxmark
