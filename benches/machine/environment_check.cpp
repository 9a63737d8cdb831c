#include "benches/machine/environment_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <sstream>

namespace voxmark {
namespace {

Json member(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object.at(name) : Json();
}

std::string text(const Json& object, const char* name) {
  const Json found = member(object, name);
  return found.is_string() ? found.get<std::string>() : "";
}

std::optional<std::int64_t> count(const Json& object, const char* name) {
  const Json found = member(object, name);
  return found.is_number_integer() ? std::optional(found.get<std::int64_t>()) : std::nullopt;
}

bool has_word(const std::string& words, std::string_view word) {
  std::istringstream stream(words);
  for (std::string own; stream >> own;) {
    if (own == word) {
      return true;
    }
  }
  return false;
}

struct Vendor {
  std::string_view id;
  std::string_view name;
  std::vector<std::string_view> foreign_flags;  // that its CPUs never had
};

const Vendor kIntel = {"GenuineIntel", "Intel", {"sse4a", "misalignsse", "topoext", "clzero"}};
const Vendor kAmd = {"AuthenticAMD", "AMD", {"vmx", "pdcm", "dtes64"}};

// Names that a CPU itself tells. Emulators' names, as "Intel Xeon Processor (Skylake)" or "AMD EPYC
// Processor", say nothing of the maker: under KVM they come with the host's vendor.
const Vendor* maker(const std::string& model_name) {
  if (model_name.find("Intel(R)") != std::string::npos) {
    return &kIntel;
  }
  constexpr std::size_t kModelDigits = 4;  // "AMD EPYC 9654 96-Core Processor"
  std::istringstream words(model_name);
  std::string first;
  words >> first;
  if (first != "AMD") {
    return nullptr;
  }
  for (std::string word; words >> word;) {
    if (word.size() >= kModelDigits &&
        std::all_of(word.begin(), word.begin() + kModelDigits,
                    [](char letter) { return letter >= '0' && letter <= '9'; })) {
      return &kAmd;
    }
  }
  return nullptr;
}

void check_maker(const Json& cpu, std::vector<std::string>& faults) {
  const std::string name = text(cpu, "model_name");
  const std::string id = text(cpu, "vendor_id");
  const Vendor* vendor = maker(name);
  if (vendor == nullptr) {
    return;
  }
  if (!id.empty() && id != vendor->id) {
    faults.push_back(
        fmt::format("cpu.model_name is \"{}\", cpu.vendor_id is \"{}\": {}'s is \"{}\"", name, id,
                    vendor->name, vendor->id));
  }
  for (const std::string_view flag : vendor->foreign_flags) {
    if (has_word(text(cpu, "flags"), flag)) {
      faults.push_back(
          fmt::format("cpu.model_name is \"{}\", cpu.flags have \"{}\": no CPU of {} has it", name,
                      flag, vendor->name));
      return;
    }
  }
  constexpr int kFirstEpycFamily = 23;
  constexpr int kLastIntelFamily = 19;
  const std::string family = text(cpu, "cpu_family");
  const bool is_number = !family.empty() && family.size() < 4 &&
                         family.find_first_not_of("0123456789") == std::string::npos;
  const int number = is_number ? std::stoi(family) : 0;
  const bool is_epyc = name.find("EPYC") != std::string::npos;
  if (is_number && ((vendor == &kIntel && number > kLastIntelFamily) ||
                    (vendor == &kAmd && is_epyc && number < kFirstEpycFamily))) {
    faults.push_back(fmt::format("cpu.model_name is \"{}\", cpu.cpu_family is {}: of another maker",
                                 name, family));
  }
}

// "0-3,8" has five.
std::optional<std::int64_t> cpus_in_list(const std::string& list) {
  std::istringstream parts(list);
  std::int64_t total = 0;
  for (std::string part; std::getline(parts, part, ',');) {
    std::istringstream range(part);
    std::int64_t first = 0, last = 0;
    char dash = 0;
    if (!(range >> first)) {
      return std::nullopt;
    }
    if (!(range >> dash >> last)) {
      last = first;
    }
    total += last - first + 1;
  }
  return total;
}

void check_counts(const Json& cpu, std::vector<std::string>& faults) {
  const Json topology = member(cpu, "topology");
  const auto packages = count(topology, "packages");
  const auto cores = count(topology, "cores");
  const auto threads = count(topology, "hardware_threads");
  const auto sockets = count(cpu, "sockets");
  const auto online = count(cpu, "online");
  const auto allowed = count(cpu, "allowed");
  // Of a part of a machine, as a container has it, hwloc shows fewer packages than there are.
  const bool is_whole = threads && online && threads == online && allowed == online;
  if (packages && sockets && *packages > 0 &&
      (*packages > *sockets || (is_whole && packages != sockets))) {
    faults.push_back(
        fmt::format("cpu.sockets is {}, cpu.topology.packages is {}", *sockets, *packages));
  }
  if (cores && threads && *cores > *threads) {
    faults.push_back(
        fmt::format("cpu.topology.cores is {}, cpu.topology.hardware_threads is {}: each core has "
                    "one or more",
                    *cores, *threads));
  }
  if (packages && cores && *cores > 0 && *packages > *cores) {
    faults.push_back(
        fmt::format("cpu.topology.packages is {}, cpu.topology.cores is {}", *packages, *cores));
  }
  if (sockets && online && is_whole && *sockets > *online) {
    faults.push_back(fmt::format("cpu.sockets is {}, cpu.online is {}", *sockets, *online));
  }
  const std::string list = text(cpu, "allowed_list");
  const auto listed = cpus_in_list(list);
  if (allowed && !list.empty() && listed && listed != allowed) {
    faults.push_back(fmt::format("cpu.allowed is {}, cpu.allowed_list is {}", *allowed, list));
  }
  const Json nodes = member(topology, "numa_nodes");
  const auto known_nodes = count(cpu, "numa_nodes");
  if (nodes.is_array() && known_nodes &&
      std::ssize(nodes) > static_cast<std::ptrdiff_t>(*known_nodes)) {
    faults.push_back(fmt::format("cpu.numa_nodes is {}, cpu.topology.numa_nodes has {}",
                                 *known_nodes, nodes.size()));
  }
}

void check_virtual_machine(const Json& environment, std::vector<std::string>& faults) {
  const std::string flags = text(member(environment, "cpu"), "flags");
  const Json told = member(member(environment, "system"), "virtual_machine");
  if (!flags.empty() && told.is_boolean() && told.get<bool>() != has_word(flags, "hypervisor")) {
    faults.push_back(fmt::format("system.virtual_machine is {}, cpu.flags {} \"hypervisor\"",
                                 told.get<bool>(), told.get<bool>() ? "lack" : "have"));
  }
}

}  // namespace

std::vector<std::string> environment_contradictions(const Json& environment) {
  std::vector<std::string> faults;
  const Json cpu = member(environment, "cpu");
  check_maker(cpu, faults);
  check_counts(cpu, faults);
  check_virtual_machine(environment, faults);
  return faults;
}

std::string missing_flag(const Json& environment, std::string_view kernel) {
  struct Need {
    std::string_view part;
    std::string_view flag;
  };
  constexpr std::array<Need, 3> kNeeds = {
      {{"amx", "amx_tile"}, {"avx512", "avx512f"}, {"avx2", "avx2"}}};
  const std::string flags = text(member(environment, "cpu"), "flags");
  if (flags.empty()) {
    return "";
  }
  for (const Need& need : kNeeds) {
    if (kernel.find(need.part) != std::string_view::npos && !has_word(flags, need.flag)) {
      return std::string(need.flag);
    }
  }
  return "";
}

}  // namespace voxmark
