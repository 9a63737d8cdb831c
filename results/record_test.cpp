#include "results/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "results/example_record.h"

namespace voxmark {
namespace {

TEST(Record, SurvivesARoundTrip) {
  const Record record = example_record("onednn", 3);
  const Json json = to_json(record);
  EXPECT_EQ(to_json(record_from_json(json)), json);
  EXPECT_EQ(json["case"]["process"], 3);
  EXPECT_EQ(json["memory"]["peak_bytes"], 1400);
  EXPECT_EQ(json["samples"][1]["step_seconds"], 0.5);
  EXPECT_EQ(json["verification"]["worst"]["tolerance"], 1e-5);
}

TEST(Record, PublishesTimesOnlyWithTheProof) {
  for (const Outcome outcome :
       {Outcome::ok, Outcome::overhead, Outcome::skipped, Outcome::infeasible, Outcome::invalid,
        Outcome::diverged, Outcome::oom, Outcome::crashed, Outcome::timeout, Outcome::failed}) {
    EXPECT_EQ(parse_outcome(to_string(outcome)), outcome);
    Record record = example_record("onednn", 0);
    record.outcome = outcome;
    record.reason = "a reason";
    const bool publishes = outcome == Outcome::ok || outcome == Outcome::overhead;
    EXPECT_EQ(publishes_times(outcome), publishes);
    const Json json = to_json(record);
    EXPECT_EQ(dump_json(json["samples"]).find("seconds") != std::string::npos, publishes);
    EXPECT_EQ(json["stages"][0].contains("seconds"), publishes);
    EXPECT_EQ(json["compile_seconds"].is_null(), !publishes);
    EXPECT_EQ(json["samples"][2]["loss"], 0.25);
  }
  EXPECT_THROW(parse_outcome("fine"), Error);
}

TEST(Record, WritesANonFiniteLossAsText) {
  Record record = example_record("onednn", 0);
  record.outcome = Outcome::diverged;
  record.reason = "loss is NaN at step 2";
  record.samples[1].loss = std::nan("");
  record.samples[2].loss = -std::numeric_limits<double>::infinity();
  record.verification->worst->error = std::nan("");
  const Json json = parse_json(dump_json(to_json(record)), "record");
  EXPECT_EQ(json["samples"][1]["loss"], "NaN");
  EXPECT_EQ(json["verification"]["worst"]["error"], "NaN");
  const Record again = record_from_json(json);
  EXPECT_TRUE(std::isnan(again.samples[1].loss));
  EXPECT_EQ(again.samples[2].loss, -std::numeric_limits<double>::infinity());
}

TEST(Record, MissingMemoryFiguresCarryTheReason) {
  const Json skipped = to_json(example_failure("eigen", 0, Outcome::skipped, "not built"));
  EXPECT_TRUE(skipped["memory"]["peak_bytes"].is_null());
  EXPECT_EQ(skipped["memory"]["reason"], "not built");
  Record record = example_record("onednn", 0);
  record.memory.peak_bytes.reset();
  record.memory.reason = "no /proc";
  EXPECT_EQ(to_json(record)["memory"]["reason"], "no /proc");
  EXPECT_TRUE(to_json(example_record("onednn", 0))["memory"]["reason"].is_null());
}

TEST(CaseKey, IsTheSameForAnyOrderOfKeysAndTellsCasesApart) {
  const Json spec = parse_json(R"({"backend":"naive","batch":1,"data":{"a":1,"b":2}})", "t");
  const Json shuffled = parse_json(R"({"data":{"b":2,"a":1},"batch":1,"backend":"naive"})", "t");
  EXPECT_EQ(case_key(spec), case_key(shuffled));
  // Pinned: a journal of an earlier build must be resumed.
  EXPECT_EQ(case_key(spec), "315d24edb707ab60d4fe41ea76d94f50534870fc2c3e00ca5c6aceeed9a4449e");
  EXPECT_NE(case_key(spec), case_key(parse_json(R"({"backend":"naive","batch":2})", "t")));
  EXPECT_NE(case_key(example_record("naive", 0).spec), case_key(example_record("naive", 1).spec));
}

}  // namespace
}  // namespace voxmark
