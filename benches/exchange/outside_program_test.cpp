#include "benches/exchange/outside_program.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/sha256.h"
#include "base/testing/temporary_folder.h"
#include "benches/run/run_identity.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class OutsideProgramTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_.path() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  std::string digest(const std::string& script) {
    return programs_.facts({script}).files->front().sha256.value_or("");
  }

  TemporaryFolder folder_;
  OutsideProgram programs_;
};

TEST_F(OutsideProgramTest, EveryFileOfTheCommandHasItsDigest) {
  const std::string script = write("step.py", "one");
  const std::string weights = write("weights", "two");
  const Json facts = members_to_json(
      programs_.facts({"sh", script, "--weights=" + weights, "--fast", "/no/file"}));
  EXPECT_EQ(facts.at("command"), "sh " + script + " --weights=" + weights + " --fast /no/file");
  ASSERT_EQ(facts.at("files").size(), 3U);
  EXPECT_THAT(facts.at("files").at(0).at("path").get<std::string>(), testing::EndsWith("/sh"));
  EXPECT_EQ(facts.at("files").at(1).at("sha256"), sha256_hex(std::string_view("one")));
  EXPECT_EQ(facts.at("files").at(2).at("sha256"), sha256_hex(std::string_view("two")));
}

TEST_F(OutsideProgramTest, AFileThatIsWrittenAnewIsReadAnew) {
  const std::string script = write("step.py", "one");
  const std::string before = digest(script);
  EXPECT_EQ(digest(script), before);
  write("step.py", "another");
  EXPECT_NE(digest(script), before);
}

TEST_F(OutsideProgramTest, TheSameProgramIsSaidToBeTheSame) {
  const std::string first = write("new/step.py", "one"), copy = write("base/step.py", "one");
  const std::string other = write("other/step.py", "two");
  const auto warning = [&](const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return same_program_warning(programs_.facts(a), programs_.facts(b));
  };
  EXPECT_THAT(warning({"sh", first}, {"sh", copy}),
              AllOf(HasSubstr("are the same program"), HasSubstr("noise")));
  EXPECT_THAT(warning({"sh", first, "--fast"}, {"sh", first}), HasSubstr("other arguments"));
  EXPECT_THAT(warning({first}, {copy}), HasSubstr("noise"));
  // The interpreter alone makes no two scripts the same.
  EXPECT_THAT(warning({"sh", first}, {"sh", other}), IsEmpty());
  EXPECT_THAT(warning({"sh", "--in=" + first}, {"sh", "--in=" + other}), IsEmpty());
}

TEST_F(OutsideProgramTest, AResumedRunKnowsTwoScriptsOfOneName) {
  const std::string first = write("a/step.py", "one"), second = write("b/step.py", "two");
  std::vector<CaseSpec> cases(2);
  cases[0].backend = "exec:" + first;
  cases[1].backend = "exec:" + second;
  const Json kernels = {{"binary_sha256", "0"},
                        {"cpu", ""},
                        {"cpu_flags", ""},
                        {"libraries", Json::array()},
                        {"variables", Json::object()}};
  const ChildProgram child{{"voxmark", "child"}, {}};
  const Json before = run_identity(kernels, child, cases);
  write("b/step.py", "three");
  EXPECT_NE(run_identity(kernels, child, cases), before);
}

}  // namespace
}  // namespace voxmark
