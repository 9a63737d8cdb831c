// Cases of several copies through the runner: real children, and ones of which one fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/testing/temporary_folder.h"
#include "benches/exchange/report_check.h"
#include "benches/process/process_cpus.h"
#include "benches/run/sweep.h"
#include "results/tables/case_table.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

class Silent : public RunObserver {
 public:
  void verifying(const CaseSpec& /*spec*/) override { ++verifications; }
  void timing(const CaseSpec& /*spec*/, std::optional<double> /*predicted*/) override {}
  void step(const CaseSpec& /*spec*/, const StepMessage& /*step*/) override { ++steps; }
  void finished(const CaseSpec& /*spec*/, const Record& /*record*/,
                std::optional<double> /*seconds_left*/) override {}
  void warn(const std::string& /*text*/) override {}
  int verifications = 0;
  int steps = 0;
};

class CopiesTest : public testing::Test {
 protected:
  static CaseSpec copies_of(const std::string& backend, int copies) {
    CaseSpec spec;
    spec.backend = backend;
    spec.image = {32, 32, 32};
    spec.network.filters = 2;
    spec.steps = 3;
    spec.warmup = 1;
    spec.copies = copies;
    return spec;
  }
  static CaseSpec faulty(const std::string& fault, int copies) {
    return copies_of("exec:" FAULTY_CHILD " " + fault, copies);
  }

  Report run(std::vector<CaseSpec> cases) {
    SweepOptions options;
    options.cases = std::move(cases);
    options.out = folder_.path() + "/report.json";
    options.cache_folder = folder_.path() + "/cache";
    options.runner.child.command = {VOXMARK_PROGRAM, "child", "--counters", "none"};
    options.runner.child.environment = {tries()};
    options.runner.child.patience_seconds = patience_seconds_;
    options.runner.child.binding = binding_;
    if (room_) {
      options.runner.room = room_;
    }
    return run_sweep(options, observer_).report;
  }
  Record run_one(const CaseSpec& spec) { return run({spec}).records.at(0); }

  // Processes that this test's runs started.
  int processes_left() const {
    int found = 0;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
      std::ostringstream text;
      text << std::ifstream(entry.path() / "environ").rdbuf();
      found += text.str().find(tries()) != std::string::npos ? 1 : 0;
    }
    return found;
  }

  std::string tries() const { return "VOXMARK_TEST_TRIES=" + folder_.path() + "/tries"; }

  TemporaryFolder folder_;
  Silent observer_;
  double patience_seconds_ = 120;
  std::function<MemoryRoom()> room_;
  std::optional<ThreadBinding> binding_;
};

TEST_F(CopiesTest, RecordsEveryCopyOfARealBackend) {
  const Report report = run({copies_of("naive", 2)});
  const Record& record = report.records.at(0);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
  EXPECT_EQ(record.spec.at("copies"), 2);
  EXPECT_EQ(observer_.verifications, 1);
  EXPECT_EQ(observer_.steps, 4) << "of the first copy";
  ASSERT_EQ(record.samples.size(), 8U);
  EXPECT_EQ(record.samples.front().copy, 1);
  EXPECT_EQ(record.samples.back().copy, 2);
  ASSERT_TRUE(record.facts.copies && record.facts.copies->each);
  const std::vector<CopyFacts>& each = *record.facts.copies->each;
  ASSERT_EQ(each.size(), 2U);
  EXPECT_EQ(*each[0].peak_bytes + *each[1].peak_bytes,
            static_cast<std::int64_t>(record.memory.peak_bytes.value()));
  EXPECT_GT(each[1].step_seconds.value(), 0);
  EXPECT_TRUE(each[1].threads);
  EXPECT_EQ(record.memory.planned_bytes.value() % 2, 0U);
  EXPECT_TRUE(inconsistencies(report).empty()) << inconsistencies(report).front();
}

TEST_F(CopiesTest, ACopyIsHeldOnCpusOfItsOwn) {
  const auto cpus = process_cpus();
  if (!cpus || CPU_COUNT(&*cpus) < 2) {
    GTEST_SKIP() << "one CPU";
  }
  for (const char* bind : {"", "cores"}) {
    binding_ = binding_here(bind);
    const Record record = run_one(copies_of("null", 2));
    ASSERT_EQ(record.outcome, Outcome::overhead) << record.reason.value_or("");
    std::set<std::string> allowed;
    for (const CopyFacts& own : *record.facts.copies->each) {
      ASSERT_TRUE(own.cpus && own.threads);
      allowed.insert(*own.cpus);
      EXPECT_EQ(own.threads->at(0).at("allowed"), *own.cpus) << bind;
    }
    EXPECT_EQ(allowed.size(), 2U);
  }
}

TEST_F(CopiesTest, ProgramsOfOthersBeginTogether) {
  CaseSpec spec = faulty("one-is-late", 2);
  spec.steps = 29;  // of which one of each copy has to run beside the other one's
  const Record record = run_one(spec);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
  EXPECT_EQ(record.samples.size(), 60U);
  EXPECT_FALSE(record.facts.copies->apart) << *record.facts.copies->apart;
}

// The first one ends its steps before the other one has begun.
TEST_F(CopiesTest, CopiesThatDoNotWaitForEachOtherAreFlagged) {
  const Report report = run({faulty("one-is-late-and-none-waits", 2)});
  const Record& record = report.records.at(0);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
  ASSERT_TRUE(record.facts.copies->apart);
  const CaseSummary summary = summarise(report.records).at(0);
  EXPECT_FALSE(summary.images_per_second);
  EXPECT_THAT(summary.note, HasSubstr("while all others ran theirs"));
}

TEST_F(CopiesTest, ACopyThatDiesFailsTheCaseAndIsNamed) {
  const Record record = run_one(faulty("one-dies", 2));
  EXPECT_EQ(record.outcome, Outcome::crashed);
  EXPECT_THAT(record.reason.value_or(""), testing::MatchesRegex("copy [12] of 2: SIGSEGV.*"));
  EXPECT_EQ(processes_left(), 0);
}

TEST_F(CopiesTest, ACopyThatHangsEndsTheCaseAndNoProcessIsLeft) {
  patience_seconds_ = 20;  // also of the plan and of both verifications before
  const Record record = run_one(faulty("one-hangs", 2));
  EXPECT_EQ(record.outcome, Outcome::timeout);
  EXPECT_THAT(record.reason.value_or(""), testing::MatchesRegex("copy [12] of 2: no message.*"));
  EXPECT_EQ(processes_left(), 0);
}

TEST_F(CopiesTest, MemoryIsAskedForAllCopies) {
  const std::int64_t alone =
      static_cast<std::int64_t>(run_one(copies_of("naive", 1)).memory.planned_bytes.value());
  room_ = [alone] { return MemoryRoom{2 * alone, "a test"}; };
  const Record two = run_one(copies_of("naive", 3));
  EXPECT_EQ(two.outcome, Outcome::infeasible);
  EXPECT_THAT(two.reason.value_or(""), HasSubstr("3 copies need"));
}

TEST_F(CopiesTest, TheTableTellsImagesPerSecondInSum) {
  const Report report = run({copies_of("naive", 1), copies_of("naive", 2)});
  const std::vector<CaseSummary> cases = summarise(report.records);
  const Table table = case_table(cases, std::nullopt);
  const std::string text = render_text(table);
  EXPECT_THAT(text, HasSubstr("images/s"));
  EXPECT_THAT(text, HasSubstr("copies"));
  if (cases.at(1).images_per_second) {
    EXPECT_DOUBLE_EQ(*cases[1].images_per_second, 2 / cases[1].step_seconds->median);
  }
}

}  // namespace
}  // namespace voxmark
