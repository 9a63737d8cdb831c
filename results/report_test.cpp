#include "results/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "results/example_record.h"

namespace voxmark {
namespace {

// The message that validating a changed example throws; empty when it is valid.
std::string error_after(const std::function<void(Json&)>& change) {
  Json json = to_json(example_report());
  change(json);
  try {
    validate_report(json, "report.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_EQ(std::string(error.what()).find("report.json: "), 0U) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

// Checks that a change is refused, with a message that contains `expected`.
void expect_refused(const std::string& expected, const std::function<void(Json&)>& change) {
  const std::string message = error_after(change);
  EXPECT_NE(message, "") << "accepted, expected a word on " << expected;
  EXPECT_NE(message.find(expected), std::string::npos) << message;
}

TEST(Report, ExampleIsValidAndSurvivesARoundTrip) {
  EXPECT_EQ(error_after([](Json&) {}), "");
  const Json json = to_json(example_report());
  EXPECT_EQ(to_json(report_from_json(json, "t")), json);
}

TEST(Report, RefusesAnotherVersionNamingBoth) {
  expect_refused("voxmark.report/2, this program reads voxmark.report/1",
                 [](Json& json) { json["schema"] = "voxmark.report/2"; });
  expect_refused("\"other/1\"", [](Json& json) { json["schema"] = "other/1"; });
  expect_refused("not a voxmark report", [](Json& json) { json.erase("schema"); });
  expect_refused("not a voxmark report", [](Json& json) { json = Json::array(); });
}

TEST(Report, RefusesMissingAndUnknownMembers) {
  for (const char* key : {"created", "voxmark", "environment", "limits", "records"}) {
    expect_refused(key, [&](Json& json) { json.erase(key); });
  }
  const Json record = to_json(example_record("naive", 0));
  for (const auto& [key, value] : record.items()) {
    if (key == "details") {
      continue;
    }
    expect_refused(key, [&, name = key](Json& json) { json["records"][0].erase(name); });
  }
  for (const auto& [key, value] : record["case"].items()) {
    expect_refused(key, [&, name = key](Json& json) { json["records"][0]["case"].erase(name); });
  }
  expect_refused("outcom", [](Json& json) { json["records"][0]["outcom"] = "ok"; });
  expect_refused("extra", [](Json& json) { json["records"][0]["samples"][0]["extra"] = 1; });
  expect_refused("speed", [](Json& json) { json["speed"] = 1; });
}

TEST(Report, NamesThePlaceOfAWrongValue) {
  expect_refused("records[0].outcome = \"fine\"",
                 [](Json& json) { json["records"][0]["outcome"] = "fine"; });
  expect_refused("records[0].case.batch = 0",
                 [](Json& json) { json["records"][0]["case"]["batch"] = 0; });
  expect_refused("records[0].case.image",
                 [](Json& json) { json["records"][0]["case"]["image"] = {64, 64}; });
  expect_refused("records[0].case.precision = \"fp16\"",
                 [](Json& json) { json["records"][0]["case"]["precision"] = "fp16"; });
  expect_refused("records[1].samples[2].step_seconds = -1",
                 [](Json& json) { json["records"][1]["samples"][2]["step_seconds"] = -1.0; });
  expect_refused("records[0].memory.peak_bytes = 1.5",
                 [](Json& json) { json["records"][0]["memory"]["peak_bytes"] = 1.5; });
  expect_refused("created = \"yesterday\"", [](Json& json) { json["created"] = "yesterday"; });
  expect_refused("records[0].input_sha256",
                 [](Json& json) { json["records"][0]["input_sha256"] = "x"; });
}

TEST(Report, ANullStandsBesideAReason) {
  expect_refused("reason",
                 [](Json& json) { json["records"][0]["memory"]["peak_bytes"] = nullptr; });
  EXPECT_EQ(error_after([](Json& json) {
              json["records"][0]["memory"]["peak_bytes"] = nullptr;
              json["records"][0]["memory"]["reason"] = "no /proc";
            }),
            "");
  for (const char* key : {"flops_per_step", "parameters", "input_sha256", "weights_sha256"}) {
    expect_refused("reason", [&](Json& json) { json["records"][0][key] = nullptr; });
    EXPECT_EQ(error_after([&](Json& json) {
                json["records"][0][key] = nullptr;
                json["records"][0]["reason"] = "not known";
              }),
              "");
  }
  expect_refused("reason", [](Json& json) { json["voxmark"]["commit"] = nullptr; });
  expect_refused("reason", [](Json& json) { json["records"][2]["reason"] = nullptr; });
  expect_refused("reason", [](Json& json) { json["records"][2]["reason"] = ""; });
}

TEST(Report, AnOkRecordNeedsProofAndTimes) {
  expect_refused("verification", [](Json& json) { json["records"][0]["verification"] = nullptr; });
  expect_refused("reason",
                 [](Json& json) { json["records"][0]["verification"]["verified"] = false; });
  expect_refused("worst",
                 [](Json& json) { json["records"][0]["verification"]["worst"] = nullptr; });
  expect_refused("compile_seconds", [](Json& json) {
    json["records"][0]["compile_seconds"] = nullptr;
    json["records"][0]["reason"] = "x";
  });
  expect_refused("samples", [](Json& json) { json["records"][0]["samples"] = Json::array(); });
  expect_refused("samples[1].loss",
                 [](Json& json) { json["records"][0]["samples"][1]["loss"] = "NaN"; });
  expect_refused("samples[1].loss",
                 [](Json& json) { json["records"][0]["samples"][1]["loss"] = nullptr; });
}

TEST(Report, NoOtherOutcomePublishesATime) {
  const auto make_invalid = [](Json& json) {
    Record record = example_record("naive", 0);
    record.outcome = Outcome::invalid;
    record.reason = "gradient/encodeA_conv0/kernel is wrong";
    json["records"][0] = to_json(record);
  };
  EXPECT_EQ(error_after(make_invalid), "");
  expect_refused("step_seconds", [&](Json& json) {
    make_invalid(json);
    json["records"][0]["samples"][1]["step_seconds"] = 0.5;
  });
  expect_refused("compile_seconds", [&](Json& json) {
    make_invalid(json);
    json["records"][0]["compile_seconds"] = 0.5;
  });
  expect_refused("loss", [&](Json& json) {
    make_invalid(json);
    json["records"][0]["samples"][1]["loss"] = nullptr;
  });
}

TEST(Report, OverheadNeedsTimesAndAReasonButNoProof) {
  Report report = example_report();
  report.records[0].outcome = Outcome::overhead;
  report.records[0].verification.reset();
  report.records[0].reason = "the backend computes nothing";
  EXPECT_NO_THROW(validate_report(to_json(report), "t"));
  report.records[0].reason.reset();
  EXPECT_THROW(validate_report(to_json(report), "t"), Error);
}

TEST(Report, IsWrittenWholeAndReadBack) {
  const std::string path = fmt::format("{}report_test.{}.json", testing::TempDir(), getpid());
  write_report(path, example_report());
  EXPECT_EQ(to_json(read_report(path)), to_json(example_report()));
  Report broken = example_report();
  broken.header.created = "yesterday";
  try {
    write_report(path, broken);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::internal);
  }
  EXPECT_EQ(to_json(read_report(path)), to_json(example_report()));
  std::filesystem::remove(path);
}

TEST(Report, WritesTimesInIso8601) {
  EXPECT_EQ(iso_time(std::chrono::system_clock::time_point(std::chrono::seconds(1717156805))),
            "2024-05-31T12:00:05Z");
}

}  // namespace
}  // namespace voxmark
