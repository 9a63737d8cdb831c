#include "base/overwrite.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Overwrite, IsRefusedWhereSomethingIsThere) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/report.json";
  EXPECT_NO_THROW(check_overwrite("--out", path, false)) << "nothing is there";
  std::ofstream(path).close();
  EXPECT_NO_THROW(check_overwrite("--out", path, false)) << "mktemp makes it";
  EXPECT_NO_THROW(check_overwrite("--out", "/dev/null", false));
  std::ofstream(path) << "{}";
  EXPECT_NO_THROW(check_overwrite("--out", path, true));
  try {
    check_overwrite("--out", path, false, "; --resume goes on");
    FAIL() << "it was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr(path), HasSubstr("--overwrite"), HasSubstr("--resume goes on")));
  }
}

TEST(Overwrite, AnEarlierResultIsKeptUnderTheNextFreeName) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/report.json";
  EXPECT_EQ(name_for_keeping(path), path + ".1");
  std::ofstream(path + ".1").close();
  std::filesystem::create_symlink("/nowhere", path + ".2");
  EXPECT_EQ(name_for_keeping(path), path + ".3");
}

}  // namespace
}  // namespace voxmark
