#include "results/tables/summary.h"

#include <gtest/gtest.h>

#include "results/example_record.h"
#include "results/tables/slow_kernels.h"

namespace voxmark {
namespace {

// The only case of some records.
CaseSummary only_case(const std::vector<Record>& records) {
  const std::vector<CaseSummary> cases = summarise(records);
  EXPECT_EQ(cases.size(), 1U);
  return cases.at(0);
}

TEST(Spread, IsTheMedianAndTheRange) {
  const Spread odd = spread_of({3, 1, 2});
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.minimum, 1);
  EXPECT_EQ(odd.maximum, 3);
  EXPECT_EQ(spread_of({4, 1, 2, 10}).median, 3);
  EXPECT_EQ(spread_of({7}).median, 7);
}

TEST(Summary, TakesTheMedianOfTheProcessesMedians) {
  // One process of many slow steps must not outweigh two quick ones.
  Record slow = example_record("naive", 0, 2.0);
  for (int i = 0; i < 20; ++i) {
    slow.samples.push_back(slow.samples.back());
  }
  const CaseSummary summary =
      only_case({slow, example_record("naive", 1, 0.5), example_record("naive", 2, 0.25)});
  EXPECT_EQ(summary.outcome, Outcome::ok);
  EXPECT_EQ(summary.processes, 3);
  EXPECT_EQ(summary.steps, 26);
  EXPECT_EQ(summary.step_seconds->median, 0.5);
  EXPECT_EQ(summary.step_seconds->minimum, 0.25);
  EXPECT_EQ(summary.step_seconds->maximum, 2.0);
  EXPECT_DOUBLE_EQ(summary.forward_backward_seconds->median, 0.4);
  EXPECT_DOUBLE_EQ(*summary.forward_backward_seconds_per_image, 0.2);  // batch of 2
  EXPECT_DOUBLE_EQ(*summary.flops_per_second, 178'601'852'928 / 0.5);
  EXPECT_FALSE(summary.spec.contains("process"));
  EXPECT_EQ(summary.note, "");
}

// Two copies of 0.5 s and 1 s: three steps a second together, of two images each.
TEST(Summary, OfCopiesTellsTheImagesOfAllOfThem) {
  Record record = example_record("naive", 0, 0.5);
  record.spec["copies"] = 2;
  const std::vector<SampleRecord> slow = example_record("naive", 0, 1.0).samples;
  for (SampleRecord& sample : record.samples) {
    sample.copy = 1;
  }
  for (SampleRecord sample : slow) {
    sample.copy = 2;
    record.samples.push_back(sample);
  }
  record.samples.push_back(slow.back());
  record.samples.back().copy = 2;
  record.samples.back().alone = true;  // whatever it took
  record.samples.back().times->step_seconds = 100;
  EXPECT_DOUBLE_EQ(*process_seconds(record, &StepTimes::step_seconds), 2 / 3.0);
  const CaseSummary summary = only_case({record});
  EXPECT_EQ(summary.steps, 4);
  EXPECT_DOUBLE_EQ(*summary.images_per_second, 6);
  EXPECT_DOUBLE_EQ(summary.step_seconds->maximum, 1);
  EXPECT_DOUBLE_EQ(*summary.flops_per_second, 3 * 178'601'852'928.0);
  EXPECT_DOUBLE_EQ(*summary.forward_backward_seconds_per_image, 0.8 / 6);
}

TEST(Summary, CopiesThatWereApartHaveNoImagesPerSecond) {
  Record record = example_record("naive", 0);
  record.spec["copies"] = 2;
  record.facts.copies.emplace().apart = "copy 1 ran no timed step while all others ran theirs";
  const CaseSummary summary = only_case({record});
  EXPECT_FALSE(summary.images_per_second);
  EXPECT_NE(summary.note.find("copy 1 ran no timed step"), std::string::npos);
}

TEST(Summary, OfOneProcessHasTheSpreadOfItsSteps) {
  Record record = example_record("naive", 0);  // a warm-up of 5 s, which does not count
  record.samples[1].times->step_seconds = 0.4;
  const CaseSummary summary = only_case({record});
  EXPECT_EQ(summary.steps, 2);
  EXPECT_DOUBLE_EQ(summary.step_seconds->median, 0.45);
  EXPECT_EQ(summary.step_seconds->minimum, 0.4);
  EXPECT_EQ(summary.step_seconds->maximum, 0.5);
}

TEST(Summary, TakesTheLargestPeak) {
  Record larger = example_record("naive", 1);
  larger.memory.peak_bytes = 2000;
  EXPECT_EQ(only_case({larger, example_record("naive", 0)}).peak_bytes, 2000U);
}

TEST(Summary, KeepsCasesApartInTheirOrder) {
  Record other = example_record("naive", 0);
  other.spec["batch"] = 4;
  const std::vector<CaseSummary> cases = summarise(std::vector{
      example_record("onednn", 0), other, example_record("naive", 0), example_record("onednn", 1)});
  ASSERT_EQ(cases.size(), 3U);
  EXPECT_EQ(cases[0].spec["backend"], "onednn");
  EXPECT_EQ(cases[0].processes, 2);
  EXPECT_EQ(cases[1].spec["batch"], 4);
  EXPECT_EQ(cases[2].spec["batch"], 2);
}

TEST(Summary, KeepsTheOtherProcessesTimesWhenOneCrashed) {
  const CaseSummary summary = only_case({example_failure("naive", 0, Outcome::crashed, "signal 11"),
                                         example_record("naive", 1), example_record("naive", 2)});
  EXPECT_EQ(summary.outcome, Outcome::ok);
  EXPECT_EQ(summary.processes, 2);
  EXPECT_TRUE(summary.step_seconds);
  EXPECT_EQ(summary.note, "1 of 3 processes crashed: signal 11");
}

TEST(Summary, PublishesNoTimeOfACaseWithWrongNumbers) {
  for (const Outcome outcome : {Outcome::invalid, Outcome::diverged}) {
    const CaseSummary summary = only_case({example_record("naive", 0),
                                           example_failure("naive", 1, outcome, "the loss is off"),
                                           example_record("naive", 2)});
    EXPECT_EQ(summary.outcome, outcome);
    EXPECT_FALSE(summary.step_seconds);
    EXPECT_FALSE(summary.forward_backward_seconds);
    EXPECT_FALSE(summary.forward_backward_seconds_per_image);
    EXPECT_FALSE(summary.flops_per_second);
    EXPECT_NE(summary.note.find("the loss is off"), std::string::npos);
  }
}

TEST(Summary, MarksMoreThreadsThanAQuotaHasCpus) {
  Record record = example_record("naive", 0);
  record.facts.beyond_cpu_quota = {2, 1.5};
  EXPECT_EQ(only_case({record}).note,
            "2 threads under a CPU quota of 1.5: all of them stop at times");
}

TEST(Summary, SaysWhyThereIsNoFigure) {
  EXPECT_EQ(only_case({example_failure("eigen", 0, Outcome::skipped, "not built")}).note,
            "skipped: not built");
  Record record = example_record("naive", 0);
  record.samples.resize(1);  // the warm-up
  EXPECT_EQ(only_case({record}).note, "no step was measured after the warm-up");
  EXPECT_FALSE(only_case({record}).step_seconds);
  record = example_record("naive", 0);
  record.verification->verified = false;
  record.verification->reason = "too large for the reference";
  EXPECT_EQ(only_case({record}).note, "not verified: too large for the reference");
}

TEST(Summary, SaysWhereOtherKernelsWereTimedThanVerified) {
  Record record = example_record("onednn", 0);
  record.verification->facts.other_kernels = {"encodeE_conv0/convolution: rows -> im2col",
                                              "encodeE_conv1/convolution: rows -> im2col"};
  EXPECT_EQ(only_case({record}).note,
            "2 ops timed by other kernels than were verified (first encodeE_conv0/convolution: "
            "rows -> im2col)");
}

TEST(Summary, SaysWhereWarmUpWasNotOver) {
  std::vector<Record> records = {example_record("onednn", 0), example_record("onednn", 1)};
  records[0].facts.warmup = {true, 1, 1, {}};
  records[1].facts.warmup = {{}, 1, {}, "too few steps"};
  EXPECT_EQ(only_case(records).note, "");
  records[1].facts.warmup = {false, 1, 2, {}};
  EXPECT_EQ(only_case(records).note, "1 of 2 processes was timed before its warm-up was over");
}

TEST(Summary, SaysWhereMoreThanTheMemoryLimitWasTaken) {
  std::vector<Record> records = {example_record("onednn", 0), example_record("onednn", 1)};
  records[1].facts.beyond_memory_limit = {3 << 20, 2 << 20};
  EXPECT_EQ(only_case(records).note, "took 3.00 MiB, the memory limit is 2.00 MiB");
}

TEST(Summary, OfABackendThatComputesNothingTellsWhatTheHarnessCosts) {
  std::vector<Record> records;
  for (const double seconds : {2e-5, 5e-5, 3e-5}) {
    records.push_back(example_record("null", static_cast<int>(records.size()), 1e-7));
    records.back().outcome = Outcome::overhead;
    records.back().reason = "computes nothing";
    records.back().facts.probes.emplace().harness_seconds_per_step = seconds;
  }
  EXPECT_EQ(only_case(records).note, "the harness alone: 0.03 ms between two steps");
  for (Record& record : records) {
    record.facts.probes.reset();
  }
  EXPECT_EQ(only_case(records).note, "the harness alone");
}

TEST(SlowKernels, AreNamedWithTheirNumberAndAnOp) {
  Record record = example_record("onednn", 0);
  EXPECT_EQ(slow_kernels(record), "");
  const StageRecord own = record.stages.front();
  record.stages = {own, own, own, own};
  record.stages[0].implementation = "transposed gemm loops";  // our own, and not slow
  record.stages[1].implementation = "x64:gemm:jit";
  record.stages[1].ops = {"encodeE_conv1/convolution"};
  record.stages[2].implementation = "x64:gemm:jit";
  record.stages[3].implementation = "ref:any";
  EXPECT_EQ(
      slow_kernels(record),
      "slow kernels: 1 of 4 stages run by ref:any (first encodeA_conv0); 2 of 4 stages run by "
      "x64:gemm:jit (first encodeE_conv1/convolution)");
}

TEST(SpeedUp, IsTheRatioOfMediansWithItsRange) {
  const CaseSummary slow =
      only_case({example_record("naive", 0, 1.0), example_record("naive", 1, 1.2),
                 example_record("naive", 2, 1.1)});
  const CaseSummary fast = only_case({example_record("onednn", 0, 0.5)});
  const auto ratio = speed_up(slow, fast);
  ASSERT_TRUE(ratio);
  EXPECT_NEAR(ratio->median, 2.2, 1e-12);
  EXPECT_NEAR(ratio->minimum, 2.0, 1e-12);
  EXPECT_NEAR(ratio->maximum, 2.4, 1e-12);
}

TEST(SpeedUp, NeedsTheSameWorkloadAndTwoProofs) {
  const CaseSummary baseline = only_case({example_record("naive", 0)});
  ASSERT_TRUE(speed_up(baseline, baseline));
  for (const char* member : {"batch", "classes", "filters", "threads", "seed"}) {
    Record other = example_record("onednn", 0);
    other.spec[member] = 3;
    EXPECT_FALSE(speed_up(baseline, only_case({other}))) << member;
  }
  Record null = example_record("null", 0);
  null.outcome = Outcome::overhead;
  null.reason = "computes nothing";
  const CaseSummary overhead = only_case({null});
  ASSERT_TRUE(overhead.step_seconds);
  EXPECT_FALSE(overhead.flops_per_second);
  EXPECT_FALSE(speed_up(baseline, overhead));
  EXPECT_FALSE(speed_up(overhead, baseline));
  EXPECT_FALSE(
      speed_up(baseline, only_case({example_failure("onednn", 0, Outcome::skipped, "not built")})));
}

Record on_threads(int threads, double step_seconds, const std::string& backend = "onednn") {
  Record record = example_record(backend, 0, step_seconds);
  record.spec["threads"] = threads;
  return record;
}

TEST(Scaling, IsToldAgainstTheFewestThreadsOfTheSameCase) {
  const std::vector<CaseSummary> cases =
      summarise(std::vector{on_threads(8, 0.3), on_threads(2, 1.0), on_threads(4, 0.5),
                            on_threads(1, 9.0, "naive"), on_threads(4, 3.0, "naive")});
  EXPECT_NEAR(scaling(cases, cases[0])->speed_up, 1 / 0.3, 1e-12);
  EXPECT_NEAR(scaling(cases, cases[0])->efficiency, 1 / 0.3 / 4, 1e-12);
  EXPECT_EQ(scaling(cases, cases[1])->efficiency, 1);
  EXPECT_EQ(scaling(cases, cases[2])->speed_up, 2);
  EXPECT_EQ(scaling(cases, cases[2])->efficiency, 1);
  EXPECT_EQ(scaling(cases, cases[4])->speed_up, 3);
  EXPECT_EQ(scaling(cases, cases[4])->efficiency, 0.75);
}

TEST(Scaling, NeedsTwoNumbersOfThreadsAndResults) {
  Record failed = example_failure("onednn", 0, Outcome::crashed, "signal 11");
  failed.spec["threads"] = 1;
  Record larger = on_threads(1, 0.5);
  larger.spec["batch"] = 4;
  const std::vector<CaseSummary> cases = summarise(std::vector{failed, on_threads(2, 1.0), larger});
  for (const CaseSummary& own : cases) {
    EXPECT_FALSE(scaling(cases, own));
  }
}

}  // namespace
}  // namespace voxmark
