#include "benches/probes/counters.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/testing/temporary_folder.h"
#include "benches/probes/counter_passes.h"
#include "benches/probes/energy.h"
#include "benches/probes/frequency.h"
#include "benches/probes/readings.h"

namespace voxmark {
namespace {

TEST(CounterArithmetic, ACountIsADifference) {
  const CounterReading during = difference({100, 50, 50}, {350, 150, 150});
  EXPECT_EQ(counter_value(during).value, 250);
  EXPECT_EQ(counter_value(during).running_fraction, 1);
}

TEST(CounterArithmetic, AMultiplexedCountIsScaledOrRefused) {
  const CounterValue scaled = counter_value({950, 1000, 950});
  EXPECT_DOUBLE_EQ(*scaled.value, 1000);
  EXPECT_DOUBLE_EQ(scaled.running_fraction, 0.95);
  const CounterValue refused = counter_value({500, 1000, 500});
  EXPECT_FALSE(refused.value);
  EXPECT_EQ(refused.reason, "ran 50% of the time, too little to scale from");
}

TEST(CounterArithmetic, WhatDidNotCountIsNotZero) {
  EXPECT_FALSE(counter_value({0, 0, 0}).value);
  EXPECT_FALSE(counter_value({0, 1000, 0}).value);
  EXPECT_EQ(counter_value({0, 1000, 1000}).value, 0) << "counted, and found none";
  EXPECT_TRUE(to_json(missing_counter("no PMU")).at("value").is_null());
  EXPECT_EQ(to_json(missing_counter("no PMU")).at("reason"), "no PMU");
}

TEST(CounterArithmetic, DerivedFiguresSayWhatTheyCameFrom) {
  CounterValues values;
  values["cycles"] = {3e9, 1, ""};
  values["instructions"] = {6e9, 1, ""};
  values["task-clock"] = {2e9, 1, ""};  // nanoseconds
  values["cache-misses"] = {1e6, 1, ""};
  values["cache-references"] = missing_counter("no PMU");
  const Json figures = derived_figures(values, 64e6);
  EXPECT_EQ(figures.at("instructions_per_cycle").at("value"), 2.0);
  EXPECT_EQ(figures.at("instructions_per_cycle").at("from"), Json({"instructions", "cycles"}));
  EXPECT_EQ(figures.at("frequency_hz").at("value"), 1.5e9);
  EXPECT_EQ(figures.at("bytes_per_flop").at("value"), 1.0);
  EXPECT_TRUE(figures.at("cache_miss_fraction").at("value").is_null());
  EXPECT_EQ(figures.at("cache_miss_fraction").at("reason"), "cache-references: no PMU");
}

TEST(CounterArithmetic, EnergyCountersStartAgain) {
  EXPECT_DOUBLE_EQ(joules_between(1000000, 3500000, 100000000), 2.5);
  EXPECT_DOUBLE_EQ(joules_between(99000000, 500000, 100000000), 1.5);
}

TEST(Counters, SayWhatToDoAboutAMissingPmu) {
  EXPECT_NE(explain_open_error(ENOENT, "2").find("no PMU"), std::string::npos);
  EXPECT_NE(explain_open_error(EOPNOTSUPP, "2").find("no PMU"), std::string::npos);
  EXPECT_NE(explain_open_error(EACCES, "3").find("sysctl kernel.perf_event_paranoid"),
            std::string::npos);
  EXPECT_NE(explain_open_error(EPERM, "2").find("seccomp"), std::string::npos);
}

TEST(Counters, AreAValueOrAReason) {
  for (const CounterGroup& group : counter_groups("default")) {
    Counters counters(group);
    counters.start();
    for (const auto& [event, value] : counters.stop()) {
      EXPECT_NE(value.value.has_value(), !value.reason.empty()) << event;
    }
  }
}

// Only the kernel switches threads: what counts user space alone would read 0.
TEST(Counters, ContextSwitchesAreNeverZeroForWantOfPrivilege) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (setuid(kNobody) != 0) {
      _exit(2);
    }
    Counters counters({"context-switches"});
    counters.start();
    for (int i = 0; i < 10; ++i) {
      usleep(1000);
    }
    const CounterValue value = counters.stop().at("context-switches");
    _exit(value.value && *value.value == 0 ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) {
    GTEST_SKIP() << "needs root, to become nobody";
  }
  EXPECT_EQ(WEXITSTATUS(status), 0) << "0 context switches while it slept ten times";
}

TEST(Counters, OfAnyNameThatLibpfm4Knows) {
  EXPECT_TRUE(counter_groups("none").empty());
  EXPECT_EQ(counter_groups("PERF_COUNT_SW_CPU_CLOCK,minor-faults").size(), 3U);
  EXPECT_THROW(counter_groups("no-such-event"), Error);
  EXPECT_THROW(counter_groups("minor-faults,"), Error);
}

double thread_seconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

constexpr std::size_t kPages = 16384;  // 64 MiB
constexpr std::size_t kPageBytes = 4096;

// Fresh pages of 4 KiB, none of which is there yet.
char* fresh_pages() {
  void* pages = mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(pages, MAP_FAILED);
  madvise(pages, kPages * kPageBytes, MADV_NOHUGEPAGE);
  return static_cast<char*>(pages);
}

// The path of the hardware's counters, proven by events that every machine has: threads that are
// created after opening are counted, to the page.
// Page faults counted while four threads touch kPages fresh ones.
double faults_of_fresh_pages(Counters& counters) {
  constexpr std::size_t kThreads = 4;
  char* pages = fresh_pages();
  std::barrier together(kThreads + 1);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      volatile char* page = pages;  // its own code and stack are there before counting starts
      // AddressSanitizer's checks would touch pages of its own.
      const auto touch = [&](std::size_t from, std::size_t to)
                             __attribute__((no_sanitize("address"))) {
                               for (std::size_t i = from; i < to; ++i) {
                                 page[i * kPageBytes] = 1;
                               }
                             };
      touch(0, 0);
      together.arrive_and_wait();
      together.arrive_and_wait();
      touch(thread * kPages / kThreads, (thread + 1) * kPages / kThreads);
      together.arrive_and_wait();
      together.arrive_and_wait();
    });
  }
  together.arrive_and_wait();
  counters.start();
  together.arrive_and_wait();
  together.arrive_and_wait();
  const CounterValues values = counters.stop();
  together.arrive_and_wait();
  for (std::thread& thread : threads) {
    thread.join();
  }
  munmap(pages, kPages * kPageBytes);
  return values.at("page-faults").value.value_or(0);
}

TEST(Counters, CountPageFaultsOfEveryThread) {
  Counters counters({"page-faults"});
  if (!counters.is_open("page-faults")) {
    GTEST_SKIP() << counters.missing().at("page-faults").reason;
  }
  // A thread that has to sleep at the barrier for the first time touches a page of the library's.
  constexpr int kTries = 3;
  double least = faults_of_fresh_pages(counters);
  for (int i = 1; i < kTries && least > static_cast<double>(kPages); ++i) {
    least = std::min(least, faults_of_fresh_pages(counters));
  }
  constexpr double kLibrarys = 16;
  EXPECT_GE(least, static_cast<double>(kPages));
  EXPECT_LE(least, static_cast<double>(kPages) + kLibrarys);
}

// Whose first event this machine may lack: the others are counted over a step, or not at all.
TEST(CounterPasses, CountAStepForWhatIsOpen) {
  CounterPasses passes({{"cycles", "page-faults"}, {"page-faults"}});
  int steps = 0;
  const Json counted = passes.run(
      [&] {
        ++steps;
        char* pages = fresh_pages();
        for (std::size_t i = 0; i < kPages; ++i) {
          pages[i * kPageBytes] = 1;
        }
        munmap(pages, kPages * kPageBytes);
      },
      1);
  const Json& faults = counted.at("events").at("page-faults");
  EXPECT_EQ(counted.at("passes"), steps);
  if (faults.at("value").is_null()) {
    GTEST_SKIP() << faults.at("reason");
  }
  EXPECT_EQ(steps, 1) << "the second group tells nothing new";
  EXPECT_GE(faults.at("value").get<double>(), static_cast<double>(kPages));
}

constexpr std::size_t kSpinners = 3;
constexpr double kSecondsEach = 0.2;

// The counted seconds over the threads' own, once.
double counted_over_own(Counters& counters) {
  counters.start();
  std::array<double, kSpinners> seconds{};
  std::vector<std::thread> threads;
  for (double& own : seconds) {
    threads.emplace_back([&own] {
      while (thread_seconds() < kSecondsEach) {
      }
      own = thread_seconds();
    });
  }
  const double before_waiting = thread_seconds();
  for (std::thread& thread : threads) {
    thread.join();
  }
  const double waiting = thread_seconds() - before_waiting;
  const double counted = *counters.stop().at("task-clock").value * 1e-9;
  return counted / std::accumulate(seconds.begin(), seconds.end(), waiting);
}

double stolen_seconds() {
  std::ostringstream stat;
  stat << std::ifstream("/proc/stat").rdbuf();
  return steal_seconds(stat.str(), sysconf(_SC_CLK_TCK)).value_or(0);
}

TEST(Counters, TaskClockIsTheThreadsCpuTime) {
  constexpr double kTolerance = 0.1;  // a thread that is not counted is a third
  constexpr int kTries = 5;  // a hypervisor that takes the CPU away is counted on one side alone
  double ratio = 0, stolen = 0;
  for (int i = 0; i < kTries && std::abs(ratio - 1) > kTolerance; ++i) {
    Counters counters({"task-clock"});
    if (!counters.is_open("task-clock")) {
      GTEST_SKIP() << counters.missing().at("task-clock").reason;
    }
    const double before = stolen_seconds();
    ratio = counted_over_own(counters);
    stolen = stolen_seconds() - before;
  }
  const double amiss = std::abs(ratio - 1) * kSpinners * kSecondsEach;
  if (std::abs(ratio - 1) > kTolerance && stolen > amiss / 2) {  // or it explains nothing
    GTEST_SKIP() << "a hypervisor took " << stolen << " s of the CPU: the ratio is " << ratio;
  }
  EXPECT_NEAR(ratio, 1, kTolerance);
}

TEST(Frequency, IsAFigureOrAReason) {
  FrequencyMeter meter(true);
  meter.start();
  const double until = thread_seconds() + 0.05;  // several ticks of the kernel's clock
  while (thread_seconds() < until) {
  }
  const std::optional<double> hertz = meter.stop();
  const Json source = members_to_json(meter.source());
  EXPECT_EQ(hertz.has_value(), source.at("source").is_string()) << source;
  if (hertz) {
    EXPECT_GT(*hertz, 1e8);
    EXPECT_LT(*hertz, 1e10);
  } else {
    EXPECT_FALSE(source.at("reason").get<std::string>().empty());
  }
}

TEST(Frequency, IsCpufreqsWhereThereAreNoCounters) {
  const TemporaryFolder root;
  FrequencyMeter meter(false, root.path());
  meter.start();
  EXPECT_FALSE(meter.stop());
  EXPECT_EQ(members_to_json(meter.source()),
            Json({{"source", nullptr},
                  {"reason", "cycles: no counters asked for; no cpufreq on this machine"}}));
  for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); ++cpu) {  // we may move
    const std::string folder =
        root.path() + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq";
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/scaling_cur_freq") << "2450000\n";
  }
  EXPECT_EQ(meter.stop(), 2.45e9);
  EXPECT_EQ(meter.source().source, "cpufreq, of the main thread's CPU when the step had ended");
}

TEST(Energy, AddsPackagesUpAndLeavesTheirPartsOut) {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& zone, const std::string& file,
                         const std::string& text) {
    const std::filesystem::path path = folder.path() + "/sys/class/powercap/" + zone;
    std::filesystem::create_directories(path);
    std::ofstream(path / file) << text;
  };
  for (const std::string zone : {"intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"}) {
    write(zone, "name", zone == "intel-rapl:0:0" ? "core\n" : "package-" + zone.substr(11) + "\n");
    write(zone, "max_energy_range_uj", "1000000000\n");
    write(zone, "energy_uj", "5000000\n");
  }
  EnergyMeter meter(folder.path());
  meter.start();
  write("intel-rapl:0", "energy_uj", "7000000\n");
  write("intel-rapl:1", "energy_uj", "1000000\n");  // passed its range
  write("intel-rapl:0:0", "energy_uj", "6000000\n");
  const Json energy = members_to_json(meter.stop());
  EXPECT_DOUBLE_EQ(energy.at("joules").get<double>(), 2 + 996);
  EXPECT_DOUBLE_EQ(energy.at("domains").at("package-0").get<double>(), 2);
}

TEST(Energy, IsNullWithItsReasonWhereThereIsNone) {
  const TemporaryFolder folder;
  EnergyMeter meter(folder.path());
  meter.start();
  EXPECT_FALSE(meter.stop().joules);
  EXPECT_NE(meter.stop().reason.value_or(""), "");
}

}  // namespace
}  // namespace voxmark
