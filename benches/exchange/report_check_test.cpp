#include "benches/exchange/report_check.h"

#include <gtest/gtest.h>

#include "benches/machine/build_info.h"
#include "benches/protocol/case_work.h"
#include "results/example_record.h"
#include "workloads/network/cost.h"

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
  report.header.voxmark["commit"] = program_facts("").at("commit");
  report.records = {example_record("naive", 0)};
  Record& record = report.records.front();
  record.spec = to_json(spec);
  record.reproduce = reproduce_command(spec);
  record.flops_per_step = flops(program);
  record.parameters = count_parameters(program).total();
  record.verification->image = {16, 16, 16};
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
  ThreadFacts& threads = report.header.facts.thread_settings.emplace();
  threads.bind = "cores";
  threads.profile = "none";
  report.records[0].reproduce += " --bind cores";
  EXPECT_TRUE(inconsistencies(report).empty()) << "its threads were bound";
  report.records[0].reproduce += " --steps 1";
  EXPECT_NE(only_fault(report).find("reproduce"), std::string::npos);
  report.header.voxmark["commit"] = "0123456789abcdef0123456789abcdef01234567";
  EXPECT_TRUE(inconsistencies(report).empty()) << "another commit has flags of its own";
}

TEST(ReportCheck, NothingPassesWhatTheMachineHas) {
  Report report = consistent_report();
  report.header.environment["memory"]["total_bytes"] = 1000000000000;
  report.header.environment["memory"]["available_bytes"] = 1000000000000;
  EXPECT_EQ(inconsistencies(report), std::vector<std::string>{});
  report.header.environment["memory"]["available_bytes"] = 1000000000001;
  EXPECT_NE(only_fault(report).find("available_bytes"), std::string::npos);
  report.header.environment["memory"]["available_bytes"] = 1;
  report.records[0].memory.peak_bytes = 1000000000001;
  EXPECT_NE(only_fault(report).find("peak_bytes"), std::string::npos);
}

TEST(ReportCheck, WithoutLimitsNoThreadComputesWhatNoCoreCan) {
  Report report = consistent_report();
  report.header.limits = {};
  report.records[0].facts.roofline.reset();
  EXPECT_EQ(inconsistencies(report), std::vector<std::string>{});
  for (SampleRecord& sample : report.records[0].samples) {
    sample.times->forward_backward_seconds = 1e-9;
    sample.times->step_seconds = 1e-9 + sample.times->update_seconds;
  }
  EXPECT_NE(only_fault(report).find("can reach"), std::string::npos);
}

TEST(ReportCheck, TheRunsCpuIsTheEnvironments) {
  Report report = consistent_report();
  report.header.environment["cpu"]["model_name"] = "one";
  report.header.facts.identity = Json({{"CPU", "one"}});
  EXPECT_EQ(inconsistencies(report), std::vector<std::string>{});
  report.header.facts.identity = Json({{"CPU", "another"}});
  EXPECT_NE(only_fault(report).find("details.identity.CPU"), std::string::npos);
}

TEST(ReportCheck, MemoryAddsUp) {
  Report report = consistent_report();
  report.records[0].memory.plan_by_purpose["parameters"] = 401;
  EXPECT_NE(only_fault(report).find("plan_by_purpose"), std::string::npos);
  report = consistent_report();
  report.records[0].memory.base_bytes = 5000;
  EXPECT_NE(only_fault(report).find("base_bytes"), std::string::npos);
}

TEST(ReportCheck, StepsLieWithinTheCasesWallTime) {
  Report report = consistent_report();
  report.records[0].facts.wall_seconds = 7.0;
  EXPECT_TRUE(inconsistencies(report).empty());
  report.records[0].facts.wall_seconds = 5.0;
  EXPECT_NE(only_fault(report).find("details.wall_seconds is 5"), std::string::npos);
}

TEST(ReportCheck, NoMoreCpuTimeThanTheCpusHave) {
  Report report = consistent_report();
  report.header.environment["cpu"]["online"] = 2;
  report.records[0].samples[0].readings = {{"user_seconds", 11.9}, {"system_seconds", 0.1}};
  EXPECT_TRUE(inconsistencies(report).empty());
  report.records[0].samples[0].readings["user_seconds"] = 13;
  EXPECT_NE(only_fault(report).find("environment.cpu.online is 2"), std::string::npos);
}

TEST(ReportCheck, NoRateFarAboveTheMeasuredPeak) {
  Report report = consistent_report();
  const double flops = static_cast<double>(*report.records[0].flops_per_step);
  MachineLimits& limits = report.header.limits.machine.emplace(1).front();
  limits.threads = 1;
  limits.fp32_flops_per_second = flops;
  EXPECT_TRUE(inconsistencies(report).empty());
  report.records[0].facts.roofline = {1.0, flops, {}, {}};
  EXPECT_TRUE(inconsistencies(report).empty());
  report.records[0].facts.roofline->flops_per_second = 2 * flops;
  EXPECT_NE(only_fault(report).find("details.roofline.flops_per_second"), std::string::npos);
  report.records[0].facts.roofline.reset();
  limits.fp32_flops_per_second = flops / 100;
  EXPECT_NE(only_fault(report).find("more than 100 times"), std::string::npos);
}

TEST(ReportCheck, KernelsAreThoseThatTheCpuRuns) {
  Report report = consistent_report();  // its stage ran as jit:avx2
  report.header.environment["cpu"]["flags"] = "fpu avx2";
  EXPECT_TRUE(inconsistencies(report).empty());
  report.header.environment["cpu"]["flags"] = "fpu avx";
  EXPECT_EQ(only_fault(report),
            "record 0: a stage ran as jit:avx2, environment.cpu.flags lack avx2");
  report.records[0].stages.clear();
  MachineLimits& limits = report.header.limits.machine.emplace(1).front();
  limits.threads = 1;
  limits.fp32_isa = "avx512";
  EXPECT_NE(only_fault(report).find("fp32_isa is avx512"), std::string::npos);
}

TEST(ReportCheck, AProofHoldsItsTolerance) {
  Report report = consistent_report();
  report.records[0].verification->image = {16, 16, 48};
  report.records[0].verification->worst->error = 1e-4;
  EXPECT_NE(only_fault(report).find("above its tolerance"), std::string::npos);
  report.records[0].verification->worst->error = 1e-6;
  EXPECT_TRUE(inconsistencies(report).empty());
  report.records[0].verification->image = {32, 16, 48};
  EXPECT_NE(only_fault(report).find("verification.image is 32x16"), std::string::npos);
}

TEST(ReportCheck, ProcessesOfACaseStartAlike) {
  Report report = consistent_report();
  report.records.push_back(report.records[0]);
  Record& second = report.records[1];
  CaseSpec spec = case_from_json(second.spec, "case");
  spec.process = 1;
  second.spec = to_json(spec);
  second.reproduce = reproduce_command(spec);
  EXPECT_TRUE(inconsistencies(report).empty());
  second.weights_sha256 = std::string(64, 'f');
  EXPECT_NE(only_fault(report).find("weights_sha256 is ffff"), std::string::npos);
  second.weights_sha256 = report.records[0].weights_sha256;
  second.samples[0].loss += 0.01;
  EXPECT_NE(only_fault(report).find("the first step's loss is"), std::string::npos);
}

TEST(ReportCheck, AReportIsOfADay) {
  Report report = consistent_report();
  report.header.created = "2024-02-30T12:00:00Z";
  EXPECT_EQ(only_fault(report), "created: 2024-02-30T12:00:00Z is no time");
}

TEST(ReportCheck, ACaseIsOneOfOurs) {
  Report report = consistent_report();
  report.records[0].spec["image"] = {16, 16, 17};
  EXPECT_NE(only_fault(report).find("multiples of 16"), std::string::npos);
}

}  // namespace
}  // namespace voxmark
