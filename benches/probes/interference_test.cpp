#include "benches/probes/interference.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/testing/temporary_folder.h"
#include "benches/probes/readings.h"
#include "benches/process/cgroup.h"
#include "benches/testing/cpu_hog.h"

namespace voxmark {
namespace {

TEST(Taints, WhatOthersTookAddsUp) {
  EXPECT_DOUBLE_EQ(lost_seconds(Json::object(), 2), 0);
  EXPECT_DOUBLE_EQ(lost_seconds({{"run_delay_seconds", 0.5}, {"steal_seconds", 0.25}}, 2), 0.75);
  EXPECT_DOUBLE_EQ(lost_seconds({{"throttled_seconds", 0.5}}, 2), 1.0) << "of both threads";
}

TEST(CpuQuota, IsTheLeastOfAllGroups) {
  const TemporaryFolder root;
  const auto write = [&root](const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root.path() + path).parent_path());
    std::ofstream(root.path() + path) << text;
  };
  write("/proc/self/cgroup", "0::/outer/job\n");
  EXPECT_FALSE(cpu_quota(root.path()));
  write("/sys/fs/cgroup/outer/job/cpu.max", "max 100000\n");
  EXPECT_FALSE(cpu_quota(root.path()));
  write("/sys/fs/cgroup/outer/job/cpu.max", "400000 100000\n");
  write("/sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(cpu_quota(root.path()).value(), 1.5);
  write("/proc/self/cgroup", "3:cpu,cpuacct:/job\n");
  EXPECT_FALSE(cpu_quota(root.path()));
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(cpu_quota(root.path()));
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n");
  EXPECT_DOUBLE_EQ(cpu_quota(root.path()).value(), 0.5);
}

TEST(Readings, UnderstandTheKernelsFiles) {
  EXPECT_DOUBLE_EQ(
      *steal_seconds("cpu  65527 6817 12363 55725 1721 0 180 118 0 0\ncpu0 1 2\n", 100), 1.18);
  EXPECT_FALSE(steal_seconds("", 100));
  EXPECT_FALSE(steal_seconds("cpu  1 2 3\n", 100));
  EXPECT_DOUBLE_EQ(*throttled_seconds("nr_periods 5\nnr_throttled 2\nthrottled_usec 1500000\n"),
                   1.5);
  EXPECT_DOUBLE_EQ(*throttled_seconds("nr_periods 5\nnr_throttled 2\nthrottled_time 2500000000\n"),
                   2.5);
  EXPECT_FALSE(throttled_seconds(""));
  EXPECT_DOUBLE_EQ(
      *pressure_seconds("some avg10=4.97 avg60=5.76 avg300=7.12 total=41766831\nfull avg10=0.00\n"),
      41.766831);
  EXPECT_FALSE(pressure_seconds(""));
}

TEST(Readings, SeeThreadsWaitForACpu) {
  for (const char* name :
       {"steal_seconds", "throttled_seconds", "cpu_pressure_seconds", "run_delay_seconds"}) {
    constexpr int kTries = 5;  // a kernel's figure may shrink meanwhile: then it is in neither
    bool is_told = false;
    for (int i = 0; i < kTries && !is_told; ++i) {
      ReadingsProbe probe;
      probe.start();
      const Json readings = probe.stop();
      is_told = readings.contains(name) != probe.missing().contains(name);
    }
    EXPECT_TRUE(is_told) << name;
  }
}

// As many threads as before, but others.
TEST(Readings, SayWhyThereAreNoneOfThreadsThatEnded) {
  ReadingsProbe probe;
  const auto thread_until = [](std::promise<void>& end) {
    return std::thread([waits = end.get_future()] { waits.wait(); });
  };
  std::promise<void> end_of_first, end_of_second;
  std::thread first = thread_until(end_of_first);
  probe.start();
  end_of_first.set_value();
  first.join();
  std::thread second = thread_until(end_of_second);
  const Json readings = probe.stop();
  const auto missing = probe.missing();
  end_of_second.set_value();
  second.join();
  EXPECT_NE(readings.contains("run_delay_seconds"), missing.contains("run_delay_seconds"));
  EXPECT_GE(readings.value("run_delay_seconds", 0.0), 0);
}

TEST(Cgroup, FindsItsFilesInBothVersionsAndInAContainer) {
  const auto file_with = [](const std::string& cgroup, const std::string& path) {
    const TemporaryFolder root;
    const auto write = [&](const std::string& where, const std::string& text) {
      std::filesystem::create_directories(std::filesystem::path(root.path() + where).parent_path());
      std::ofstream(root.path() + where) << text;
    };
    write("/proc/self/cgroup", cgroup);
    write("/sys/fs/cgroup" + path, "x");
    const std::string found = cgroup_file("cpu", "cpu.stat", root.path());
    return found == root.path() + "/sys/fs/cgroup" + path;
  };
  EXPECT_TRUE(file_with("4:memory:/m\n3:cpu,cpuacct:/a/b\n", "/cpu/a/b/cpu.stat"));
  EXPECT_TRUE(file_with("3:cpu:/gone\n", "/cpu/cpu.stat"));
  EXPECT_TRUE(file_with("0::/a/b\n", "/a/b/cpu.stat"));
  EXPECT_TRUE(file_with("0::/gone\n", "/cpu.stat"));
  EXPECT_FALSE(file_with("0::/a\n", "/b/cpu.stat"));
}

TEST(Interference, IsSeenInAnyOfItsSigns) {
  EXPECT_TRUE(taints(Json::object(), 1, 2).empty()) << "no evidence is no evidence of a fault";
  EXPECT_TRUE(taints({{"steal_seconds", 0.0},
                      {"throttled_seconds", 0.0},
                      {"run_delay_seconds", 0.03},
                      {"major_faults", 0}},
                     1, 2)
                  .empty());
  for (const Json& sign : {Json{{"steal_seconds", 0.1}}, Json{{"throttled_seconds", 0.1}},
                           Json{{"run_delay_seconds", 0.1}}, Json{{"major_faults", 1}}}) {
    EXPECT_EQ(taints(sign, 1, 2).size(), 1U) << sign;
  }
  EXPECT_TRUE(taints({{"steal_seconds", 0.01}}, 0.01, 1).empty()) << "one tick: no resolution";
}

// What is stolen from the machine is stolen from all copies; what threads waited is one copy's own.
TEST(Interference, CopiesShareWhatIsStolenFromTheMachine) {
  const Json stolen = {{"steal_seconds", 0.03}};
  EXPECT_EQ(taints(stolen, 1.0, 1).size(), 1U);
  EXPECT_TRUE(taints(stolen, 1.0, 1, 4).empty());
  EXPECT_DOUBLE_EQ(lost_seconds(stolen, 1, 4), 0.03 / 4);
  const Json waited = {{"run_delay_seconds", 0.03}};
  EXPECT_EQ(taints(waited, 1.0, 1, 4).size(), 1U);
  EXPECT_DOUBLE_EQ(lost_seconds(waited, 1, 4), 0.03);
}

TEST(Interference, StealThatNoShortStepShowsAddsUp) {
  EXPECT_FALSE(steal_taint(0.01, 0.05, 1)) << "one tick: no resolution";
  EXPECT_TRUE(steal_taint(20 * 0.01, 20 * 0.05, 1));
  EXPECT_FALSE(steal_taint(0.02, 2, 2)) << "half a percent";
}

TEST(Interference, ASlowCanaryOnEitherSideTaints) {
  EXPECT_FALSE(canary_taint(1.05, 1.0, 1.0));
  EXPECT_TRUE(canary_taint(1.2, 1.0, 1.0));
  EXPECT_TRUE(canary_taint(1.0, 1.2, 1.0));
}

TEST(Interference, OtherProgramsAreSeenOnTheCpusOfThisProcess) {
  const std::string stat =
      "cpu  110 220 330 999 999 44 55 99 0 0\n"
      "cpu0 10 20 30 999 999 4 5 99 0 0\n"
      "cpu1 100 200 300 999 999 40 50 99 0 0\nintr 7\n";
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  EXPECT_DOUBLE_EQ(busy_seconds(stat, 100, cpus).value(), 0.69);
  CPU_SET(1, &cpus);
  EXPECT_DOUBLE_EQ(busy_seconds(stat, 100, cpus).value(), 7.59);
  CPU_SET(2, &cpus);
  EXPECT_FALSE(busy_seconds(stat, 100, cpus));
  EXPECT_FALSE(busy_seconds("", 100, cpus));
}

TEST(Interference, OtherProgramsTaintWithMoreThanTheSpreadThatProcessesHave) {
  EXPECT_FALSE(others_taint(-0.1, 1, 2)) << "ticks are charged to whom they find";
  EXPECT_FALSE(others_taint(0.05, 0.1, 1)) << "a few ticks: no resolution";
  EXPECT_FALSE(others_taint(0.3, 10, 2));
  EXPECT_EQ(others_taint(0.5, 10, 2).value_or(""), "other programs used 0.5 s of CPU time");
}

TEST(Interference, AThirdOfTheStepsMayBeDisturbed) {
  EXPECT_FALSE(is_tainted(0, 5));
  EXPECT_FALSE(is_tainted(1, 3));
  EXPECT_TRUE(is_tainted(2, 5));
  EXPECT_TRUE(is_tainted(1, 1));
  EXPECT_FALSE(is_tainted(0, 0));
}

TEST(Interference, TheCanaryIsAPieceOfWork) { EXPECT_GT(canary_seconds(), 1e-4); }

double seconds_on_cpu() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// A hog on the very CPU that we run on.
TEST(Interference, ACpuHogTaintsWhatRunsBesideIt) {
  const CpuHog hog;
  ReadingsProbe probe;
  const auto start = std::chrono::steady_clock::now();
  probe.start();
  const double until = seconds_on_cpu() + 0.3;  // of many time slices, between which the hog's are
  while (seconds_on_cpu() < until) {
  }
  const Json readings = probe.stop();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (probe.missing().contains("run_delay_seconds")) {
    GTEST_SKIP() << probe.missing().at("run_delay_seconds");
  }
  EXPECT_FALSE(taints(readings, seconds, 1).empty()) << readings;
}

}  // namespace
}  // namespace voxmark
