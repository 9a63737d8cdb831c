#include "training/prediction/case_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "training/data.h"

namespace voxmark {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(CaseFiles, HaveTheNamesOfTheirImages) {
  EXPECT_THAT(file_names({"imagesTr/BRATS_002.nii.gz", "imagesTr/BRATS_001.nii"}),
              ElementsAre(Pair("imagesTr/BRATS_001.nii", "BRATS_001"),
                          Pair("imagesTr/BRATS_002.nii.gz", "BRATS_002")));
}

TEST(CaseFiles, HaveTheNamesOfTheirFoldersWhereThoseTellThemApart) {
  EXPECT_THAT(file_names({"all/case_00/imaging.nii.gz", "all/case_01/imaging.nii.gz"}),
              ElementsAre(Pair("all/case_00/imaging.nii.gz", "case_00_imaging"),
                          Pair("all/case_01/imaging.nii.gz", "case_01_imaging")));
}

// Whatever is replaced, cut off or not told apart by a file system.
TEST(CaseFiles, AreAsManyAsThereAreCases) {
  const std::string long_name(240, 'x');
  const std::vector<std::string> cases = {
      "a b",     "a_b",      "A_B",     "a_b_2",         "a/b",           "a:b",
      "c.nii",   "c.nii.gz", "C.NII",   "x/c.nii",       "x_c.nii",       "",
      ".nii.gz", "_2",       long_name, "1" + long_name, "é" + long_name, "phantom 3"};
  const auto files = file_names(cases);
  ASSERT_EQ(files.size(), cases.size());
  std::set<std::string> folded;
  for (const auto& [name, file] : files) {
    std::string lower;
    for (const char character : file) {
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
      EXPECT_NE(character, '/') << name;
      EXPECT_NE(character, ' ') << name;
    }
    EXPECT_TRUE(folded.insert(lower).second) << name << " shares " << file;
    EXPECT_LE(file.size(), 210U);
  }
  EXPECT_EQ(files.at("a_b_2"), "a_b_2");  // a number takes no other case's name
  EXPECT_EQ(files.at("phantom 3"), "phantom_3");
}

TEST(CaseFiles, OfAPartAreThoseOfTheWhole) {
  const SubjectParts parts = open_parts("phantom:16", {16, 16, 16}, 1);
  const auto files = case_files(parts);
  EXPECT_EQ(files.size(), 16U);
  EXPECT_EQ(files.at(parts.test.case_name(0)).substr(0, 8), "phantom_");
}

}  // namespace
}  // namespace voxmark
