#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"

namespace voxmark {
namespace {

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) / fmt::format("atomic_file_test.{}", getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "report.json").string(); }
  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path()).rdbuf();
    return text.str();
  }
  std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(folder_), {});
  }

  std::filesystem::path folder_;
};

TEST_F(AtomicFileTest, ReplacesOnlyWhenCommitted) {
  std::ofstream(path()) << "old";
  {
    AtomicFile file(path());
    file.write("half");
    EXPECT_EQ(content(), "old");
  }
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(files(), 1);
  AtomicFile file(path());
  file.write("ne");
  file.write("w");
  file.commit();
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFileTest, WritesBehindASymbolicLink) {
  const auto target = folder_ / "target";
  std::ofstream(target) << "old";
  std::filesystem::create_symlink(target, path());
  AtomicFile file(path());
  file.write("new");
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(path()));
  EXPECT_EQ(content(), "new");
}

TEST_F(AtomicFileTest, WritesBehindALinkToAFileThatIsNotThereYet) {
  std::filesystem::create_directories(folder_ / "store");
  std::filesystem::create_symlink("store/first", path());
  std::filesystem::create_symlink(folder_ / "store/second", folder_ / "store/first");
  AtomicFile file(path());
  file.write("new");
  file.commit();
  EXPECT_EQ(content(), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(path()));
  EXPECT_TRUE(std::filesystem::is_regular_file(folder_ / "store/second"));
}

TEST_F(AtomicFileTest, RefusesALinkToItself) {
  std::filesystem::create_symlink("report.json", path());
  EXPECT_THROW(AtomicFile file(path()), Error);
  EXPECT_TRUE(std::filesystem::is_symlink(path()));
}

TEST_F(AtomicFileTest, ReportsAFullDevice) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "no /dev/full here";
  }
  AtomicFile file("/dev/full");
  try {
    file.write("text");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::internal);
    EXPECT_EQ(std::string(error.what()), "/dev/full: cannot be written: No space left on device");
  }
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST_F(AtomicFileTest, ReportsAFileSizeLimitAndLeavesNothingBehind) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    AtomicFile file(path());
    file.write(std::string(2000, 'x'));
    file.commit();
  } catch (const Error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(message, path() + ": cannot be written: File too large");
  EXPECT_EQ(files(), 0);
}

TEST_F(AtomicFileTest, ATableOfFilesThatIsFullIsNoFaultOfTheInput) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  std::string words;
  ExitCode code = ExitCode::done;
  const auto refused = [&](const std::string& where) {
    try {
      const AtomicFile file(where);
    } catch (const Error& error) {
      words = error.what();
      code = error.code();
    }
  };
  // UBSan opens a pipe when it meets a type for the first time: all of this happens once before.
  refused(path() + "/missing/report.json");
  EXPECT_EQ(code, ExitCode::bad_input);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  refused(path());
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(code, ExitCode::cannot_here);
  EXPECT_NE(words.find("Too many open files (ulimit -n)"), std::string::npos) << words;
}

TEST_F(AtomicFileTest, RefusesAPlaceWhereNoFileCanBe) {
  for (const std::string& bad : {folder_.string(), path() + "/missing/report.json"}) {
    try {
      AtomicFile file(bad);
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_EQ(std::string(error.what()).find(bad), 0U) << error.what();
    }
  }
}

}  // namespace
}  // namespace voxmark
