#include "benches/machine/doctor.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/testing/temporary_folder.h"
#include "benches/machine/dimms.h"
#include "benches/machine/environment.h"
#include "benches/machine/topology.h"
#include "benches/probes/counters.h"

namespace voxmark {
namespace {

Json quiet_server() {
  return {{"cpu",
           {{"governor", "performance"},
            {"no_turbo", "1"},
            {"smt", "off"},
            {"allowed", 80},
            {"numa_nodes", 1}}},
          {"memory",
           {{"transparent_hugepages", "always [madvise] never"},
            {"total_bytes", 1000},
            {"available_bytes", 900}}},
          {"system",
           {{"perf_event_paranoid", "1"},
            {"load_average", "0.05 0.1 0.2 1/300 4242"},
            {"cpu_quota", nullptr}}}};
}

Situation undisturbed() { return {"", 0.0, 0.0, 0.001, 0.01}; }

std::vector<std::string> spoilt(const Json& environment, const Situation& situation) {
  std::vector<std::string> subjects;
  for (const Diagnosis& finding : diagnose(environment, situation)) {
    if (finding.health == Health::spoils) {
      EXPECT_FALSE(finding.effect.empty()) << finding.subject;
      EXPECT_FALSE(finding.remedy.empty()) << finding.subject;
      subjects.push_back(finding.subject);
    }
  }
  return subjects;
}

TEST(Doctor, FindsNothingOnAQuietServer) {
  EXPECT_TRUE(spoilt(quiet_server(), undisturbed()).empty());
}

TEST(Doctor, NamesEachThingThatSpoilsAMeasurement) {
  const std::vector<std::pair<std::string, Json::json_pointer>> wrong = {
      {"governor", Json::json_pointer("/cpu/governor")},
      {"turbo", Json::json_pointer("/cpu/no_turbo")},
      {"SMT", Json::json_pointer("/cpu/smt")},
      {"NUMA", Json::json_pointer("/cpu/numa_nodes")},
      {"transparent huge pages", Json::json_pointer("/memory/transparent_hugepages")},
      {"free memory", Json::json_pointer("/memory/available_bytes")},
      {"perf_event_paranoid", Json::json_pointer("/system/perf_event_paranoid")},
      {"CPU quota", Json::json_pointer("/system/cpu_quota")}};
  const std::map<std::string, Json> values = {{"governor", "powersave"},
                                              {"turbo", "0"},
                                              {"SMT", "on"},
                                              {"NUMA", 2},
                                              {"transparent huge pages", "always madvise [never]"},
                                              {"free memory", 100},
                                              {"perf_event_paranoid", "2"},
                                              {"CPU quota", 1.5}};
  for (const auto& [subject, place] : wrong) {
    Json environment = quiet_server();
    environment[place] = values.at(subject);
    EXPECT_EQ(spoilt(environment, undisturbed()), std::vector<std::string>{subject});
  }
  Situation situation = undisturbed();
  situation.missing_counters = "perf_event_paranoid is 3";
  EXPECT_EQ(spoilt(quiet_server(), situation), std::vector<std::string>{"hardware counters"});
  situation = undisturbed();
  situation.others_cpus = 1.5;
  EXPECT_EQ(spoilt(quiet_server(), situation), std::vector<std::string>{"load"});
  situation = undisturbed();
  situation.steal_fraction = 0.2;
  EXPECT_EQ(spoilt(quiet_server(), situation), std::vector<std::string>{"steal"});
  situation = undisturbed();
  situation.run_delay_fraction = 0.3;
  EXPECT_EQ(spoilt(quiet_server(), situation), std::vector<std::string>{"waiting for a CPU"});
}

// Each command is run, as root and as a user with sudo (which is `env` here), on the files of a
// machine of paper: it must mend what it is for, and nothing else.
TEST(Doctor, TheCommandsMendWhatTheyAreFor) {
  for (const bool is_root : {true, false}) {
    const TemporaryFolder root;
    const auto write = [&root](const std::string& path, const std::string& text) {
      std::filesystem::create_directories(std::filesystem::path(root.path() + path).parent_path());
      std::ofstream(root.path() + path) << text << "\n";
    };
    write("/proc/meminfo", "MemTotal: 5 kB\nMemAvailable: 4 kB");
    write("/proc/loadavg", "0.05 0.1 0.2 1/300 4242");
    write("/proc/sys/kernel/perf_event_paranoid", "3");
    write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave");
    write("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave");
    write("/sys/devices/system/cpu/cpufreq/boost", "1");
    write("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]");
    Situation situation = undisturbed();
    situation.is_root = is_root;
    std::vector<std::string> ill = {"governor", "turbo", "transparent huge pages"};
    if (!is_root) {
      ill.insert(ill.begin(), "perf_event_paranoid");
    }
    ASSERT_EQ(spoilt(probe_environment(root.path()), situation), ill);
    for (const Diagnosis& finding : diagnose(probe_environment(root.path()), situation)) {
      if (finding.health != Health::spoils) {
        continue;
      }
      std::string command = finding.remedy;
      EXPECT_EQ(command.find("sudo ") != std::string::npos, !is_root) << command;
      for (const std::string folder : {" /sys/", " /proc/"}) {
        if (const std::size_t at = command.find(folder); at != std::string::npos) {
          command.insert(at + 1, root.path());
        }
      }
      if (const std::size_t at = command.find("sudo "); at != std::string::npos) {
        command.replace(at, 5, "env ");
      }
      ASSERT_EQ(std::system((command + " >/dev/null").c_str()), 0) << command;
      ill.erase(ill.begin());
      EXPECT_EQ(spoilt(probe_environment(root.path()), situation), ill) << command;
    }
    std::string governor;
    std::ifstream(root.path() + "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor") >>
        governor;
    EXPECT_EQ(governor, "performance") << "of every CPU";
  }
}

TEST(Doctor, SendsTheReaderOfAContainerToItsHost) {
  Json environment = quiet_server();
  environment["cpu"]["governor"] = "powersave";
  Situation situation = undisturbed();
  situation.is_root = true;
  situation.is_kernel_read_only = true;
  for (const Diagnosis& finding : diagnose(environment, situation)) {
    EXPECT_EQ(finding.remedy.starts_with("on the host, outside of this container: echo "),
              finding.subject == "governor")
        << finding.subject;
  }
}

TEST(Doctor, NamesWhatBringsCountersByWhyTheyAreMissing) {
  Json environment = quiet_server();
  environment["system"]["virtual_machine"] = true;
  Situation situation = undisturbed();
  const auto remedy = [&](int error_number) {
    situation.missing_counters = explain_open_error(error_number, "3");
    return diagnose(environment, situation).front().remedy;
  };
  EXPECT_EQ(remedy(EACCES), "echo 1 | sudo tee /proc/sys/kernel/perf_event_paranoid");
  EXPECT_NE(remedy(EPERM).find("--cap-add PERFMON"), std::string::npos);
  EXPECT_NE(remedy(ENOENT).find("on this virtual machine's host"), std::string::npos);
  environment["system"]["virtual_machine"] = false;
  EXPECT_NE(remedy(ENOENT).find("a machine with a PMU"), std::string::npos);
}

TEST(Doctor, WhatTheMachineDoesNotTellIsNoFault) {
  Json environment = quiet_server();
  environment["cpu"]["governor"] = nullptr;
  environment["cpu"].erase("no_turbo");
  EXPECT_TRUE(spoilt(environment, Situation{}).empty());
}

TEST(Doctor, TheLoadOfARunThatHasEndedIsNoNews) {
  Json environment = quiet_server();
  environment["system"]["load_average"] = "13.49 9.1 4.2 1/300 4242";
  EXPECT_TRUE(spoilt(environment, undisturbed()).empty());
}

// Exit code 1 for ever would tell a script nothing.
TEST(Doctor, WhatNothingInHereCanMendIsToldAndNotJudged) {
  const auto outside = [](const Json& environment, const Situation& situation) {
    std::vector<std::string> subjects;
    EXPECT_TRUE(spoilt(environment, situation).empty());
    for (const Diagnosis& finding : diagnose(environment, situation)) {
      if (finding.health == Health::outside) {
        EXPECT_FALSE(finding.effect.empty() || finding.remedy.empty()) << finding.subject;
        subjects.push_back(finding.subject);
      }
    }
    return subjects;
  };
  Situation guest = undisturbed();
  guest.missing_counters = "this machine has no PMU";
  EXPECT_EQ(outside(quiet_server(), guest), std::vector<std::string>{"hardware counters"});
  Json environment = quiet_server();
  environment["cpu"]["governor"] = "powersave";
  environment["memory"]["transparent_hugepages"] = "always madvise [never]";
  Situation container = undisturbed();
  container.is_kernel_read_only = true;
  EXPECT_EQ(outside(environment, container),
            (std::vector<std::string>{"governor", "transparent huge pages"}));
  environment = quiet_server();
  environment["system"]["cpu_quota"] = 2;
  EXPECT_EQ(outside(environment, undisturbed()), std::vector<std::string>{"CPU quota"})
      << "threads follow a whole number of CPUs";
  Situation throttled = undisturbed();
  throttled.throttled_fraction = 0.1;
  EXPECT_EQ(spoilt(environment, throttled), std::vector<std::string>{"CPU quota"});
}

TEST(Doctor, SaysWhetherAMachineIsBusy) {
  EXPECT_FALSE(busy_machine(undisturbed()));
  EXPECT_FALSE(busy_machine(Situation{})) << "what is not known is no load";
  Situation situation = undisturbed();
  situation.others_cpus = 1.5;
  situation.run_delay_fraction = 0.72;
  EXPECT_EQ(*busy_machine(situation),
            "other programs use 1.5 CPUs; waiting for a CPU 72.0% of the time");
  situation.others_cpus = 1.01;
  situation.run_delay_fraction = 0;
  EXPECT_EQ(*busy_machine(situation), "other programs use 1 CPU");
}

TEST(Doctor, AnswersHereWhateverThisMachineIs) {
  const auto findings = diagnose(probe_environment(), observe_situation(0.01));
  EXPECT_EQ(findings.size(), 12U);
}

TEST(Topology, IsThatOfTheMachineThatHwlocIsTold) {
  setenv("HWLOC_SYNTHETIC", "pack:2 [numa(memory=1073741824)] l3:1(size=33554432) core:4 pu:2", 1);
  const Json shape = topology();
  unsetenv("HWLOC_SYNTHETIC");
  EXPECT_EQ(shape.at("packages"), 2);
  EXPECT_EQ(shape.at("cores"), 8);
  EXPECT_EQ(shape.at("hardware_threads"), 16);
  ASSERT_EQ(shape.at("numa_nodes").size(), 2U);
  EXPECT_EQ(shape.at("numa_nodes")[1].at("bytes"), 1073741824);
  EXPECT_EQ(shape.at("numa_nodes")[1].at("cpus"), "8-15");
  EXPECT_EQ(shape.at("caches").back(), Json({{"level", 3},
                                             {"kind", "unified"},
                                             {"bytes", 33554432},
                                             {"count", 2},
                                             {"hardware_threads_each", 8}}));
}

TEST(Topology, OfThisMachineHasCpus) { EXPECT_GE(topology().at("hardware_threads"), 1); }

std::string entry(unsigned size, unsigned extended_mebibytes) {
  std::string bytes(40, '\0');
  const auto put = [&](std::size_t offset, unsigned value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      bytes[offset + i] = static_cast<char>(value >> (8 * i) & 0xFFU);
    }
  };
  put(0, 17, 1);
  put(0x0C, size, 2);
  put(0x12, 0x1A, 1);
  put(0x1C, extended_mebibytes, 4);
  put(0x20, 2933, 2);
  return bytes;
}

TEST(Dimms, AreReadFromTheFirmwaresEntries) {
  EXPECT_EQ(parse_dimm(entry(16384, 0)), Json({{"bytes", std::int64_t{16} << 30},
                                               {"type", "DDR4"},
                                               {"mega_transfers_per_second", 2933}}));
  EXPECT_EQ(parse_dimm(entry(0x7FFF, 131072))->at("bytes"), std::int64_t{128} << 30);
  EXPECT_EQ(parse_dimm(entry(0x8400, 0))->at("bytes"), 1 << 20) << "in KiB";
  EXPECT_FALSE(parse_dimm(entry(0, 0))) << "an empty slot";
  EXPECT_FALSE(parse_dimm(""));
  EXPECT_FALSE(parse_dimm(std::string(40, 'x')));
}

}  // namespace
}  // namespace voxmark
