#include "benches/suite/stopping.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "benches/run/interleave.h"

namespace voxmark {
namespace {

CaseSpec spec_of(const std::string& backend, int process) {
  CaseSpec spec;
  spec.backend = backend;
  spec.process = process;
  return spec;
}

Record record_of(const CaseSpec& spec, double seconds) {
  Record record;
  record.spec = to_json(spec);
  record.outcome = Outcome::ok;
  record.samples = {{StepTimes{0, 100 * seconds, 0, 100 * seconds}, 0.5, true, {}},
                    {StepTimes{0, seconds, 0, seconds}, 0.5, false, {}}};
  return record;
}

TEST(MedianInterval, NeedsSixValues) {
  EXPECT_FALSE(median_interval({1, 2, 3, 4, 5}));
  const auto six = median_interval({6, 5, 4, 3, 2, 1});
  EXPECT_EQ(six->low, 1);
  EXPECT_EQ(six->high, 6);
  // Of 20 values the 6th and the 15th, as in tables of the sign test.
  std::vector<double> twenty(20);
  std::iota(twenty.begin(), twenty.end(), 1);
  EXPECT_EQ(median_interval(twenty)->low, 6);
  EXPECT_EQ(median_interval(twenty)->high, 15);
}

TEST(MedianInterval, CoversTheMedianOfManySamples) {
  std::mt19937_64 random(20240531);
  int covered = 0;
  constexpr int kSamples = 2000;
  for (int i = 0; i < kSamples; ++i) {
    std::vector<double> values(10);
    for (double& value : values) {
      value = static_cast<double>(random() >> 11U);
    }
    const auto interval = median_interval(values);
    covered += interval->low <= 0x1p52 && 0x1p52 <= interval->high ? 1 : 0;
  }
  EXPECT_GE(covered, kSamples * 95 / 100);
  EXPECT_LT(covered, kSamples) << "an interval that never misses says nothing";
}

TEST(Precision, IsHalfTheIntervalOverTheMedian) {
  EXPECT_DOUBLE_EQ(*relative_precision({0.9, 1, 1, 1, 1, 1.1}), 0.1);
  EXPECT_FALSE(relative_precision({1, 1}));
}

TEST(StoppingRule, AsksForMoreOfWhatIsNotPreciseYet) {
  const std::vector<CaseSpec> cases = {spec_of("steady", 0), spec_of("shaky", 0),
                                       spec_of("broken", 0)};
  std::vector<Record> records;
  for (int process = 0; process < 6; ++process) {
    records.push_back(record_of(spec_of("steady", process), 1));
    records.push_back(record_of(spec_of("shaky", process), process % 2 == 0 ? 1 : 2));
  }
  records.push_back(record_of(spec_of("broken", 0), 1));
  records.back().outcome = Outcome::crashed;
  StoppingRule rule;
  EXPECT_TRUE(next_processes(rule, cases, records).empty()) << "no target, no more processes";
  rule.precision_target = 0.05;
  const std::vector<CaseSpec> next = next_processes(rule, cases, records);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].backend, "shaky");
  EXPECT_EQ(next[0].process, 6);
  rule.max_processes = 6;
  EXPECT_TRUE(next_processes(rule, cases, records).empty());
}

TEST(Interleave, RunsEveryCaseOncePerRoundAndBackwardsInTheNext) {
  std::vector<CaseSpec> cases;
  for (int process = 0; process < 4; ++process) {
    for (const char* backend : {"a", "b", "c", "d", "e"}) {
      cases.push_back(spec_of(backend, process));
    }
  }
  std::vector<std::string> rounds(4);
  for (const CaseSpec& spec : interleave(cases, 1)) {
    rounds[static_cast<std::size_t>(spec.process)] += spec.backend;
  }
  for (std::string round : rounds) {
    std::ranges::sort(round);
    EXPECT_EQ(round, "abcde");
  }
  EXPECT_EQ(rounds[1], std::string(rounds[0].rbegin(), rounds[0].rend()));
  EXPECT_EQ(rounds[3], std::string(rounds[2].rbegin(), rounds[2].rend()));
  EXPECT_NE(rounds[0], rounds[2]) << "a new order for each pair of rounds";
}

TEST(Interleave, IsDecidedByItsSeedAlone) {
  std::vector<CaseSpec> cases;
  for (int batch = 1; batch <= 20; ++batch) {
    cases.push_back(spec_of("a", 0));
    cases.back().batch = batch;
  }
  const auto batches = [&](std::uint64_t seed) {
    std::vector<std::int64_t> order;
    for (const CaseSpec& spec : interleave(cases, seed)) {
      order.push_back(spec.batch);
    }
    return order;
  };
  EXPECT_EQ(batches(7), batches(7));
  EXPECT_NE(batches(7), batches(8));
}

TEST(Stopping, ATimeBudgetAloneIsFilledWithProcesses) {
  StoppingRule rule;
  rule.time_budget_seconds = 60;
  rule.max_processes = 3;
  const std::vector<CaseSpec> cases = {spec_of("naive", 0), spec_of("eigen", 0)};
  std::vector<Record> records = {record_of(cases[0], 1), record_of(cases[1], 1)};
  const std::vector<CaseSpec> next = next_processes(rule, cases, records);
  ASSERT_EQ(next.size(), 2U);
  EXPECT_EQ(next[0].process, 1);
  records.push_back(record_of(spec_of("naive", 1), 1));
  records.push_back(record_of(spec_of("naive", 2), 1));
  EXPECT_EQ(next_processes(rule, cases, records).size(), 1U) << "up to max_processes";
}

// Of two builds: each case by itself, whatever other cases there are.
TEST(FirstBuild, IsBalancedForEveryCaseAndDrawn) {
  int drawn = 0;
  for (const char* backend : {"naive", "eigen", "onednn"}) {
    for (int process = 0; process < 200; process += 2) {
      const bool first = first_build_comes_first(spec_of(backend, process), 7);
      EXPECT_NE(first, first_build_comes_first(spec_of(backend, process + 1), 7)) << process;
      drawn += first ? 1 : 0;
    }
  }
  EXPECT_GT(drawn, 110);  // of 300 tosses of a fair coin: five standard deviations
  EXPECT_LT(drawn, 190);
}

}  // namespace
}  // namespace voxmark
