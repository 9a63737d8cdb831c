#include "tools/voxmark/external.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

void write_program(const fs::path& path, fs::perms permissions = fs::perms::owner_all) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "#!/bin/sh\n";
  fs::permissions(path, permissions);
}

class External : public ::testing::Test {
 protected:
  External() {
    write_program(beside() + "/voxmark-both");
    write_program(elsewhere() + "/voxmark-both");
    write_program(elsewhere() + "/voxmark-far");
    write_program(elsewhere() + "/voxmark-plain", fs::perms::owner_read);
    fs::create_directories(elsewhere() + "/voxmark-folder");
  }
  std::string beside() const { return folder_.path() + "/bin"; }
  std::string elsewhere() const { return folder_.path() + "/other"; }
  std::optional<std::string> find(const std::string& name) const {
    return find_external(name, beside(), "/nowhere::" + elsewhere());
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(External, PrefersTheProgramBesideVoxmark) {
  EXPECT_EQ(find("both"), beside() + "/voxmark-both");
}

TEST_F(External, LooksIntoThePath) { EXPECT_EQ(find("far"), elsewhere() + "/voxmark-far"); }

TEST_F(External, TakesProgramsOnly) {
  EXPECT_EQ(find("plain"), std::nullopt);
  EXPECT_EQ(find("folder"), std::nullopt);
  EXPECT_EQ(find("missing"), std::nullopt);
}

TEST_F(External, RefusesWhatIsNoName) {
  for (const char* name :
       {"", "-far", "--help", "../other/voxmark-far", "x/../far", "Far", "f r"}) {
    EXPECT_EQ(find(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace voxmark
