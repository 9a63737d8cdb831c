#include "benches/protocol/isa.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

std::string write_program(const std::string& path) {
  std::ofstream(path) << "#!/bin/sh\n";
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

TEST(WiderSibling, TakesThePlaceOfVoxmarkWhereTheCpuCanRunIt) {
  const TemporaryFolder folder;
  const std::string voxmark = write_program(folder.path() + "/voxmark");
  EXPECT_FALSE(wider_sibling(voxmark)) << "there is none";
  const std::string sibling = write_program(folder.path() + "/voxmark-avx512");
  const bool has_it = !isa_missing(*find_isa("avx512"), "");
  EXPECT_EQ(wider_sibling(voxmark), has_it ? std::optional(sibling) : std::nullopt);
  fs::permissions(sibling, fs::perms::owner_read);
  EXPECT_FALSE(wider_sibling(voxmark)) << "it cannot be run";
}

TEST(WiderSibling, DoesNotTakeThePlaceOfASibling) {
  const TemporaryFolder folder;
  write_program(folder.path() + "/voxmark-avx512");
  EXPECT_FALSE(wider_sibling(write_program(folder.path() + "/voxmark-avx2")));
  EXPECT_FALSE(wider_sibling(folder.path() + "/voxmark-avx512")) << "nor of itself";
}

}  // namespace
}  // namespace voxmark
