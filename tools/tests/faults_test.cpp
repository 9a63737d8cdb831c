// voxmark run when things go wrong: killed, interrupted, without disk, under hostile variables.
// What was measured is there afterwards, and nothing twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "benches/testing/cpu_hog.h"
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
  std::filesystem::create_symlink("/dev/full", report_);  // its journal can be written
  EXPECT_EQ(run({"--backend", "null"}).status, 70);
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
  for (int i = 0; i < 6000 && lines() < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_GE(lines(), 2) << "no record within five minutes";
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
  for (const auto& [other, told] :
       {std::pair<Arguments, const char*>{{"--bind", "cores"}, "--bind"},
        {{"--counters", "none"}, "--counters"},
        {{"--batch", "2"}, "set of cases"}}) {
    Arguments mixed = again;
    mixed.insert(mixed.end(), other.begin(), other.end());
    const CommandResult refused = run(mixed);
    EXPECT_EQ(refused.status, 64);
    EXPECT_THAT(refused.err, HasSubstr(told));
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
  const Arguments arguments = tiny_run(report_, {"--backend", "null", "--repeats", "400"});
  ASSERT_EQ(interrupted_run(arguments, report_ + ".journal", SIGKILL), -1);
  EXPECT_FALSE(std::filesystem::exists(report_));
  const CommandResult valid = run_voxmark({"validate", report_ + ".journal"});
  EXPECT_EQ(valid.status, 0) << valid.out << valid.err;
  const std::string journal = text_of(report_ + ".journal");
  const auto measured = static_cast<std::size_t>(std::ranges::count(journal, '\n') - 1);
  const std::size_t all = measured + 3;
  const CommandResult resumed =
      run({"--backend", "null", "--repeats", std::to_string(all), "--resume"});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  std::set<std::size_t> processes;
  std::size_t kept = 0;  // as the killed run had written them
  const Json report = read_json_file(report_);
  for (const Json& record : report.at("records")) {
    processes.insert(record.at("case").at("process").get<std::size_t>());
    kept += journal.find(dump_json(record)) != std::string::npos ? 1U : 0U;
  }
  EXPECT_EQ(kept, measured);
  EXPECT_EQ(processes.size(), all);
  EXPECT_EQ(report.at("records").size(), all);
}

// A child that takes its time must not hold up whoever asks twice.
TEST_F(FaultTest, TheSecondInterruptStopsAtOnce) {
  const std::string slow = folder_.path() + "/slow";
  std::ofstream(slow) << "#!/bin/sh\nexec sleep 600\n";
  std::filesystem::permissions(slow, std::filesystem::perms::owner_all);
  const pid_t process = start_voxmark(tiny_run(report_, {"--backend", "exec:" + slow}));
  const std::string journal = report_ + ".journal";
  for (int i = 0; i < 6000 && !std::filesystem::exists(journal); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(std::filesystem::exists(journal)) << "not begun within five minutes";
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
  EXPECT_THAT(run_voxmark({"rerun", report_, "--repeats", "1"}).status, testing::AnyOf(0, 3, 4, 5));
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
  const std::string cpu = std::to_string(first_cpu());
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"GOMP_CPU_AFFINITY", cpu},
                                    {"OMP_PLACES", "{" + cpu + "}"}}) {
    setenv(name.c_str(), value.c_str(), 1);
    const CommandResult result = run_voxmark({"run", "--backend", "null", "--image", "16",
                                              "--threads", "2", "--no-limits", "--out", report_});
    unsetenv(name.c_str());
    EXPECT_EQ(result.status, 64) << name;
    EXPECT_THAT(result.err, HasSubstr("may run on 1 CPU")) << name;
  }
}

// libgomp then holds the main thread on one place before main() begins.
TEST_F(FaultTest, BoundOpenMpThreadsLeaveACaseAllCpus) {
  const auto cpu_facts = [] {
    const Json cpu = run_voxmark({"sysinfo", "--json"}).json().at("environment").at("cpu");
    return Json{cpu.at("allowed"), cpu.at("allowed_list")};
  };
  const auto default_threads = [this] {
    const CommandResult result =
        run_voxmark({"run", "--backend", "null", "--image", "16", "--steps", "1", "--no-limits",
                     "--overwrite", "--out", report_});
    EXPECT_EQ(result.status, 0) << result.err;
    return read_json_file(report_).at("records").at(0).at("case").at("threads").get<int>();
  };
  const Json facts = cpu_facts();
  const int threads = default_threads();
  for (const auto& [name, value] : {std::pair{"OMP_PROC_BIND", "true"}, {"OMP_PLACES", "cores"}}) {
    setenv(name, value, 1);
    EXPECT_EQ(cpu_facts(), facts) << name;
    EXPECT_EQ(default_threads(), threads) << name;
    unsetenv(name);
  }
}

TEST_F(FaultTest, BoundOpenMpThreadsLeaveWhatTheUserAllows) {
  const OneCpu held;
  setenv("OMP_PROC_BIND", "true", 1);
  const Json facts = run_voxmark({"sysinfo", "--json"}).json();
  unsetenv("OMP_PROC_BIND");
  EXPECT_EQ(facts.at("environment").at("cpu").at("allowed_list"), std::to_string(held.cpu()));
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

// A run whose disk was full had `records` in its journal: they are all there, and once there is
// room again, they stay as they are and the rest is measured.
void expect_kept_and_resumed(const CommandResult& full, const std::string& report,
                             const std::string& no_room, const std::function<void()>& make_room) {
  const std::string journal = report + ".journal";
  EXPECT_EQ(full.status, 70) << full.err;
  EXPECT_THAT(full.err, HasSubstr(no_room));
  EXPECT_FALSE(std::filesystem::exists(report)) << "a report of a run that is not done";
  const std::string kept = text_of(journal);
  ASSERT_EQ(kept.substr(kept.rfind('\n') + 1), "") << "half a line is left";
  const auto finished = static_cast<std::size_t>(std::ranges::count(kept, '\n')) - 1;
  ASSERT_GE(finished, 1U) << "the disk was full too early for this test";
  ASSERT_LT(finished, 40U) << "the disk was never full";

  make_room();
  const CommandResult resumed =
      run_voxmark(tiny_run(report, {"--backend", "null", "--repeats", "40", "--resume"}));
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_THAT(resumed.err, testing::Not(HasSubstr("is dropped")));
  std::set<int> processes;
  const Json records = read_json_file(report).at("records");
  for (const Json& record : records) {
    processes.insert(record.at("case").at("process").get<int>());
  }
  EXPECT_EQ(records.size(), 40U);
  EXPECT_EQ(processes.size(), 40U);
  std::istringstream lines(kept);
  std::string line;
  std::getline(lines, line);  // the header
  for (std::size_t i = 0; i < finished; ++i) {
    std::getline(lines, line);
    EXPECT_EQ(parse_json(line, "journal").at("entry"), records.at(i)) << i;
  }
}

TEST_F(FaultTest, AJournalThatReachesAFileSizeLimitKeepsWhatWasFinished) {
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{rlim_t{96} << 10, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);  // children inherit it
  const CommandResult full = run({"--backend", "null", "--repeats", "40"});
  setrlimit(RLIMIT_FSIZE, &before);
  expect_kept_and_resumed(full, report_, "File too large", [] {});
}

// A disk of its own, of few pages, in a mount namespace that ends with this test's process.
TEST_F(FaultTest, ADiskThatFillsUpWhileCasesRunKeepsWhatWasFinished) {
  const std::string disk = folder_.path() + "/disk";
  std::filesystem::create_directory(disk);
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("voxmark-test", disk.c_str(), "tmpfs", 0, "size=128k") != 0) {
    GTEST_SKIP() << "this user cannot mount a file system: " << std::strerror(errno);
  }
  const std::string report = disk + "/report.json";
  const CommandResult full =
      run_voxmark(tiny_run(report, {"--backend", "null", "--repeats", "40"}));
  expect_kept_and_resumed(full, report, "No space left on device", [&disk] {
    ASSERT_EQ(mount("voxmark-test", disk.c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
  });
  umount2(disk.c_str(), MNT_DETACH);
}

// Steps of many time slices, so that none can pass by the hog however fast the CPU is.
TEST_F(FaultTest, ACaseBesideACpuHogIsRunAgainWithinBoundsAndFlagged) {
  constexpr std::size_t kTaintRepeats = 1;
  CommandResult result;
  {
    const CpuHog hog;
    result = run_voxmark({"run",
                          "--backend",
                          "naive",
                          "--image",
                          "32",
                          "--filters",
                          "2",
                          "--steps",
                          "2",
                          "--warmup",
                          "1",
                          "--threads",
                          "1",
                          "--out",
                          report_,
                          "--no-limits",
                          "--counters",
                          "none",
                          "--taint-repeats",
                          std::to_string(kTaintRepeats)});
  }
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json_file(report_);
  ASSERT_EQ(report.at("records").size(), 1U);
  const Json& record = report.at("records").at(0);
  EXPECT_EQ(record.at("outcome"), "ok") << "a disturbed time is a time, with a flag";
  const Json& probes = record.at("details").at("probes");
  if (probes.at("missing_readings").contains("run_delay_seconds")) {
    GTEST_SKIP() << probes.at("missing_readings").at("run_delay_seconds");
  }
  const Json& interference = record.at("details").at("interference");
  EXPECT_EQ(interference.at("tainted"), true) << interference;
  EXPECT_THAT(dump_json(interference.at("reasons")), HasSubstr("of the time for a CPU"));
  ASSERT_EQ(interference.at("discarded").size(), kTaintRepeats) << interference;
  for (const Json& attempt : interference.at("discarded")) {
    EXPECT_EQ(attempt.at("tainted"), true) << attempt;
    EXPECT_EQ(attempt.at("step_seconds").size(), 2U) << "what was discarded is told";
  }
  int involuntary_switches = 0;
  for (const Json& sample : record.at("samples")) {
    const Json& readings = sample.at("readings");
    EXPECT_TRUE(readings.contains("tainted")) << readings;
    EXPECT_GT(readings.at("run_delay_seconds").get<double>(), 0) << readings;
    involuntary_switches += readings.at("involuntary_switches").get<int>();
    const double on_a_cpu =
        readings.at("user_seconds").get<double>() + readings.at("system_seconds").get<double>();
    EXPECT_LT(on_a_cpu, sample.at("step_seconds").get<double>()) << readings;
  }
  EXPECT_GT(involuntary_switches, 0) << record.at("samples");
  if (!std::filesystem::exists(VOXMARK_SOURCE_DIR "/.venv/bin/python")) {
    return;  // no tool that reads reports
  }
  const CommandResult compared = run_voxmark({"compare", report_, report_});
  EXPECT_EQ(compared.status, 4) << compared.out << compared.err;
  EXPECT_THAT(compared.out, HasSubstr("noisy"));
}

// Whose threads nobody can ask what they waited; it sleeps for long enough to be charged ticks.
TEST_F(FaultTest, AnOutsideProgramBesideACpuHogIsFlagged) {
  const std::string script = folder_.path() + "/peer.sh";
  std::ofstream(script) << "#!/bin/sh\nread line\ncase $line in *time*) sleep 2 ;; esac\n"
                        << "{ echo \"$line\"; cat; } | " << FAULTY_CHILD << " none\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  CommandResult result;
  {
    const CpuHog hog;
    result = run({"--backend", "exec:" + script});
  }
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json_file(report_);
  const Json interference = report.at("records").at(0).at("details").at("interference");
  EXPECT_EQ(interference.at("tainted"), true) << interference;
  EXPECT_THAT(dump_json(interference.at("reasons")), HasSubstr("other programs used"));
}

// Variables of the machine's user, each with a value that would spoil a run. What came of the null
// backend says whether the harness withstands it, naive's losses whether the arithmetic does.
class HostileVariables : public FaultTest {
 protected:
  void TearDown() override {
    for (const auto& [name, value] : set_) {
      unsetenv(name.c_str());
    }
  }
  void set(const std::string& name, const std::string& value) {
    set_[name] = value;
    setenv(name.c_str(), value.c_str(), 1);
  }
  Json first_record() const { return read_json_file(report_).at("records").at(0); }

  std::map<std::string, std::string> set_;
};

TEST_F(HostileVariables, ThatOnlyDisturbAreRecordedAndChangeNoNumber) {
  const Arguments naive = {"--backend", "naive"};
  ASSERT_EQ(run(naive).status, 0);
  const Json plain = first_record();
  set("OMP_NUM_THREADS", "garbage");
  set("OMP_DYNAMIC", "true");
  set("OMP_STACKSIZE", "garbage");
  set("OMP_SCHEDULE", "garbage");
  set("OMP_DISPLAY_ENV", "verbose");
  set("GOMP_CPU_AFFINITY", "4095");  // no such CPU
  set("KMP_AFFINITY", "garbage");
  set("MALLOC_ARENA_MAX", "1");
  set("MALLOC_PERTURB_", "165");  // fresh memory is no longer zero
  set("MALLOC_MMAP_THRESHOLD_", "garbage");
  set("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:nonsense");
  set("LD_PRELOAD", "/no/such/library.so");
  set("DNNL_VERBOSE", "2");
  set("ONEDNN_VERBOSE", "2");
  set("HWLOC_XMLFILE", "/no/such/machine.xml");
  const CommandResult result = run(naive);
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json_file(report_);
  const Json hostile = first_record();
  EXPECT_EQ(hostile.at("outcome"), "ok") << hostile.at("reason");
  for (const auto& [name, value] : set_) {
    EXPECT_EQ(report.at("environment").at("variables").at(name), value) << name;
  }
  EXPECT_EQ(hostile.at("details").at("execution").at("omp_dynamic"), false);
  EXPECT_EQ(hostile.at("details").at("execution").at("omp_max_threads"), 1);
  for (const char* same : {"input_sha256", "weights_sha256"}) {
    EXPECT_EQ(hostile.at(same), plain.at(same)) << same;
  }
  for (std::size_t i = 0; i < plain.at("samples").size(); ++i) {
    EXPECT_EQ(hostile.at("samples").at(i).at("loss"), plain.at("samples").at(i).at("loss")) << i;
  }
  EXPECT_EQ(run_voxmark({"validate", report_}).status, 0);
}

// A locale that this machine has, or is given: with one that it has not, nothing would change.
TEST_F(HostileVariables, OfACommaLocaleLeaveTheSameJson) {
  const std::string locale = folder_.path() + "/de_DE.UTF-8";
  const std::string make = "localedef -i de_DE -f UTF-8 '" + locale + "' >/dev/null 2>&1";
  if (std::system(make.c_str()) != 0) {
    GTEST_SKIP() << "no localedef, or no sources of locales";
  }
  set("LOCPATH", folder_.path());
  set("LC_ALL", "de_DE.UTF-8");
  set("LANG", "de_DE.UTF-8");
  const CommandResult result = run({"--backend", "null", "--case-budget", "1234567.5"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_json_file(report_).at("limits").at("case_budget_seconds"), 1234567.5);
  EXPECT_EQ(run_voxmark({"validate", report_}).status, 0);
}

TEST_F(HostileVariables, OfAPlaceForFilesThatIsNotThereCostWhatNeedsOne) {
  set("TMPDIR", folder_.path() + "/none");
  const CommandResult own = run({"--backend", "naive"});
  EXPECT_EQ(own.status, 0) << own.err;  // each child computes its own reference
  EXPECT_EQ(first_record().at("outcome"), "ok");
  const CommandResult external = run({"--backend", std::string("exec:") + FAULTY_CHILD + " none"});
  EXPECT_EQ(external.status, 64) << external.err;
  EXPECT_EQ(first_record().at("outcome"), "failed");
  EXPECT_THAT(
      first_record().at("reason").get<std::string>(),
      testing::StartsWith("TMPDIR " + folder_.path() + "/none: no folder can be made in it"));
}

// A folder for proofs that is not there only makes the next run verify again.
TEST_F(HostileVariables, OfACacheThatCannotBeWrittenCostNothing) {
  set("XDG_CACHE_HOME", "/dev/null");
  EXPECT_EQ(run({"--backend", "naive"}).status, 0);
  EXPECT_EQ(first_record().at("outcome"), "ok");
}

TEST_F(HostileVariables, ThatMakeTheTeamSmallerRefuseTrainingToo) {
  if (std::thread::hardware_concurrency() < 2) {
    GTEST_SKIP() << "one CPU";
  }
  set("OMP_THREAD_LIMIT", "1");
  const CommandResult result =
      run_voxmark({"train", "--data", "phantom:4", "--image", "16", "--threads", "2", "--dry-run"});
  EXPECT_EQ(result.status, 64);
  EXPECT_EQ(result.err, "voxmark: threads 2: OpenMP gives 1 (OMP_THREAD_LIMIT?)\n");
}

// Every whole line of a journal; what is behind the last newline is torn.
std::string whole_lines(const std::string& journal) {
  const std::string text = text_of(journal);
  return text.substr(0, text.rfind('\n') + 1);
}

// Sweeps with all that there is to lose: a backend to be verified with another build beside this
// one, or two programs of somebody else's with processes of their own.
class KillTest : public FaultTest, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    std::filesystem::create_directories(temporary_);
    setenv("TMPDIR", temporary_.c_str(), 1);
    std::filesystem::copy_file(VOXMARK_BINARY, other_);
    std::ofstream(other_, std::ios::app) << "another build";
    for (const std::string& script : {script_, script_ + "2"}) {
      std::ofstream(script) << "#!/bin/sh\n" << FAULTY_CHILD << " none\nexit $?\n";
      std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    }
    const Json suite = {{"schema", "voxmark.suite/1"},
                        {"grids",
                         {{{"backend", {GetParam() ? "exec:" + script_ : std::string("naive")}},
                           {"image", {16, {16, 16, 32}}},
                           {"filters", {2}},
                           {"threads", {1}},
                           {"steps", 2},
                           {"warmup", 1}}}},
                        {"repeats", 3},
                        {"taint_repeats", 0}};
    std::ofstream(suite_) << dump_json(suite);
  }
  void TearDown() override { unsetenv("TMPDIR"); }

  Arguments sweep() const {
    Arguments arguments = {"run", suite_, "--no-limits", "--out", report_};
    arguments.insert(arguments.end(), {GetParam() ? "--against-backend" : "--against",
                                       GetParam() ? "exec:" + script_ + "2" : other_});
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
      ++rows[dump_json(spec.at("image")) + dump_json(spec.at("process"))];
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
  // One more than a journal had before, or the end.
  void wait_for_a_row(const std::string& before) const {
    for (int i = 0; i < 30000 && !is_done(); ++i) {
      if (std::filesystem::exists(journals_[0]) &&
          whole_lines(journals_[0]).size() > std::max<std::size_t>(before.size(), 1)) {
        return;
      }
      usleep(10000);
    }
  }
  bool all_has_ended() const {
    for (int i = 0; i < 30000 && is_anything_left(); ++i) {
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
TEST_P(KillTest, FiftyTimesItLosesNothingDoublesNothingAndLeavesNothing) {
  constexpr int kKills = 50;
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
    if (kills % 2 == 1) {  // while it measures, too, however long it takes to begin
      wait_for_a_row(before[0]);
    }
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

INSTANTIATE_TEST_SUITE_P(Contenders, KillTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Programs" : "Builds"; });

}  // namespace
}  // namespace voxmark
