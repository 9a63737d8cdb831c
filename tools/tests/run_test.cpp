// voxmark run, rerun and validate from outside: flags, exit codes, interrupts, reports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "benches/testing/temporary_folder.h"
#include "tools/tests/command.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

using Arguments = std::vector<std::string>;

// The flags of a case that takes milliseconds.
Arguments tiny_run(const std::string& out, const Arguments& more) {
  Arguments arguments = {"run",      "--image", "32",        "--filters", "2",     "--steps", "2",
                         "--warmup", "1",       "--threads", "1",         "--out", out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

class RunTest : public testing::Test {
 protected:
  // Proofs of one test must not serve another.
  void SetUp() override { setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1); }

  CommandResult run(const Arguments& more) { return run_voxmark(tiny_run(report_, more)); }

  TemporaryFolder folder_;
  std::string report_ = folder_.path() + "/report.json";
};

TEST_F(RunTest, DryRunListsAndCountsTheCasesAndStops) {
  const CommandResult result =
      run_voxmark({"run", "--backend", "naive,eigen", "--image", "32,96x96x64", "--batch", "1,2,4",
                   "--repeats", "3", "--threads", "1", "--dry-run", "--out", report_});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("naive 32x32x32 batch 1 fp32"));
  EXPECT_THAT(result.out, HasSubstr("eigen 96x96x64 batch 4 fp32"));
  EXPECT_THAT(result.out, HasSubstr("12 cases x 3 processes = 36 runs"));
  EXPECT_FALSE(std::filesystem::exists(report_));
}

TEST_F(RunTest, EndsInATableAndAReportThatIsValid) {
  const CommandResult result = run({"--backend", "naive,null", "--repeats", "2"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("naive"), HasSubstr("null"), HasSubstr("32x32x32")));
  EXPECT_THAT(result.err, HasSubstr("[4/4]"));
  const Json report = read_json_file(report_);
  ASSERT_EQ(report.at("records").size(), 4U);
  EXPECT_EQ(report.at("records").at(0).at("outcome"), "ok");
  EXPECT_EQ(report.at("records").at(2).at("case").at("backend"), "null") << "ABBA";
  const CommandResult valid = run_voxmark({"validate", report_});
  EXPECT_EQ(valid.status, 0) << valid.out << valid.err;
}

TEST_F(RunTest, RerunComparesAgainWithThen) {
  ASSERT_EQ(run({"--backend", "naive"}).status, 0);
  const CommandResult result = run_voxmark({"rerun", report_});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("then: "), HasSubstr("now: "), HasSubstr("now / then: ")));
  EXPECT_EQ(run_voxmark({"rerun", report_, "--case", "1"}).status, 64);
}

TEST_F(RunTest, ValidateFindsFiguresThatDoNotAgreeAndFilesThatAreNoReports) {
  ASSERT_EQ(run({"--backend", "naive"}).status, 0);
  Json report = read_json_file(report_);
  report["records"][0]["samples"][1]["step_seconds"] = 1000.0;
  std::ofstream(report_) << dump_json(report);
  const CommandResult inconsistent = run_voxmark({"validate", report_});
  EXPECT_EQ(inconsistent.status, 1);
  EXPECT_THAT(inconsistent.out, HasSubstr("record 0: step_seconds"));
  report["records"][0].erase("outcome");
  std::ofstream(report_) << dump_json(report);
  EXPECT_EQ(run_voxmark({"validate", report_}).status, 64);
  EXPECT_EQ(run_voxmark({"validate", folder_.path() + "/none.json"}).status, 64);
}

TEST_F(RunTest, WrongUseIsOneLineThatNamesTheThing) {
  const std::string suite = folder_.path() + "/suite.json";
  std::ofstream(suite) << R"({"schema": "voxmark.suite/1", "grids": [{"bakend": ["naive"]}]})";
  const std::vector<std::pair<Arguments, std::string>> wrong = {
      {{"--backend", "tensorflow"}, "tensorflow"},
      {{"--batch", "0"}, "--batch"},
      {{"--batch", "nan"}, "--batch"},
      {{"--precision", "fp16"}, "fp16"},
      {{"--classes", "-1"}, "--classes"},
      {{"--memory-limit", "lots"}, "--memory-limit"},
      {{"--case-budget", "-3"}, "--case-budget"},
      {{"--repeats", "0"}, "--repeats"},
      {{"--steps", "1", "--steps", "2"}, "--steps"},
      {{"--baseline", "onednn", "--backend", "naive"}, "onednn"},
      {{"--data", folder_.path() + "/missing"}, "missing"},
      {{"--no-such-flag"}, "--no-such-flag"},
      {{suite}, "bakend"},
      {{folder_.path() + "/none.json"}, "none.json"},
      {{"--out", folder_.path() + "/no/folder/report.json"}, "folder"}};
  for (const auto& [arguments, named] : wrong) {
    Arguments all = {"run", "--dry-run"};
    if (arguments.front() == "--out") {
      all = {"run", "--backend", "null", "--image", "16"};
    }
    all.insert(all.end(), arguments.begin(), arguments.end());
    const CommandResult result = run_voxmark(all);
    EXPECT_EQ(result.status, 64) << named << result.err;
    const std::string last_line = result.err.substr(result.err.rfind("voxmark: "));
    EXPECT_THAT(last_line, HasSubstr(named));
    EXPECT_EQ(std::count(last_line.begin(), last_line.end(), '\n'), 1) << last_line;
  }
  const CommandResult dims = run_voxmark({"run", "--dry-run", "--image", "64x64x60"});
  EXPECT_EQ(dims.status, 64);
  EXPECT_EQ(dims.err,
            "voxmark: image 64x64x60: expected extents that are multiples of 16, up to 65536\n");
}

TEST_F(RunTest, AFailureInTheDataKeepsTheCasesThatFinished) {
  const CommandResult result =
      run({"--backend", "null", "--data", "synthetic,phantom", "--channels", "9"});
  EXPECT_EQ(result.status, 64);
  const Json report = read_json_file(report_);
  EXPECT_EQ(report.at("records").at(0).at("outcome"), "overhead");
  EXPECT_EQ(report.at("records").at(1).at("outcome"), "failed");
  EXPECT_THAT(report.at("records").at(1).at("reason").get<std::string>(), HasSubstr("channels"));
}

TEST_F(RunTest, AFullDiskIsAnErrorAndNoReport) {
  EXPECT_EQ(run_voxmark({"run", "--backend", "null", "--image", "16", "--out", "/dev/full"}).status,
            70);
  std::filesystem::remove("/dev/full.journal");
}

// Starts a run that would take minutes, signals it once it has a record, and returns its status.
int interrupted_run(const Arguments& arguments, const std::string& journal, int signal) {
  const pid_t process = fork();
  if (process == 0) {
    std::freopen("/dev/null", "w", stdout);
    std::freopen("/dev/null", "w", stderr);
    std::vector<std::string> words = {VOXMARK_BINARY};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    execv(VOXMARK_BINARY, pointers.data());
    _exit(127);
  }
  const auto lines = [&journal] {
    std::ifstream file(journal);
    std::string line;
    int count = 0;
    while (std::getline(file, line)) {
      ++count;
    }
    return count;
  };
  for (int i = 0; i < 1200 && lines() < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  kill(process, signal);
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(RunTest, AnInterruptLeavesAPartialReportThatResumes) {
  for (const auto& [signal, status] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    std::filesystem::remove(report_ + ".journal");
    const Arguments arguments = tiny_run(report_, {"--backend", "null", "--repeats", "400"});
    EXPECT_EQ(interrupted_run(arguments, report_ + ".journal", signal), status);
    const Json partial = read_json_file(report_);
    EXPECT_GE(partial.at("records").size(), 1U);
    EXPECT_LT(partial.at("records").size(), 400U);
  }
  const std::size_t before = read_json_file(report_).at("records").size();
  // The same cases, but fewer: what was measured stays.
  const CommandResult resumed = run({"--backend", "null", "--repeats", "1", "--resume"});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), before);
}

TEST_F(RunTest, WhatAKilledRunHadMeasuredIsKeptAndNotMeasuredTwice) {
  const Arguments arguments = tiny_run(report_, {"--backend", "null", "--repeats", "8"});
  EXPECT_EQ(interrupted_run(arguments, report_ + ".journal", SIGKILL), -1);
  EXPECT_FALSE(std::filesystem::exists(report_));
  const CommandResult resumed = run({"--backend", "null", "--repeats", "8", "--resume"});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  std::set<int> processes;
  const Json report = read_json_file(report_);
  for (const Json& record : report.at("records")) {
    processes.insert(record.at("case").at("process").get<int>());
  }
  EXPECT_EQ(processes.size(), 8U);
  EXPECT_EQ(report.at("records").size(), 8U);
}

TEST_F(RunTest, ACommaLocaleChangesNothing) {
  setenv("LC_ALL", "de_DE.UTF-8", 1);
  const CommandResult result = run({"--backend", "null", "--case-budget", "100.5"});
  unsetenv("LC_ALL");
  EXPECT_EQ(result.status, 0) << result.err;
  const Json report = read_json_file(report_);
  EXPECT_EQ(report.at("limits").at("case_budget_seconds"), 100.5);
}

}  // namespace
}  // namespace voxmark
