#include "benches/report_check.h"

#include <gtest/gtest.h>

#include "benches/case_spec.h"
#include "results/example_record.h"
#include "workloads/cost.h"

namespace voxmark {
namespace {

Report consistent_report() {
  CaseSpec spec;
  spec.backend = "naive";
  spec.image = {16, 16, 16};
  spec.steps = 2;
  spec.warmup = 1;
  const Program program = training_program(spec);
  Report report = example_report();
  report.records = {example_record("naive", 0)};
  Record& record = report.records.front();
  record.spec = to_json(spec);
  record.reproduce = reproduce_command(spec);
  record.flops_per_step = flops(program);
  record.parameters = count_parameters(program).total();
  return report;
}

std::string only_fault(const Report& report) {
  const std::vector<std::string> faults = inconsistencies(report);
  EXPECT_EQ(faults.size(), 1U);
  return faults.empty() ? "" : faults.front();
}

TEST(ReportCheck, FindsNothingInAConsistentReport) {
  EXPECT_EQ(inconsistencies(consistent_report()), std::vector<std::string>{});
}

TEST(ReportCheck, StepIsForwardBackwardAndUpdate) {
  Report report = consistent_report();
  report.records[0].samples[1].times->step_seconds *= 1.01;
  EXPECT_NE(only_fault(report).find("step_seconds"), std::string::npos);
}

TEST(ReportCheck, ACaseStandsOnce) {
  Report report = consistent_report();
  report.records.push_back(report.records[0]);
  EXPECT_EQ(only_fault(report), "record 1: its case stands twice");
}

TEST(ReportCheck, AsManySamplesAsSteps) {
  Report report = consistent_report();
  report.records[0].samples.pop_back();
  EXPECT_EQ(only_fault(report), "record 0: 1 timed steps, the case has 2");
}

TEST(ReportCheck, TheWorkIsTheNetworks) {
  Report report = consistent_report();
  *report.records[0].flops_per_step += 1;
  EXPECT_NE(only_fault(report).find("flops_per_step"), std::string::npos);
}

TEST(ReportCheck, TheReproducerIsTheCases) {
  Report report = consistent_report();
  report.header.details["thread_settings"] = {{"bind", "cores"}, {"profile", "none"}};
  report.records[0].reproduce += " --bind cores";
  EXPECT_TRUE(inconsistencies(report).empty()) << "its threads were bound";
  report.records[0].reproduce += " --steps 1";
  EXPECT_NE(only_fault(report).find("reproduce"), std::string::npos);
}

TEST(ReportCheck, MemoryAddsUp) {
  Report report = consistent_report();
  report.records[0].memory.plan_by_purpose["parameters"] = 401;
  EXPECT_NE(only_fault(report).find("plan_by_purpose"), std::string::npos);
  report = consistent_report();
  report.records[0].memory.base_bytes = 5000;
  EXPECT_NE(only_fault(report).find("base_bytes"), std::string::npos);
}

TEST(ReportCheck, ACaseIsOneOfOurs) {
  Report report = consistent_report();
  report.records[0].spec["image"] = {16, 16, 17};
  EXPECT_NE(only_fault(report).find("multiples of 16"), std::string::npos);
}

}  // namespace
}  // namespace voxmark
