// voxmark run when things go wrong: killed, interrupted, without disk, under hostile variables.
// What was measured is there afterwards, and nothing twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tools/tests/run_fixture.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

class FaultTest : public RunTest {};

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

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
    EXPECT_EQ(partial.at("details").at("partial"), "the run was interrupted");
  }
  const std::size_t before = read_json_file(report_).at("records").size();
  // The same cases, but fewer: what was measured stays.
  const CommandResult resumed = run({"--backend", "null", "--repeats", "1", "--resume"});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), before);
  EXPECT_FALSE(read_json_file(report_).at("details").contains("partial"));
}

TEST_F(FaultTest, ATornJournalResumesWithAWarningAndAnotherRunsDoesNot) {
  const std::string journal = report_ + ".journal";
  const Arguments arguments = tiny_run(report_, {"--backend", "null", "--repeats", "400"});
  ASSERT_EQ(interrupted_run(arguments, journal, SIGKILL), -1);
  std::ofstream(journal, std::ios::app) << "{\"sha256\":\"half a line";
  const Arguments again = {"--backend", "null", "--repeats", "1", "--resume"};
  for (const Arguments& other : {Arguments{"--bind", "cores"}, {"--counters", "none"}}) {
    Arguments mixed = again;
    mixed.insert(mixed.end(), other.begin(), other.end());
    const CommandResult refused = run(mixed);
    EXPECT_EQ(refused.status, 64);
    EXPECT_THAT(refused.err, HasSubstr(other[0]));
  }
  std::ofstream(journal, std::ios::app) << "{\"sha256\":\"half a line";
  const CommandResult resumed = run(again);
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("is not whole: its record is dropped"));
}

TEST_F(FaultTest, ANewRunKeepsTheJournalOfOneThatWasNotFinished) {
  const Arguments arguments = tiny_run(report_, {"--backend", "null", "--repeats", "400"});
  ASSERT_EQ(interrupted_run(arguments, report_ + ".journal", SIGKILL), -1);
  const CommandResult anew = run({"--backend", "null"});
  EXPECT_EQ(anew.status, 0) << anew.err;
  EXPECT_THAT(anew.err, HasSubstr("kept as " + report_ + ".journal.1"));
  EXPECT_TRUE(std::filesystem::exists(report_ + ".journal.1"));
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
  if (!std::filesystem::exists(VOXMARK_SOURCE_DIR "/.venv/bin/python")) {
    GTEST_SKIP() << "no .venv: the tools that are Python are left out";
  }
  const std::string page = folder_.path() + "/page.html";
  EXPECT_EQ(run_voxmark({"report", report_, "-o", page}).status, 0);
  EXPECT_THAT(text_of(page), HasSubstr("the run was interrupted"));
  EXPECT_EQ(run_voxmark({"bundle", report_, "-o", folder_.path() + "/all.tar.gz"}).status, 0);
  const std::string history = folder_.path() + "/history.db";
  EXPECT_EQ(run_voxmark({"history", "--db", history, "add", report_}).status, 0);
  EXPECT_THAT(run_voxmark({"compare", report_, report_}).status, testing::AnyOf(0, 3, 4));
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

TEST_F(FaultTest, ATeamThatIsHeldOnOneCpuIsAnError) {
  if (std::thread::hardware_concurrency() < 2) {
    GTEST_SKIP() << "one CPU";
  }
  for (const char* variable : {"GOMP_CPU_AFFINITY=0", "OMP_PLACES={0}"}) {
    const std::string text = variable;
    const std::string name = text.substr(0, text.find('='));
    setenv(name.c_str(), text.substr(name.size() + 1).c_str(), 1);
    const CommandResult result = run_voxmark({"run", "--backend", "null", "--image", "16",
                                              "--threads", "2", "--no-limits", "--out", report_});
    unsetenv(name.c_str());
    EXPECT_EQ(result.status, 64) << variable;
    EXPECT_THAT(result.err, HasSubstr("may run on 1 CPUs")) << variable;
  }
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
  const std::string text = text_of(journal);
  return text.substr(0, text.rfind('\n') + 1);
}

// Sweeps with all that there is to lose: a backend to be verified, a program of somebody else's
// with a process of its own, another build beside this one.
class KillTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    std::filesystem::create_directories(temporary_);
    setenv("TMPDIR", temporary_.c_str(), 1);
    std::filesystem::copy_file(VOXMARK_BINARY, other_);
    std::ofstream(other_, std::ios::app) << "another build";
    std::ofstream(script_) << "#!/bin/sh\n" << FAULTY_CHILD << " none\nexit $?\n";
    std::filesystem::permissions(script_, std::filesystem::perms::owner_all);
    // At two shapes: the losses that the script tells of its timed steps are made up.
    const auto grid = [](const std::string& backend, const Json& image) {
      return Json{{"backend", {backend}}, {"image", {image}}, {"filters", {2}},
                  {"threads", {1}},       {"steps", 2},       {"warmup", 1}};
    };
    const Json suite = {{"schema", "voxmark.suite/1"},
                        {"grids", {grid("naive", {16, 16, 32}), grid("exec:" + script_, 16)}},
                        {"repeats", 3},
                        {"taint_repeats", 0}};
    std::ofstream(suite_) << dump_json(suite);
  }
  void TearDown() override { unsetenv("TMPDIR"); }

  Arguments sweep() const {
    Arguments arguments = {"run", suite_, "--against", other_, "--no-limits", "--out", report_};
    if (std::filesystem::exists(journals_[0])) {
      arguments.emplace_back("--resume");
    }
    return arguments;
  }
  bool is_done() const {
    return std::filesystem::exists(report_) && !std::filesystem::exists(journals_[0]);
  }
  void start_anew() const {
    std::filesystem::remove(report_);
    std::filesystem::remove(against_);
  }

  void expect_every_row_once(const std::string& path) const {
    std::map<std::string, int> rows;
    const Json report = read_json_file(path);
    for (const Json& record : report.at("records")) {
      EXPECT_EQ(record.at("outcome"), "ok") << record.at("reason");
      const Json& spec = record.at("case");
      ++rows[spec.at("backend").get<std::string>() + dump_json(spec.at("process"))];
    }
    EXPECT_EQ(rows.size(), 6U) << path;
    EXPECT_EQ(report.at("records").size(), 6U) << path;
  }

  // Those that have our cache folder in their environment: all that a run started.
  bool is_anything_left() const {
    const std::string ours = "XDG_CACHE_HOME=" + folder_.path();
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") == std::string::npos &&
          name != std::to_string(getpid()) &&
          text_of(entry.path() / "environ").find(ours) != std::string::npos) {
        return true;
      }
    }
    return false;
  }
  bool all_has_ended() const {
    for (int i = 0; i < 3000 && is_anything_left(); ++i) {
      usleep(10000);
    }
    return !is_anything_left();
  }

  std::string against_ = folder_.path() + "/report.against.json";
  std::array<std::string, 2> journals_ = {report_ + ".journal", against_ + ".journal"};
  std::string temporary_ = folder_.path() + "/temporary";
  std::string other_ = folder_.path() + "/other_build";
  std::string script_ = folder_.path() + "/script";
  std::string suite_ = folder_.path() + "/suite.json";
};

// Killed at random points and resumed, over and over: each run goes on from what the one before
// had finished, no row is lost or measured twice, and nothing that it started is left.
TEST_F(KillTest, AHundredTimesItLosesNothingDoublesNothingAndLeavesNothing) {
  constexpr int kKills = 100;
  const std::uint64_t seed = 20240531;
  std::mt19937_64 random(seed);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run_voxmark(sweep()).status, 0);  // so that proofs are remembered, and for its time
  const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;
  const double longest = std::min(whole.count() / 2, 2.0);  // a busy machine must not take hours
  const auto microseconds = static_cast<std::uint64_t>(1e6 * longest);
  start_anew();
  std::array<std::string, 2> before;
  int sweeps = 0;
  for (int kills = 0; kills < kKills; ++kills) {
    const pid_t process = start_voxmark(sweep());
    usleep(static_cast<useconds_t>(random() % microseconds));
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
    ASSERT_TRUE(all_has_ended()) << "kill " << kills << ", seed " << seed;
    if (is_done()) {
      ++sweeps;
      expect_every_row_once(report_);
      expect_every_row_once(against_);
      start_anew();
      before = {};
      continue;
    }
    for (std::size_t i = 0; i < journals_.size(); ++i) {
      if (std::filesystem::exists(journals_[i])) {
        const std::string now = whole_lines(journals_[i]);
        ASSERT_EQ(now.substr(0, before[i].size()), before[i])
            << "a finished row is gone; kill " << kills << ", seed " << seed;
        before[i] = now;
      }
    }
  }
  const CommandResult rest = run_voxmark(sweep());
  ASSERT_EQ(rest.status, 0) << rest.err;
  expect_every_row_once(report_);
  expect_every_row_once(against_);
  EXPECT_TRUE(std::filesystem::is_empty(temporary_));
  RecordProperty("sweeps", sweeps);
}

}  // namespace
}  // namespace voxmark
