#include "benches/machine/environment.h"

#include <cpuid.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/own_program.h"
#include "base/sha256.h"
#include "benches/machine/build_info.h"
#include "benches/machine/dimms.h"
#include "benches/machine/loaded_libraries.h"
#include "benches/machine/topology.h"
#include "benches/process/cgroup.h"
#include "benches/process/memory_room.h"
#include "benches/process/process_cpus.h"

namespace voxmark {
namespace {

constexpr const char* kUntoldByCgroup = "this control group does not tell";

// A group of facts; what could not be had is null, and the reason stands beside.
class Section {
 public:
  void add(const std::string& name, Json value) { facts_[name] = std::move(value); }

  void add_missing(const std::string& name, const std::string& reason) {
    facts_[name] = nullptr;
    reasons_[name] = reason;
  }

  template <class T>
  void add(const std::string& name, const std::optional<T>& value, const std::string& reason) {
    if (value) {
      add(name, Json(*value));
    } else {
      add_missing(name, reason);
    }
  }

  // The first line of a file.
  void add_file(const std::string& name, const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (std::getline(file, line)) {
      add(name, line);
    } else {
      add_missing(name, "cannot read " + path);
    }
  }

  // Of the control group, by either version's name; "" where there is no such file.
  void add_cgroup_file(const std::string& name, const std::string& path,
                       const std::string& other_path) {
    if (path.empty() && other_path.empty()) {
      add_missing(name, kUntoldByCgroup);
    } else {
      add_file(name, path.empty() ? other_path : path);
    }
  }

  Json json() && {
    if (!reasons_.empty()) {
      facts_["reasons"] = std::move(reasons_);
    }
    return std::move(facts_);
  }

 private:
  Json facts_ = Json::object();
  Json reasons_ = Json::object();
};

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return file.is_open() ? std::optional(line) : std::nullopt;
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  const std::size_t end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end + 1 - begin);
}

// "name<tabs>: value" of the first processor in /proc/cpuinfo.
std::optional<std::string> cpuinfo(const std::string& root, std::string_view name) {
  std::ifstream file(root + "/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && trimmed(line.substr(0, colon)) == name) {
      return trimmed(line.substr(colon + 1));
    }
  }
  return std::nullopt;
}

// How many different values a file has over all CPUs, e.g. of topology/physical_package_id.
std::optional<int> distinct_over_cpus(const std::string& root, const std::string& file_name) {
  std::set<std::string> values;
  std::error_code failure;
  const std::filesystem::path cpus = root + "/sys/devices/system/cpu";
  for (const auto& entry : std::filesystem::directory_iterator(cpus, failure)) {
    std::ifstream file(entry.path() / file_name);
    std::string value;
    if (std::getline(file, value)) {
      values.insert(value);
    }
  }
  return values.empty() ? std::nullopt : std::optional(static_cast<int>(values.size()));
}

std::optional<int> numa_nodes(const std::string& root) {
  int count = 0;
  std::error_code failure;
  const std::filesystem::path nodes = root + "/sys/devices/system/node";
  for (const auto& entry : std::filesystem::directory_iterator(nodes, failure)) {
    const std::string name = entry.path().filename().string();
    count +=
        name.starts_with("node") && name.find_first_not_of("0123456789", 4) == std::string::npos;
  }
  return count == 0 ? std::nullopt : std::optional(count);
}

Json vulnerabilities(const std::string& root) {
  Json found = Json::object();
  std::error_code failure;
  const std::filesystem::path folder = root + "/sys/devices/system/cpu/vulnerabilities";
  std::set<std::filesystem::path> files;  // sorted
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    files.insert(entry.path());
  }
  for (const auto& path : files) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    found[path.filename().string()] = line;
  }
  return found;
}

Json caches(const std::string& root) {
  Json found = Json::array();
  for (int index = 0;; ++index) {
    const std::string folder =
        fmt::format("{}/sys/devices/system/cpu/cpu0/cache/index{}/", root, index);
    std::string level, type, size;
    if (!std::getline(std::ifstream(folder + "level"), level) ||
        !std::getline(std::ifstream(folder + "type"), type) ||
        !std::getline(std::ifstream(folder + "size"), size)) {
      return found;
    }
    found.push_back({{"level", level}, {"type", type}, {"size", size}});
  }
}

// "0-3,8": the CPUs that this process may run on.
std::optional<std::string> allowed_list() {
  const auto cpus = process_cpus();
  return cpus ? std::optional(cpu_list_text(*cpus)) : std::nullopt;
}

Json cpu_section(const std::string& root) {
  const std::string cpu0 = root + "/sys/devices/system/cpu/cpu0/";
  Section section;
  for (const char* name :
       {"vendor_id", "model name", "cpu family", "model", "stepping", "microcode", "flags"}) {
    std::string key = name;
    std::replace(key.begin(), key.end(), ' ', '_');
    section.add(key, cpuinfo(root, name), "not in /proc/cpuinfo");
  }
  section.add("online", static_cast<std::int64_t>(sysconf(_SC_NPROCESSORS_ONLN)));
  section.add("allowed", allowed_cpus());
  section.add("sockets", distinct_over_cpus(root, "topology/physical_package_id"),
              "no topology in /sys");
  section.add("cores_per_socket", distinct_over_cpus(root, "topology/core_id"),
              "no topology in /sys");
  section.add("numa_nodes", numa_nodes(root), "no /sys/devices/system/node");
  section.add_file("smt", root + "/sys/devices/system/cpu/smt/control");
  section.add_file("governor", cpu0 + "cpufreq/scaling_governor");
  section.add_file("frequency_driver", cpu0 + "cpufreq/scaling_driver");
  section.add_file("max_frequency_khz", cpu0 + "cpufreq/cpuinfo_max_freq");
  section.add("mhz", cpuinfo(root, "cpu MHz"), "not in /proc/cpuinfo");  // just now
  section.add_file("no_turbo", root + "/sys/devices/system/cpu/intel_pstate/no_turbo");
  section.add_file("boost", root + "/sys/devices/system/cpu/cpufreq/boost");
  section.add("caches", caches(root));
  section.add("allowed_list", allowed_list(), "more CPUs than a mask has bits");
  if (Json shape = topology(); shape.contains("reason")) {
    section.add_missing("topology", shape.at("reason").get<std::string>());
  } else if (shape.at("this_machine") == false) {
    section.add_missing("topology", "HWLOC_* variables describe another machine");
  } else {
    section.add("topology", std::move(shape));
  }
  section.add("vulnerabilities", vulnerabilities(root));
  return std::move(section).json();
}

// Where a variable fixes it; else it moves, and malloc does not tell.
std::optional<std::string> malloc_mmap_threshold() {
  if (const char* bytes = std::getenv("MALLOC_MMAP_THRESHOLD_")) {
    return bytes;
  }
  constexpr std::string_view kTunable = "glibc.malloc.mmap_threshold=";
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  const std::string all = tunables == nullptr ? "" : tunables;
  const std::size_t begin = all.find(kTunable);
  if (begin == std::string::npos) {
    return std::nullopt;
  }
  return all.substr(begin + kTunable.size(), all.find(':', begin) - begin - kTunable.size());
}

// As the kernel writes it; null where it is no limit: "max" in version 2, 2^63 less a page in
// version 1.
void add_cgroup_limit(Section& section, const std::string& root) {
  constexpr const char* kName = "cgroup_limit";
  const std::string newer = cgroup_file("memory", "memory.max", root);
  const std::string path =
      newer.empty() ? cgroup_file("memory", "memory.limit_in_bytes", root) : newer;
  const std::optional<std::string> text = path.empty() ? std::nullopt : first_line(path);
  if (!text || text->empty()) {
    section.add_missing(kName, kUntoldByCgroup);
  } else if (!memory_limit_bytes(*text)) {
    section.add_missing(kName, "no limit");
  } else {
    section.add(kName, *text);
  }
}

Json memory_section(const std::string& root) {
  Section section;
  section.add("total_bytes", total_memory_bytes(root), "no MemTotal in /proc/meminfo");
  const MemoryRoom room = memory_room(root);
  section.add("available_bytes", room.bytes);
  section.add("available_source", room.source);
  add_cgroup_limit(section, root);
  section.add("malloc_mmap_threshold", malloc_mmap_threshold(),
              "glibc's own: 128 KiB at first, then as large as the largest block freed");
  section.add("page_bytes", static_cast<std::int64_t>(sysconf(_SC_PAGESIZE)));
  const std::string huge = root + "/sys/kernel/mm/transparent_hugepage/";
  section.add_file("transparent_hugepages", huge + "enabled");
  section.add_file("transparent_hugepages_defrag", huge + "defrag");
  section.add_file("overcommit_memory", root + "/proc/sys/vm/overcommit_memory");
  section.add_file("swappiness", root + "/proc/sys/vm/swappiness");
  section.add_file("numa_balancing", root + "/proc/sys/kernel/numa_balancing");
  Json modules = dimms(root);
  if (modules.is_array()) {
    section.add("dimms", std::move(modules));
  } else {
    section.add_missing("dimms", modules.at("reason").get<std::string>());
  }
  return std::move(section).json();
}

// The CPU's own word, which every hypervisor sets: /proc/cpuinfo need not list flags.
bool is_virtual_machine() {
  constexpr unsigned kHypervisorBit = 1U << 31U;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kHypervisorBit) != 0;
}

// CPUID leaf 0x40000000: twelve letters, "KVMKVMKVM" or "Microsoft Hv".
std::optional<std::string> hypervisor_name() {
  constexpr unsigned kHypervisorLeaf = 0x40000000;
  unsigned eax = 0;
  std::array<unsigned, 3> letters{};
  __cpuid(kHypervisorLeaf, eax, letters[0], letters[1], letters[2]);
  std::string name;
  for (unsigned word : letters) {
    for (; word != 0; word >>= 8U) {
      name += static_cast<char>(word & 0xFFU);
    }
  }
  return name.empty() ? std::nullopt : std::optional(trimmed(name));
}

Json system_section(const std::string& root) {
  Section section;
  utsname names = {};
  uname(&names);
  section.add("host", names.nodename);
  section.add("kernel", std::string(names.sysname) + " " + names.release);
  section.add("kernel_version", names.version);
  section.add("machine", names.machine);
  const bool virtual_machine = is_virtual_machine();
  section.add("virtual_machine", virtual_machine);
  section.add("hypervisor", virtual_machine ? hypervisor_name() : std::nullopt,
              virtual_machine ? "it does not tell its name" : "not a virtual machine");
  section.add("cpu_quota", cpu_quota(root), "no limit in this cgroup");
  section.add_cgroup_file("cgroup_cpus", cgroup_file("cpuset", "cpuset.cpus.effective", root),
                          cgroup_file("cpuset", "cpuset.effective_cpus", root));
  section.add("isolated_cpus", first_line(root + "/sys/devices/system/cpu/isolated"),
              "cannot be read");
  section.add_file("product", root + "/sys/class/dmi/id/product_name");
  section.add_file("load_average", root + "/proc/loadavg");
  section.add_file("clock_source",
                   root + "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  section.add_file("perf_event_paranoid", root + "/proc/sys/kernel/perf_event_paranoid");
  return std::move(section).json();
}

Json libraries_section() {
  Json libraries = Json::array();
  for (const LoadedLibrary& library : loaded_libraries()) {
    libraries.push_back(
        {{"path", library.path}, {"version", library.version}, {"sha256", library.sha256}});
  }
  return libraries;
}

}  // namespace

Json performance_variables() {
  constexpr std::array<std::string_view, 9> kPrefixes = {
      "OMP_",   "GOMP_",           "KMP_",       "ONEDNN_", "DNNL_", "MALLOC_",
      "HWLOC_", "GLIBC_TUNABLES=", "LD_PRELOAD="};
  std::set<std::string> found;  // sorted
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    for (const std::string_view prefix : kPrefixes) {
      if (text.starts_with(prefix)) {
        found.insert(text);
      }
    }
  }
  Json variables = Json::object();
  for (const std::string& text : found) {
    const std::size_t equals = text.find('=');
    variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return variables;
}

int allowed_cpus() {
  const auto cpus = process_cpus();
  return cpus ? CPU_COUNT(&*cpus) : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
}

std::string binary_sha256() { return sha256_file(own_program()); }

Json kernel_identity() {
  return {{"binary_sha256", binary_sha256()},
          {"libraries", libraries_section()},
          {"cpu", cpuinfo("", "model name").value_or("")},
          {"cpu_flags", cpuinfo("", "flags").value_or("")},
          {"variables", performance_variables()}};
}

Json probe_environment(const std::string& root) {
  return {{"cpu", cpu_section(root)},       {"memory", memory_section(root)},
          {"system", system_section(root)}, {"variables", performance_variables()},
          {"build", build_facts()},         {"libraries", libraries_section()}};
}

}  // namespace voxmark
