#include "benches/machine/doctor.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "base/number_text.h"
#include "benches/probes/counters.h"
#include "benches/probes/interference.h"
#include "benches/probes/others.h"
#include "benches/probes/readings.h"

namespace voxmark {
namespace {

// A fact's text, or nothing where it is null or not there.
std::optional<std::string> text_of(const Json& environment, const char* section, const char* name) {
  const Json& facts = environment.at(section);
  if (!facts.contains(name) || facts.at(name).is_null()) {
    return std::nullopt;
  }
  return facts.at(name).is_string() ? facts.at(name).get<std::string>() : dump_json(facts.at(name));
}

std::optional<double> number_of(const Json& environment, const char* section, const char* name) {
  const Json& facts = environment.at(section);
  return facts.contains(name) && facts.at(name).is_number()
             ? std::optional(facts.at(name).get<double>())
             : std::nullopt;
}

// "1 CPU", "1.5 CPUs".
std::string cpus_text(double cpus) {
  const std::string number = fmt::format("{:.2g}", cpus);
  return number + (number == "1" ? " CPU" : " CPUs");
}

Diagnosis good(const std::string& subject, const std::string& found) {
  return {subject, Health::good, found, "", ""};
}

Diagnosis untold(const std::string& subject, const std::string& why) {
  return {subject, Health::unknown, why, "", ""};
}

// What spoils measurements, but only from outside of this container or virtual machine can be
// mended, is no fault that a check in here can wait for.
Health judged(const Situation& situation) {
  return situation.is_kernel_read_only ? Health::outside : Health::spoils;
}

// Writes the kernel's files, which may be a pattern, as whoever runs the doctor can.
std::string command_to_write(const char* value, const char* files, const Situation& situation) {
  const bool as_root = situation.is_root && !situation.is_kernel_read_only;
  return fmt::format(
      "{}echo {} | {}tee {}",
      situation.is_kernel_read_only ? "on the host, outside of this container: " : "", value,
      as_root ? "" : "sudo ", files);
}

constexpr const char* kParanoidFile = "/proc/sys/kernel/perf_event_paranoid";

Diagnosis counters(const Json& environment, const Situation& situation) {
  if (situation.missing_counters.empty()) {
    return good("hardware counters", "there");
  }
  std::string remedy = "take a machine with a PMU, or let the kernel's configuration have one";
  Health health = Health::outside;
  if (situation.missing_counters.find("perf_event_paranoid") != std::string::npos) {
    remedy = command_to_write("1", kParanoidFile, situation);
    health = judged(situation);
  } else if (situation.missing_counters.find("seccomp") != std::string::npos) {
    remedy = "docker run --cap-add PERFMON, or --security-opt seccomp=unconfined";
  } else if (environment.at("system").value("virtual_machine", Json()) == true) {
    remedy =
        "on this virtual machine's host: pass a PMU on (libvirt: <pmu state='on'/>, and CPU "
        "mode host-passthrough); nothing in here can";
  }
  return {"hardware counters", health, situation.missing_counters,
          "no cycles, instructions or cache misses beside the times", remedy};
}

Diagnosis paranoid(const Json& environment, const Situation& situation) {
  const auto level = text_of(environment, "system", "perf_event_paranoid");
  if (!level) {
    return untold("perf_event_paranoid", "the kernel has no performance events");
  }
  int number = 0;
  std::from_chars(level->data(), level->data() + level->size(), number);
  if (number <= 1) {
    return good("perf_event_paranoid", *level);
  }
  if (situation.is_root) {
    return good("perf_event_paranoid", *level + ", which does not bind root");
  }
  return {"perf_event_paranoid", judged(situation), *level,
          "users count no kernel code, and with 3 nothing at all",
          command_to_write("1", kParanoidFile, situation)};
}

Diagnosis governor(const Json& environment, const Situation& situation) {
  const auto found = text_of(environment, "cpu", "governor");
  if (!found) {
    return untold("governor", "no cpufreq here; in a virtual machine the host decides");
  }
  if (*found == "performance") {
    return good("governor", *found);
  }
  return {"governor", judged(situation), *found, "the clock frequency follows the load",
          command_to_write("performance", "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
                           situation)};
}

Diagnosis turbo(const Json& environment, const Situation& situation) {
  if (const auto no_turbo = text_of(environment, "cpu", "no_turbo")) {
    if (*no_turbo == "1") {
      return good("turbo", "off");
    }
    return {"turbo", judged(situation), "on",
            "the clock frequency depends on heat and on how many cores work",
            command_to_write("1", "/sys/devices/system/cpu/intel_pstate/no_turbo", situation)};
  }
  if (const auto boost = text_of(environment, "cpu", "boost")) {
    if (*boost == "0") {
      return good("turbo", "off");
    }
    return {"turbo", judged(situation), "on",
            "the clock frequency depends on heat and on how many cores work",
            command_to_write("0", "/sys/devices/system/cpu/cpufreq/boost", situation)};
  }
  return untold("turbo", "neither intel_pstate nor cpufreq here");
}

// "always [madvise] never" -> "madvise".
std::string chosen(const std::string& text) {
  const std::size_t begin = text.find('[');
  const std::size_t end = text.find(']');
  return begin == std::string::npos || end == std::string::npos
             ? text
             : text.substr(begin + 1, end - begin - 1);
}

Diagnosis huge_pages(const Json& environment, const Situation& situation) {
  const auto setting = text_of(environment, "memory", "transparent_hugepages");
  if (!setting) {
    return untold("transparent huge pages", "the kernel has none");
  }
  if (chosen(*setting) != "never") {
    return good("transparent huge pages", chosen(*setting));
  }
  return {"transparent huge pages", judged(situation), "never",
          "a large arena costs a page fault per 4 KiB, and more TLB misses",
          command_to_write("madvise", "/sys/kernel/mm/transparent_hugepage/enabled", situation)};
}

// Of the topology, where hwloc knows this machine's.
std::string cores(const Json& environment) {
  const Json& cpu = environment.at("cpu");
  const Json shape = cpu.value("topology", Json());
  return shape.is_object() && shape.contains("cores") ? dump_json(shape.at("cores")) : "CORES";
}

Diagnosis hyperthreads(const Json& environment, const Situation& situation) {
  const auto state = text_of(environment, "cpu", "smt");
  if (!state) {
    return untold("SMT", "the kernel does not tell");
  }
  if (*state != "on") {
    return good("SMT", *state);
  }
  return {"SMT", Health::spoils, "on",
          "two threads on one core are counted as two, and take each other's units",
          fmt::format("voxmark run --threads {} --bind cores; or {}", cores(environment),
                      command_to_write("off", "/sys/devices/system/cpu/smt/control", situation))};
}

Diagnosis quota(const Json& environment, const Situation& situation) {
  const auto found = number_of(environment, "system", "cpu_quota");
  if (!found) {
    return good("CPU quota", "none");
  }
  const double cpus = number_of(environment, "cpu", "allowed").value_or(0);
  if (*found >= cpus && situation.throttled_fraction.value_or(0) == 0) {
    return good("CPU quota",
                fmt::format("{:g} of {} allowed", *found, counted(std::llround(cpus), "CPU")));
  }
  const double throttled = situation.throttled_fraction.value_or(0);
  const bool is_whole = *found >= 1 && *found == std::floor(*found);  // threads follow it
  return {
      "CPU quota", is_whole && throttled == 0 ? Health::outside : Health::spoils,
      fmt::format("{:g} for {} allowed", *found, counted(std::llround(cpus), "CPU")),
      "threads stop in the middle of a step, all at once",
      "raise cpu.max of the cgroup (docker: --cpus), or use fewer --threads; by default there are "
      "as many as the quota has CPUs"};
}

Diagnosis free_memory(const Json& environment) {
  constexpr double kLeastFraction = 0.5;
  const auto total = number_of(environment, "memory", "total_bytes");
  const auto room = number_of(environment, "memory", "available_bytes");
  if (!total || !room) {
    return untold("free memory", "the kernel does not tell");
  }
  const std::string found = fmt::format("{} of {}", bytes_text(static_cast<std::int64_t>(*room)),
                                        bytes_text(static_cast<std::int64_t>(*total)));
  if (*room >= kLeastFraction * *total) {
    return good("free memory", found);
  }
  return {"free memory", Health::spoils, found, "larger cases are infeasible, or page",
          "end what holds it (ps aux --sort=-rss | head), or raise the cgroup's limit"};
}

// What others use now. The load average of a minute would hold the run that has just ended against
// the machine.
Diagnosis load(const Situation& situation) {
  constexpr double kMostCpus = 0.2;
  if (!situation.others_cpus) {
    return untold("load", "/proc/stat does not tell of these CPUs");
  }
  const std::string found =
      "other programs use " + cpus_text(std::max(0.0, *situation.others_cpus));
  if (*situation.others_cpus <= kMostCpus) {
    return good("load", found);
  }
  return {"load", Health::spoils, found,
          "other programs take CPU time, caches and memory bandwidth", "end what runs (top)"};
}

Diagnosis steal(const Situation& situation) {
  if (!situation.steal_fraction) {
    return untold("steal", "cannot read /proc/stat");
  }
  const std::string found = fmt::format("{:.1f}%", 100 * *situation.steal_fraction);
  if (*situation.steal_fraction <= kMaxStealFraction) {
    return good("steal", found);
  }
  return {"steal", Health::spoils, found, "the hypervisor gives this machine's CPUs to others",
          "take a machine with dedicated CPUs"};
}

Diagnosis waiting(const Situation& situation) {
  if (!situation.run_delay_fraction) {
    return untold("waiting for a CPU", "the kernel has no schedstat");
  }
  const std::string found = fmt::format("{:.1f}% of the time", 100 * *situation.run_delay_fraction);
  if (*situation.run_delay_fraction <= kMaxRunDelayFraction) {
    return good("waiting for a CPU", found);
  }
  return {"waiting for a CPU", Health::spoils, found, "other programs run on these CPUs",
          "end them (top), or keep them off: taskset, cpuset cgroups"};
}

Diagnosis numa(const Json& environment) {
  const double nodes = number_of(environment, "cpu", "numa_nodes").value_or(1);
  if (nodes <= 1) {
    return good("NUMA", "one node");
  }
  return {"NUMA", Health::spoils, fmt::format("{:g} nodes", nodes),
          "threads that move between nodes leave their memory behind", "voxmark run --bind cores"};
}

}  // namespace

std::string to_string(Health health) {
  switch (health) {
    case Health::good:
      return "good";
    case Health::spoils:
      return "spoils";
    case Health::outside:
      return "outside";
    case Health::unknown:
      return "unknown";
  }
  return "";
}

std::optional<std::string> busy_machine(const Situation& situation) {
  std::string busy;
  for (const Diagnosis& finding : {load(situation), waiting(situation), steal(situation)}) {
    if (finding.health == Health::spoils) {
      busy += fmt::format("{}{}{}", busy.empty() ? "" : "; ",
                          finding.subject == "load" ? "" : finding.subject + " ", finding.found);
    }
  }
  return busy.empty() ? std::nullopt : std::optional(busy);
}

std::optional<std::string> busy_machine() {
  constexpr double kWatchedSeconds = 0.5;
  return busy_machine(observe_situation(kWatchedSeconds));
}

std::string busy_warning(const std::string& busy) {
  return fmt::format(
      "this machine is busy ({}): times measured now are longer than on a quiet one, and vary; "
      "voxmark doctor tells more",
      busy);
}

std::vector<Diagnosis> diagnose(const Json& environment, const Situation& situation) {
  return {counters(environment, situation),
          paranoid(environment, situation),
          governor(environment, situation),
          turbo(environment, situation),
          huge_pages(environment, situation),
          hyperthreads(environment, situation),
          numa(environment),
          quota(environment, situation),
          free_memory(environment),
          load(situation),
          steal(situation),
          waiting(situation)};
}

Situation observe_situation(double seconds) {
  ReadingsProbe probe;
  probe.start();
  const std::optional<double> others_before = others_seconds();
  const auto start = std::chrono::steady_clock::now();
  double passed = 0;
  while (passed < seconds) {
    passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  const Json readings = probe.stop();
  const std::optional<double> others_after = others_seconds();
  const auto fraction = [&](const char* name) {
    return readings.contains(name) ? std::optional(readings.at(name).get<double>() / passed)
                                   : std::nullopt;
  };
  struct statvfs kernel = {};
  const bool is_read_only =
      statvfs("/sys", &kernel) == 0 && (kernel.f_flag & static_cast<unsigned long>(ST_RDONLY)) != 0;
  return {missing_hardware_counters(),
          fraction("steal_seconds"),
          fraction("throttled_seconds"),
          fraction("run_delay_seconds"),
          others_before && others_after ? std::optional((*others_after - *others_before) / passed)
                                        : std::nullopt,
          geteuid() == 0,
          is_read_only};
}

}  // namespace voxmark
