#include "results/tables/deciding.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "results/example_record.h"
#include "results/tables/measured_cases.h"
#include "results/tables/summary.h"

namespace voxmark {
namespace {

std::vector<Record> records_of(const Json& example) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < example.at("seconds").size(); ++i) {
    records.push_back(example_record("onednn", static_cast<int>(i), example.at("seconds").at(i)));
    const bool disturbed = example.at("disturbed").at(i);
    const std::vector<std::string> reasons = {"threads waited 51% of the time for a CPU",
                                              "2 major page faults"};
    records.back().facts.interference =
        example_interference(disturbed, disturbed ? reasons : std::vector<std::string>());
  }
  return records;
}

// The same examples bind voxmark_reports/deciding.py.
TEST(Deciding, AgreesWithTheExamplesThatPythonReadsToo) {
  const Json examples = read_json_file(VOXMARK_SOURCE_DIR "/results/deciding_examples.json");
  ASSERT_FALSE(examples.empty());
  for (const Json& example : examples) {
    SCOPED_TRACE(example.at("name").get<std::string>());
    const std::vector<Record> records = records_of(example);
    std::vector<const Record*> measured;
    for (const Record& record : records) {
      measured.push_back(&record);
    }
    const Deciding found = deciding(measured);
    Json seconds = Json::array();
    for (const Record* record : found.records) {
      seconds.push_back(record->samples.back().times->step_seconds);
    }
    EXPECT_EQ(seconds, example.at("deciding"));
    EXPECT_EQ(found.is_doubtful(), example.at("doubtful").get<bool>());
    EXPECT_EQ(disturbed_note(found), example.at("note").get<std::string>());
    EXPECT_EQ(found.measured - found.left_out, static_cast<int>(found.records.size()));
  }
}

TEST(Deciding, SummariesAndClaimsTakeTheDecidingProcessesAlone) {
  const Json examples = read_json_file(VOXMARK_SOURCE_DIR "/results/deciding_examples.json");
  const std::vector<Record> records = records_of(examples.at(1));
  const CaseSummary summary = summarise(records).at(0);
  EXPECT_EQ(summary.step_seconds->maximum, 0.32) << "2.26 s is left out";
  EXPECT_EQ(summary.processes, 5);
  EXPECT_EQ(summary.steps, 10);
  EXPECT_EQ(summary.disturbed, 2);
  EXPECT_EQ(summary.left_out, 2);
  EXPECT_EQ(summary.note, "2 of 7 processes were disturbed and left out");
  std::vector<const Record*> processes;
  for (const Record& record : records) {
    processes.push_back(&record);
  }
  EXPECT_EQ(seconds_of(processes, "wall", "step")->maximum, 0.32);
}

TEST(Deciding, CountsReadAsASentence) {
  EXPECT_EQ(disturbed_count(1, 1), "1 of 1 process was disturbed");
  EXPECT_EQ(disturbed_count(1, 4), "1 of 4 processes was disturbed");
  EXPECT_EQ(disturbed_count(2, 10), "2 of 10 processes were disturbed");
}

TEST(Deciding, ARecordOfAnotherShapeWasNotDisturbed) {
  for (const Json& odd :
       {Json(), Json(3), Json::array(), Json::object(), Json({{"tainted", "yes"}})}) {
    Json json = to_json(example_record("onednn", 0));
    json["details"]["interference"] = odd;
    EXPECT_FALSE(was_disturbed(record_from_json(json))) << odd;
  }
}

}  // namespace
}  // namespace voxmark
