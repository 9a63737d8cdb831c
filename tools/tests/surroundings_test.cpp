// What a command is started with: its three streams, open or not, and a place for files. Each kind
// of want is told or does not matter; none of them ends a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tools/tests/run_fixture.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

std::string joined(const Arguments& arguments) {
  std::string text = VOXMARK_BINARY;
  for (const std::string& argument : arguments) {
    text += " '" + argument + "'";
  }
  return text;
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class SurroundingsTest : public RunTest {
 protected:
  // The exit code of a line of shell, or 128 + signal.
  int shell(const std::string& line) {
    const int status = std::system(("{ " + line + "; } 2>>" + folder_.path() + "/shell").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  Json first_record() const { return read_json_file(report_).at("records").at(0); }

  std::string run_ = joined(tiny_run(report_, {"--backend", "naive"}));
  std::string words_ = folder_.path() + "/words";
};

TEST_F(SurroundingsTest, StandardErrorThatCannotBeWrittenChangesNoExitCode) {
  for (const char* lost : {" 2>&-", " 2>/dev/full", " 2>&- <&-"}) {
    EXPECT_EQ(shell(run_ + lost + " >" + words_), 0) << lost;
    EXPECT_EQ(first_record().at("outcome"), "ok") << lost;
    EXPECT_THAT(text_of(words_), HasSubstr("naive")) << lost;
    EXPECT_EQ(shell(joined({"inspect", "/no/such/image.nii"}) + lost), 64) << lost;
    EXPECT_EQ(shell(joined({"run", "--image", "17"}) + lost), 64) << lost;
    EXPECT_EQ(shell(joined({"compare", "/no/a.json", "/no/b.json"}) + lost), 64) << lost;
  }
}

TEST_F(SurroundingsTest, AReaderOfErrorsThatGoesAwayEndsNoRun) {
  const std::string more = joined(tiny_run(report_, {"--backend", "null", "--repeats", "4"}));
  EXPECT_EQ(shell("{ " + more + "; echo $? >" + words_ + "; } 2>&1 >/dev/null | head -n 1"), 0);
  EXPECT_EQ(text_of(words_), "0\n");
  EXPECT_EQ(read_json_file(report_).at("records").size(), 4U);
  // Where the answer has no reader either, nobody got one.
  EXPECT_EQ(shell("{ " + more + "; echo $? >" + words_ + "; } 2>&1 | true"), 0);
  EXPECT_EQ(text_of(words_), "70\n");
  EXPECT_EQ(read_json_file(report_).at("records").size(), 4U) << "and the report is there";
}

TEST_F(SurroundingsTest, AnAnswerThatNobodyCanReadIsAnErrorInEveryCommand) {
  for (const Arguments& command : std::vector<Arguments>{{"list", "backends"},
                                                         {"--version"},
                                                         {"run", "--help"},
                                                         {"compare", "--help"},
                                                         {"plan", "--image", "16"}}) {
    for (const char* lost : {" >&-", " >/dev/full", " <&- >&-"}) {
      EXPECT_EQ(shell(joined(command) + lost), 70) << command.front() << lost;
    }
    EXPECT_EQ(shell("{ " + joined(command) + "; echo $? >" + words_ + "; } | true"), 0);
    EXPECT_THAT(text_of(words_), testing::AnyOf("70\n", "0\n")) << "before or after it had gone";
  }
}

TEST_F(SurroundingsTest, StreamsThatAreClosedAreNobodyElses) {
  for (const char* closed : {" <&-", " <&- 2>&-", " <&- >&- 2>&-", " >&- 2>&-"}) {
    const bool is_answered = std::string(closed).find(">&- 2") == std::string::npos;
    EXPECT_EQ(shell(run_ + closed), is_answered ? 0 : 70) << closed;
    EXPECT_EQ(first_record().at("outcome"), "ok") << closed << first_record().at("reason");
  }
}

// The reference of a step takes megabytes; it is only kept for the next process.
TEST_F(SurroundingsTest, APlaceForFilesThatIsTooSmallCostsWhatNeedsOne) {
  EXPECT_EQ(shell("ulimit -f 600; exec " + run_), 0) << text_of(folder_.path() + "/shell");
  EXPECT_EQ(first_record().at("outcome"), "ok") << first_record().at("reason");
  EXPECT_EQ(first_record().at("verification").at("verified"), true);
}

TEST_F(SurroundingsTest, APlaceForFilesMayHaveAnyName) {
  for (const std::string& name :
       {std::string("a b"), std::string("a\nb"), std::string("relative")}) {
    std::filesystem::create_directories(folder_.path() + "/" + name);
    const std::string place = name == "relative" ? name : folder_.path() + "/" + name;
    EXPECT_EQ(shell("cd " + folder_.path() + "; TMPDIR='" + place + "' exec " + run_), 0) << name;
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/" + name)) << name;
  }
  EXPECT_EQ(shell("TMPDIR=" + report_ + " exec " + run_), 0) << "a file";
  EXPECT_EQ(shell("HOME= XDG_CACHE_HOME=odd exec " + run_), 0);
}

TEST_F(SurroundingsTest, NothingToResumeIsWhereARunBegins) {
  const Arguments flags = tiny_run(report_, {"--backend", "null", "--resume", "--repeats"});
  const auto resumed = [&](const std::string& repeats) {
    Arguments arguments = flags;
    arguments.push_back(repeats);
    return run_voxmark(arguments);
  };
  const CommandResult begun = resumed("1");
  EXPECT_EQ(begun.status, 0) << begun.err;
  EXPECT_THAT(begun.err, HasSubstr("nothing to resume, so the run begins"));
  const Json first = first_record();
  // Of a report that was finished: it goes on, and measures nothing twice.
  const CommandResult more = resumed("2");
  EXPECT_EQ(more.status, 0) << more.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), 2U);
  EXPECT_EQ(first_record(), first);
  const CommandResult same = resumed("2");
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), 2U);
  EXPECT_FALSE(std::filesystem::exists(report_ + ".journal"));
}

TEST_F(SurroundingsTest, AJournalThatWasNeverBegunIsNothingToResume) {
  for (const char* torn : {"", "{\"sha256\":\"12"}) {
    std::filesystem::remove(report_);
    std::ofstream(report_ + ".journal") << torn;
    const CommandResult begun = run({"--backend", "null", "--resume"});
    EXPECT_EQ(begun.status, 0) << begun.err;
    EXPECT_THAT(begun.err, HasSubstr("nothing to resume")) << torn;
    EXPECT_EQ(read_json_file(report_).at("records").size(), 1U) << torn;
  }
}

TEST_F(SurroundingsTest, AProgramOfOnesOwnThatFailsIsNoFaultOfVoxmarks) {
  EXPECT_EQ(run({"--backend", "exec:/bin/true"}).status, 1);
  EXPECT_EQ(run({"--backend", "exec:/bin/cat"}).status, 1);
  EXPECT_EQ(run({"--backend", "exec:/no/such/program"}).status, 64);
}

// Only the soft limit: it can be raised. A hard one can only be named, but by root.
TEST_F(SurroundingsTest, ASmallStackIsRaisedOrNamed) {
  EXPECT_EQ(shell("ulimit -S -s 64; exec " + run_), 0) << text_of(folder_.path() + "/shell");
  EXPECT_EQ(first_record().at("outcome"), "ok") << first_record().at("reason");
  const int status = shell("ulimit -s 64; exec " + run_);
  EXPECT_THAT(status, testing::AnyOf(0, 5));
  if (status == 5) {
    EXPECT_THAT(text_of(folder_.path() + "/shell"), HasSubstr("ulimit -s 8192"));
  }
  EXPECT_EQ(shell("OMP_STACKSIZE=16k exec " + run_), 64);
  EXPECT_THAT(text_of(folder_.path() + "/shell"), HasSubstr("OMP_STACKSIZE=16k: too small"));
  EXPECT_EQ(shell("OMP_STACKSIZE=512k exec " + run_), 0) << text_of(folder_.path() + "/shell");
}

TEST_F(SurroundingsTest, FilesThatThisProcessMayNotOpenAreNoFaultOfItsInput) {
  for (int limit = 3; limit < 12; ++limit) {
    const int status = shell("ulimit -n " + std::to_string(limit) + "; exec " + run_);
    // 127: the loader opens no library.
    EXPECT_THAT(status, testing::AnyOf(0, 5, 127)) << limit << text_of(folder_.path() + "/shell");
  }
}

TEST_F(SurroundingsTest, WithoutProcARunGoesOn) {
  if (shell("unshare -m true") != 0) {
    GTEST_SKIP() << "this user may not take /proc away";
  }
  const auto without_proc = [&](const std::string& line) {
    return shell("unshare -m sh -c \"mount -t tmpfs none /proc && exec " + line + "\"");
  };
  EXPECT_EQ(without_proc(run_), 0) << text_of(folder_.path() + "/shell");
  EXPECT_EQ(first_record().at("outcome"), "ok") << first_record().at("reason");
  EXPECT_EQ(without_proc(joined({"validate", report_})), 0);
  EXPECT_EQ(without_proc(joined({"sysinfo"}) + " >" + words_), 0);
}

}  // namespace
}  // namespace voxmark
