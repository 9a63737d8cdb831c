#include "base/command_words.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

using Words = std::vector<std::string>;

std::string program(const TemporaryFolder& folder, const std::string& name) {
  std::ofstream(folder.path(name)) << "#!/bin/sh\n";
  std::filesystem::permissions(folder.path(name), std::filesystem::perms::owner_all);
  return folder.path(name);
}

TEST(CommandWords, AreApartByBlanksButForTheNameOfAProgramThatIsThere) {
  const TemporaryFolder folder;
  const std::string odd = program(folder, "my run");
  EXPECT_EQ(command_words("mpirun  -x A=B "), (Words{"mpirun", "-x", "A=B"}));
  EXPECT_EQ(command_words(odd + "  -x A=B"), (Words{odd, "-x", "A=B"}));
  EXPECT_EQ(command_words(odd), Words{odd});
  EXPECT_TRUE(command_words("  ").empty());
  EXPECT_TRUE(command_words("").empty());
}

TEST(ProgramPath, IsTheShells) {
  const TemporaryFolder folder;
  const std::string mine = program(folder, "mine");
  std::ofstream(folder.path("text")) << "no program";
  EXPECT_EQ(program_path("mine", "/nowhere:" + folder.path()), mine);
  EXPECT_EQ(program_path(mine, ""), mine);
  EXPECT_EQ(program_path("text", folder.path()), "");
  EXPECT_EQ(program_path("mine", "/nowhere"), "");
  EXPECT_EQ(program_path(folder.path("none"), ""), "");
}

}  // namespace
}  // namespace voxmark
