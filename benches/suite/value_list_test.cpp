#include "benches/suite/value_list.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "benches/protocol/external_command.h"
#include "benches/suite/suite.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

using Values = std::vector<std::string>;

TEST(SplitFiles, KeepsTheNameOfAFolderThatIsThereWhole) {
  const TemporaryFolder folder;
  for (const char* name : {"set, v2", "plain", "a,b,c", "größe, 2=3"}) {
    fs::create_directory(folder.path(name));
  }
  const std::string set = folder.path("set, v2");
  const std::string plain = folder.path("plain");
  const std::string three = folder.path("a,b,c");
  EXPECT_EQ(split_files(set, "--data"), (Values{set}));
  EXPECT_EQ(split_files("phantom," + set + "," + plain + "," + three, "--data"),
            (Values{"phantom", set, plain, three}));
  EXPECT_EQ(split_files("fold:1:" + set + ",synthetic", "--data"),
            (Values{"fold:1:" + set, "synthetic"}));
  EXPECT_EQ(split_files(folder.path("größe, 2=3"), "--data").size(), 1U);
  EXPECT_EQ(split_files("no,such", "--data"), (Values{"no", "such"}));
  EXPECT_NE(refusal_of([] { split_files("a,,b", "--data"); }).find("expected a list"),
            std::string::npos);
}

TEST(SplitFiles, KeepsAProgramWithItsArgumentsWhole) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path("x, y"));
  const std::string odd = folder.path("x, y/run it");
  const std::string simple = folder.path("simple");
  write_bytes(odd, "");
  write_bytes(simple, "");
  EXPECT_EQ(split_files("naive,exec:" + odd + ",eigen", "--backend"),
            (Values{"naive", "exec:" + odd, "eigen"}));
  EXPECT_EQ(split_files("exec:" + odd + " --fast,eigen", "--backend"),
            (Values{"exec:" + odd + " --fast", "eigen"}));
  EXPECT_EQ(split_files("exec:" + simple + " --fast,exec:" + simple, "--backend"),
            (Values{"exec:" + simple + " --fast", "exec:" + simple}));
  EXPECT_EQ(split_files("exec:python3 a.py,naive", "--backend"),
            (Values{"exec:python3 a.py", "naive"}));
}

TEST(ExternalCommand, TakesBlanksInTheNameOfAProgramThatIsThere) {
  const TemporaryFolder folder;
  const std::string odd = folder.path("my prog: a=b 'c' é");
  write_bytes(odd, "");
  EXPECT_EQ(external_command("exec:" + odd), (Values{odd}));
  EXPECT_EQ(external_command("exec:" + odd + "  --x  1"), (Values{odd, "--x", "1"}));
  EXPECT_EQ(external_command("exec:python3  a.py"), (Values{"python3", "a.py"}));
  EXPECT_NE(refusal_of([] { external_command("exec: "); }).find("expected a program"),
            std::string::npos);
}

TEST(Suite, TakesAFoldersNameWithCommasAndOneImageForWhatTheyAre) {
  const Json grid = {
      {"backend", {"null"}}, {"image", {{128, 128, 64}}}, {"data", {"set, v2", "synthetic"}}};
  Json suite = {{"schema", "voxmark.suite/1"}, {"grids", Json::array({grid})}};
  const std::vector<CaseSpec> cases = expand(suite_from_json(suite, "s"), 1, {});
  ASSERT_EQ(cases.size(), 2U);
  EXPECT_EQ(cases.front().data, "set, v2");
  EXPECT_EQ(cases.front().image, (Dims{128, 128, 64}));
  suite["grids"][0]["image"] = {128, 128, 64};
  EXPECT_NE(refusal_of([&] { suite_from_json(suite, "s"); }).find("one image of three extents is"),
            std::string::npos);
}

TEST(OneImage, IsNotTakenForThreeCubes) {
  const auto said = [](const Values& images) {
    return refusal_of([&] { refuse_one_image_as_cubes(images, "--image"); });
  };
  EXPECT_EQ(said({"128", "128", "64"}),
            "--image: 128,128,64 are three cubes, two of them the same; one image of three extents "
            "is 128x128x64");
  EXPECT_NE(said({"64", "128", "128"}), "");
  EXPECT_EQ(said({"32", "64", "128"}), "");
  EXPECT_EQ(said({"64", "64"}), "");
  EXPECT_EQ(said({"64x64x32", "64x64x32", "64"}), "");
  EXPECT_NE(one_image_meant({"128", "96", "64"}).find("128x96x64"), std::string::npos);
  EXPECT_EQ(one_image_meant({"64", "96", "128"}), "");
  EXPECT_EQ(one_image_meant({"128", "64"}), "");
}

}  // namespace
}  // namespace voxmark
