// voxmark run when things go wrong: killed, interrupted, without disk, under hostile variables.
// What was measured is there afterwards, and nothing twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tools/tests/run_fixture.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

class FaultTest : public RunTest {};

TEST_F(FaultTest, AFullDiskIsAnErrorAndNoReport) {
  EXPECT_EQ(run_voxmark({"run", "--backend", "null", "--image", "16", "--out", "/dev/full"}).status,
            70);
  std::filesystem::remove("/dev/full.journal");
}

// Exit code 0 would say that somebody has read the answer.
TEST_F(FaultTest, AnAnswerThatCannotBeWrittenIsAnError) {
  const std::vector<Arguments> commands = {tiny_run(report_, {"--backend", "null"}),
                                           {"list", "backends", "--json"},
                                           {"run", "--help"},
                                           {"--version"},
                                           {"plan", "--backend", "naive", "--image", "16"}};
  for (const Arguments& arguments : commands) {
    const CommandResult result = run_voxmark(arguments, "/dev/full");
    EXPECT_EQ(result.status, 70) << arguments.front();
    EXPECT_THAT(result.err, HasSubstr("No space left on device")) << arguments.front();
  }
  EXPECT_TRUE(std::filesystem::exists(report_)) << "what was measured is there all the same";
}

// Without waiting for it; what it says is thrown away.
pid_t start_voxmark(const Arguments& arguments) {
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
  return process;
}

// Starts a run that would take minutes, signals it once it has a record, and returns its status.
int interrupted_run(const Arguments& arguments, const std::string& journal, int signal) {
  const pid_t process = start_voxmark(arguments);
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

TEST_F(FaultTest, AnInterruptLeavesAPartialReportThatResumes) {
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

TEST_F(FaultTest, WhatAKilledRunHadMeasuredIsKeptAndNotMeasuredTwice) {
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

// A child that takes its time must not hold up whoever asks twice.
TEST_F(FaultTest, TheSecondInterruptStopsAtOnce) {
  const std::string slow = folder_.path() + "/slow";
  std::ofstream(slow) << "#!/bin/sh\nexec sleep 600\n";
  std::filesystem::permissions(slow, std::filesystem::perms::owner_all);
  const pid_t process = start_voxmark(tiny_run(report_, {"--backend", "exec:" + slow}));
  const std::string journal = report_ + ".journal";
  for (int i = 0; i < 1200 && !std::filesystem::exists(journal); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  kill(process, SIGSTOP);  // both signals are there before it can heed the first
  kill(process, SIGINT);
  kill(process, SIGTERM);
  kill(process, SIGCONT);
  int status = 0;
  waitpid(process, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_THAT(WEXITSTATUS(status), testing::AnyOf(130, 143));
  EXPECT_FALSE(std::filesystem::exists(report_)) << "nothing is written on the way out";
}

TEST_F(FaultTest, APartialReportOpensInEveryTool) {
  const Arguments arguments = tiny_run(report_, {"--backend", "null", "--repeats", "400"});
  ASSERT_EQ(interrupted_run(arguments, report_ + ".journal", SIGINT), 130);
  EXPECT_EQ(run_voxmark({"validate", report_}).status, 0);
  EXPECT_EQ(run_voxmark({"rerun", report_}).status, 0);
}

TEST_F(FaultTest, ATeamThatIsSmallerThanAskedForIsAnError) {
  if (std::thread::hardware_concurrency() < 2) {
    GTEST_SKIP() << "one CPU";
  }
  setenv("OMP_THREAD_LIMIT", "1", 1);
  const CommandResult result = run_voxmark({"run", "--backend", "null", "--image", "16",
                                            "--threads", "2", "--no-limits", "--out", report_});
  unsetenv("OMP_THREAD_LIMIT");
  EXPECT_EQ(result.status, 64);
  EXPECT_THAT(result.out, HasSubstr("OpenMP gives 1"));
}

TEST_F(FaultTest, AReportBehindAFileSizeLimitIsAnError) {
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{2048, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);                          // children inherit it
  const CommandResult result = run({"--backend", "null"});  // SIGXFSZ as it is: deadly
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(result.status, 70) << result.err;
  EXPECT_THAT(result.err, HasSubstr("File too large"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "half a file is left";
}

// Every whole line of a journal; what is behind the last newline is torn.
std::string whole_lines(const std::string& journal) {
  std::ifstream file(journal, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str().substr(0, text.str().rfind('\n') + 1);
}

// Killed at random points and resumed, over and over: each run goes on from what the one before
// had finished, and no row is lost or measured twice.
TEST_F(FaultTest, KilledAtRandomPointsItLosesNothingAndDoublesNothing) {
  constexpr int kKills = 40;
  constexpr int kCases = 12;
  const std::uint64_t seed = 20240531;
  std::mt19937_64 random(seed);
  const std::string journal = report_ + ".journal";
  const Arguments cases = {"--backend", "null", "--repeats", std::to_string(kCases)};
  std::string before;
  int kills = 0;
  while (kills < kKills && !std::filesystem::exists(report_)) {
    Arguments arguments = tiny_run(report_, cases);
    if (std::filesystem::exists(journal)) {
      arguments.emplace_back("--resume");
    }
    const pid_t process = start_voxmark(arguments);
    usleep(static_cast<useconds_t>(random() % 400000));
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
    ++kills;
    if (std::filesystem::exists(journal)) {
      const std::string now = whole_lines(journal);
      ASSERT_EQ(now.substr(0, before.size()), before) << "a finished row is gone; seed " << seed;
      before = now;
    }
  }
  if (!std::filesystem::exists(report_)) {
    Arguments rest = cases;
    if (std::filesystem::exists(journal)) {
      rest.emplace_back("--resume");
    }
    const CommandResult result = run(rest);
    ASSERT_EQ(result.status, 0) << result.err;
  }
  std::set<int> processes;
  const Json report = read_json_file(report_);
  for (const Json& record : report.at("records")) {
    processes.insert(record.at("case").at("process").get<int>());
  }
  EXPECT_EQ(processes.size(), static_cast<std::size_t>(kCases)) << kills << " kills";
  EXPECT_EQ(report.at("records").size(), static_cast<std::size_t>(kCases)) << kills << " kills";
}

}  // namespace
}  // namespace voxmark
