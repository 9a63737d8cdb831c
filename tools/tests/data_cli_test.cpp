// How commands read data folders that other programs made.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/tests/run_fixture.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class DataTest : public RunTest {
 protected:
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }

  // Cases whose files are links out of the folder.
  std::string linked_set(int cases) {
    const std::string store = file("store");
    const std::string set = file("set");
    EXPECT_EQ(
        run_voxmark({"phantom", store, "--cases", std::to_string(cases), "--image", "32"}).status,
        0);
    fs::create_directory(set);
    fs::copy(store + "/dataset.json", set + "/dataset.json");
    for (const char* part : {"imagesTr", "labelsTr"}) {
      fs::create_directory(fs::path(set) / part);
      for (const auto& file : fs::directory_iterator(fs::path(store) / part)) {
        fs::create_symlink(file.path(), fs::path(set) / part / file.path().filename());
      }
    }
    return set;
  }
};

TEST_F(DataTest, EveryFaultIsALineOfItsOwn) {
  const std::string set = file("cases");
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "3", "--image", "32"}).status, 0);
  Json document = read_json_file(set + "/dataset.json");
  std::vector<std::string> labels;
  for (const Json& one : document["training"]) {
    labels.push_back(one["label"]);
  }
  ASSERT_EQ(labels.size(), 3U);
  const auto begins_a_line = [&](const std::string& text, const std::string& label) {
    const std::string name = fs::path(label).filename().string();
    const std::size_t at = text.find(name);
    return at != std::string::npos && text.find('\n', at) < text.find("voxmark: ", at);
  };
  const Arguments train = {"train", "--data", set, "--image", "32", "--out", file("trained")};
  for (std::size_t i = 0; i < 2; ++i) {
    fs::resize_file(set + "/" + labels[i], 40);
  }
  for (const Arguments& command : {Arguments{"inspect", set}, train}) {
    const CommandResult unreadable = run_voxmark(command);
    EXPECT_EQ(unreadable.status, 64);
    EXPECT_THAT(unreadable.err, HasSubstr("voxmark: 2 of 3 cases cannot be read:\nvoxmark: "));
    EXPECT_TRUE(begins_a_line(unreadable.err, labels[0])) << unreadable.err;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    fs::remove(set + "/" + labels[i]);
  }
  const CommandResult missing = run_voxmark({"inspect", set});
  EXPECT_EQ(missing.status, 64);
  EXPECT_TRUE(begins_a_line(missing.err, labels[0])) << missing.err;
  EXPECT_EQ(std::count(missing.err.begin(), missing.err.end(), '\n'), 2) << missing.err;
}

TEST_F(DataTest, AToleranceThatIsNoNumberAboveZeroIsRefusedInMillimetres) {
  for (const char* value : {"abc", "0", "-1", "nan", "1e999", "1mm"}) {
    const CommandResult refused =
        run_voxmark({"inspect", "x", std::string("--affine-tolerance=") + value});
    EXPECT_EQ(refused.status, 64) << value;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("--affine-tolerance"),
                                   HasSubstr("expected a number of millimetres above 0")))
        << value;
    EXPECT_LT(refused.err.size(), 100U) << refused.err;
  }
}

TEST_F(DataTest, LinksOutOfTheFolderAreReadByEveryCommandThatIsTold) {
  const std::string set = linked_set(1);
  const Arguments inspect = {"inspect", set};
  const Arguments train = {"train",     "--data",    set,         "--image", "32",
                           "--filters", "2",         "--backend", "naive",   "--epochs",
                           "1",         "--threads", "1",         "--out",   file("trained")};
  const Arguments measure = tiny_run(report_, {"--backend", "null", "--data", set});
  const Arguments tricks = {"tricks", "--data", set, "--image", "32", "--dry-run"};
  for (Arguments command : {inspect, train, measure, tricks}) {
    const CommandResult refused = run_voxmark(command);
    EXPECT_EQ(refused.status, 64) << command[0];
    EXPECT_THAT(refused.err,
                AllOf(HasSubstr("link out of the folder"), HasSubstr("--follow-links")))
        << command[0];
    if (command[0] == "tricks") {
      continue;  // one case is too few for it
    }
    command.emplace_back("--follow-links");
    const CommandResult read = run_voxmark(command);
    EXPECT_EQ(read.status, 0) << command[0] << read.err;
    if (command[0] == "inspect") {
      EXPECT_THAT(read.out, HasSubstr("store/imagesTr/PHANTOM_000"));
    }
  }
  const Json record = read_json_file(report_).at("records").at(0);
  EXPECT_EQ(record.at("case").at("follow_links"), true);
  EXPECT_THAT(record.at("reproduce").get<std::string>(), HasSubstr("--follow-links"));
  EXPECT_EQ(run_voxmark({"validate", report_}).status, 0);

  const Arguments predict = {"predict",   file("trained") + "/best.safetensors",
                             "--data",    set,
                             "--part",    "all",
                             "--backend", "naive",
                             "--out",     file("predictions")};
  EXPECT_EQ(run_voxmark(predict).status, 64);
  Arguments told = predict;
  told.emplace_back("--follow-links");
  const CommandResult predicted = run_voxmark(told);
  EXPECT_EQ(predicted.status, 0) << predicted.err;
}

}  // namespace
}  // namespace voxmark
