// voxmark run with a second contender beside the first: another build, another backend, another
// program.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/sha256.h"
#include "tools/tests/run_fixture.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class AgainstTest : public RunTest {
 protected:
  std::string script(const std::string& name, const std::string& text) const {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  std::string program(const std::string& name, const std::string& remark) const {
    return script(name, std::string("# ") + remark + "\n" + FAULTY_CHILD + " none\nexit $?");
  }
  Json theirs() const { return read_json_file(folder_.path() + "/report.against.json"); }
};

TEST_F(AgainstTest, ABuildCannotStandAgainstAProgramThatBothWouldRun) {
  const std::string copy = script("copy", std::string("exec ") + VOXMARK_BINARY + " \"$@\"");
  const std::string own = program("own", "new");
  for (const std::string& backend : {"exec:" + own, "naive,exec:" + own,
                                     std::string("tensorflow-stock"), std::string("pytorch")}) {
    for (const char* flag : {"--no-cache", "--dry-run"}) {
      const CommandResult result = run({"--backend", backend, "--against", copy, flag});
      EXPECT_EQ(result.status, 64) << backend;
      EXPECT_THAT(result.err, HasSubstr("--against-backend")) << backend;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(report_));
}

TEST_F(AgainstTest, TwoProgramsAreMeasuredBesideEachOther) {
  const std::string own = program("own", "new"), base = program("base", "base");
  const CommandResult result =
      run({"--backend", "exec:" + own, "--against-backend", "exec:" + base, "--repeats", "2"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("voxmark compare"), HasSubstr("--ignore backend"),
                                Not(HasSubstr("same program"))));
  const Json ours = read_json_file(report_), other = theirs();
  for (const auto& [report, path] : {std::pair(ours, own), std::pair(other, base)}) {
    ASSERT_EQ(report.at("records").size(), 2U);
    for (const Json& record : report.at("records")) {
      EXPECT_EQ(record.at("outcome"), "ok") << record.at("reason");
      EXPECT_EQ(record.at("case").at("backend"), "exec:" + path);
      const Json& program = record.at("details").at("program");
      EXPECT_EQ(program.at("command"), path);
      EXPECT_EQ(program.at("files").at(0).at("sha256"), sha256_file(path));
    }
  }
  EXPECT_EQ(ours.at("records").at(0).at("weights_sha256"),
            other.at("records").at(0).at("weights_sha256"));
}

TEST_F(AgainstTest, TheSameProgramOnBothSidesIsSaid) {
  const std::string own = program("own", "one"), copy = program("copy", "one");
  const CommandResult result =
      run({"--backend", "exec:" + own, "--against-backend", "exec:" + copy});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("are the same program"), HasSubstr("noise")));
  const CommandResult alike = run({"--backend", "null", "--against-backend", "null"});
  EXPECT_THAT(alike.err, HasSubstr("both sides are null"));
}

TEST_F(AgainstTest, AnyTwoBackendsAreContenders) {
  const CommandResult result =
      run({"--backend", "naive", "--against-backend", "example", "--repeats", "2"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(theirs().at("records").at(0).at("case").at("backend"), "example");
  EXPECT_EQ(theirs().at("details").at("baseline"), "example");
  EXPECT_EQ(run({"--backend", "naive,null", "--against-backend", "example"}).status, 64);
  EXPECT_EQ(run({"--backend", "naive", "--against-backend", "nobody"}).status, 64);
  EXPECT_EQ(
      run({"--backend", "naive", "--against-backend", "null", "--against", VOXMARK_BINARY}).status,
      64);
}

// More processes of a case are wanted by either side, and measured on both.
TEST_F(AgainstTest, BothSidesHaveAsManyProcesses) {
  const CommandResult result = run({"--backend", "null", "--against-backend", "naive",
                                    "--precision-target", "0.000001", "--max-repeats", "3"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), 3U);
  EXPECT_EQ(theirs().at("records").size(), 3U);
}

TEST_F(AgainstTest, AScriptThatStartsTheSameBinaryIsSaidToBeTheSame) {
  const std::string wrapper = script("wrapper", std::string("exec ") + VOXMARK_BINARY + " \"$@\"");
  const CommandResult result = run({"--backend", "naive", "--against", wrapper});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("the same binary as this one"), HasSubstr("noise")));
}

}  // namespace
}  // namespace voxmark
