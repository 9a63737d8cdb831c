#include "benches/machine/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/testing/temporary_folder.h"
#include "benches/machine/doctor.h"
#include "benches/probes/readings.h"

namespace voxmark {
namespace {

TEST(Environment, EveryNullHasItsReason) {
  const Json environment = probe_environment();
  for (const auto& section : environment.items()) {
    if (!section.value().is_object()) {
      continue;
    }
    for (const auto& fact : section.value().items()) {
      if (fact.value().is_null()) {
        EXPECT_TRUE(section.value().contains("reasons") &&
                    section.value().at("reasons").contains(fact.key()))
            << section.key() << "." << fact.key();
      }
    }
  }
  EXPECT_FALSE(environment.at("cpu").at("flags").is_null());
  EXPECT_GE(environment.at("cpu").at("allowed").get<int>(), 1);
  EXPECT_GT(environment.at("memory").at("total_bytes").get<std::int64_t>(), 0);
  EXPECT_FALSE(environment.at("build").at("compiler").get<std::string>().empty());
}

// Of a machine of paper: every file that is read, with every text that has been seen in its place.
TEST(Environment, IsToldWhateverTheKernelsFilesHold) {
  const std::vector<std::string> files = {
      "/proc/cpuinfo",
      "/proc/meminfo",
      "/proc/self/cgroup",
      "/proc/loadavg",
      "/proc/sys/vm/overcommit_memory",
      "/proc/sys/vm/swappiness",
      "/proc/sys/kernel/numa_balancing",
      "/proc/sys/kernel/perf_event_paranoid",
      "/sys/devices/system/cpu/cpu0/topology/physical_package_id",
      "/sys/devices/system/cpu/cpu0/topology/core_id",
      "/sys/devices/system/cpu/cpu0/cache/index0/size",
      "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
      "/sys/devices/system/cpu/smt/control",
      "/sys/devices/system/cpu/isolated",
      "/sys/devices/system/cpu/vulnerabilities/meltdown",
      "/sys/devices/system/cpu/cpufreq/boost",
      "/sys/devices/system/node/node0/meminfo",
      "/sys/kernel/mm/transparent_hugepage/enabled",
      "/sys/class/dmi/id/product_name",
      "/sys/firmware/dmi/entries/17-0/raw",
      "/sys/fs/cgroup/memory.max",
      "/sys/fs/cgroup/cpu.max",
      "/sys/fs/cgroup/cpuset.cpus.effective"};
  const std::string binary("\xff\xfe\0\x01", 4);
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("-1\n"), std::string("9223372036854775808\n"),
        std::string("0::/\n"), binary, std::string(1 << 16, 'x')}) {
    const TemporaryFolder root;
    for (const std::string& file : files) {
      std::filesystem::create_directories(std::filesystem::path(root.path() + file).parent_path());
      std::ofstream(root.path() + file, std::ios::binary) << text;
    }
    const Json environment = parse_json(dump_json(probe_environment(root.path())), "environment");
    for (const char* section : {"cpu", "memory", "system"}) {
      for (const auto& fact : environment.at(section).items()) {
        EXPECT_TRUE(!fact.value().is_null() ||
                    environment.at(section).at("reasons").contains(fact.key()))
            << section << "." << fact.key();
      }
    }
    EXPECT_TRUE(environment.at("memory").at("cgroup_limit").is_null());
    EXPECT_FALSE(diagnose(environment, Situation{}).empty());
  }
}

TEST(Environment, OfNoFilesAtAllHasItsReasons) {
  const TemporaryFolder root;
  const Json environment = probe_environment(root.path());
  EXPECT_EQ(environment.at("cpu").at("reasons").at("flags"), "not in /proc/cpuinfo");
  EXPECT_EQ(environment.at("memory").at("reasons").at("total_bytes"),
            "no MemTotal in /proc/meminfo");
  EXPECT_GT(environment.at("memory").at("available_bytes").get<std::int64_t>(), 0);
  EXPECT_FALSE(diagnose(environment, Situation{}).empty());
}

TEST(Environment, ListsLibrariesByTheirContent) {
  const Json environment = probe_environment();
  const Json& libraries = environment.at("libraries");
  ASSERT_FALSE(libraries.empty());
  for (const Json& library : libraries) {
    EXPECT_EQ(library.at("sha256").get<std::string>().size(), 64U) << library.at("path");
  }
}

TEST(Environment, RecordsVariablesThatMatterAndNoOthers) {
  setenv("OMP_SCHEDULE", "static", 1);
  setenv("VOXMARK_SECRET_TOKEN", "hush", 1);
  const Json variables = performance_variables();
  EXPECT_EQ(variables.at("OMP_SCHEDULE"), "static");
  EXPECT_EQ(dump_json(probe_environment()).find("hush"), std::string::npos);
  unsetenv("OMP_SCHEDULE");
}

TEST(Environment, AProofRestsOnTheVariablesThatPickKernels) {
  const Json before = kernel_identity();
  EXPECT_EQ(kernel_identity(), before);
  setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 1);
  EXPECT_NE(kernel_identity(), before);
  unsetenv("ONEDNN_MAX_CPU_ISA");
}

TEST(Environment, NamesThatAreNotUtf8CanBeWritten) {
  const TemporaryFolder root;
  std::filesystem::create_directories(root.path() + "/proc");
  std::ofstream(root.path() + "/proc/cpuinfo") << "model name\t: Ze\xff\xfen 4\nflags\t\t: fpu\n";
  std::ofstream(root.path() + "/proc/meminfo") << "MemTotal: 5 kB\nMemAvailable: 4 kB\n";
  const Json environment = probe_environment(root.path());
  const Json again = parse_json(dump_json(environment), "environment");
  EXPECT_NE(again.at("cpu").at("model_name").get<std::string>().find("n 4"), std::string::npos);
}

TEST(Environment, TellsLimitsOfTheControlGroupAndVersionsOfLibraries) {
  const TemporaryFolder root;
  std::filesystem::create_directories(root.path() + "/proc/self");
  std::filesystem::create_directories(root.path() + "/sys/fs/cgroup/job");
  std::ofstream(root.path() + "/proc/self/cgroup") << "0::/job\n";
  std::ofstream(root.path() + "/sys/fs/cgroup/job/memory.max") << "1073741824\n";
  std::ofstream(root.path() + "/sys/fs/cgroup/job/cpu.max") << "400000 100000\n";
  std::ofstream(root.path() + "/sys/fs/cgroup/cpu.max") << "150000 100000\n";
  std::ofstream(root.path() + "/sys/fs/cgroup/job/cpuset.cpus.effective") << "0-3\n";
  std::ofstream(root.path() + "/proc/meminfo") << "MemTotal: 5 kB\nMemAvailable: 4 kB\n";
  std::ofstream(root.path() + "/proc/cpuinfo") << "cpu MHz\t\t: 2450.000\n";
  const Json environment = probe_environment(root.path());
  EXPECT_EQ(environment.at("memory").at("cgroup_limit"), "1073741824");
  EXPECT_EQ(environment.at("system").at("cgroup_cpus"), "0-3");
  EXPECT_EQ(environment.at("system").at("cpu_quota"), 1.5) << "the outer group's binds too";
  EXPECT_EQ(environment.at("cpu").at("mhz"), "2450.000");
  EXPECT_TRUE(environment.at("memory").at("malloc_mmap_threshold").is_null());
  bool has_glibc = false;
  for (const Json& library : environment.at("libraries")) {
    const std::string path = library.at("path");
    has_glibc = has_glibc || (path.find("libc.so") != std::string::npos &&
                              library.at("version").get<std::string>().starts_with("2."));
  }
  EXPECT_TRUE(has_glibc);
}

TEST(Environment, IsNotThatOfTheMachineThatHwlocIsTold) {
  setenv("HWLOC_SYNTHETIC", "pack:2 core:4 pu:2", 1);
  const Json environment = probe_environment();
  unsetenv("HWLOC_SYNTHETIC");
  EXPECT_TRUE(environment.at("cpu").at("topology").is_null());
  EXPECT_EQ(environment.at("variables").at("HWLOC_SYNTHETIC"), "pack:2 core:4 pu:2");
}

TEST(Readings, AreDifferences) {
  rusage from = {};
  from.ru_minflt = 10;
  from.ru_utime = {1, 900000};
  rusage to = from;
  to.ru_minflt = 15;
  to.ru_utime = {3, 100000};
  to.ru_nivcsw = 2;
  const Json readings = usage_between(from, to);
  EXPECT_EQ(readings.at("minor_faults"), 5);
  EXPECT_NEAR(readings.at("user_seconds").get<double>(), 1.2, 1e-12);
  EXPECT_EQ(readings.at("involuntary_switches"), 2);
  EXPECT_EQ(readings.at("major_faults"), 0);
}

}  // namespace
}  // namespace voxmark
