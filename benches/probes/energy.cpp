#include "benches/probes/energy.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "benches/probes/counter_arithmetic.h"

namespace voxmark {
namespace {

std::optional<std::uint64_t> read_count(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

Energy missing(const std::string& reason) {
  Energy found;
  found.reason = reason;
  return found;
}

}  // namespace

EnergyMeter::EnergyMeter(const std::string& root) {
  const std::string folder = root + "/sys/class/powercap";
  std::vector<std::string> zones;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    const std::string name = entry.path().filename();
    // "intel-rapl:0" is a package, "intel-rapl:0:0" a part of it; AMD's have the same name.
    if (name.starts_with("intel-rapl:") && std::ranges::count(name, ':') == 1) {
      zones.push_back(entry.path());
    }
  }
  std::ranges::sort(zones);
  for (const std::string& zone : zones) {
    Domain domain;
    std::getline(std::ifstream(zone + "/name"), domain.name);
    domain.path = zone + "/energy_uj";
    domain.range_microjoules = read_count(zone + "/max_energy_range_uj").value_or(0);
    if (!domain.name.starts_with("package")) {
      continue;  // psys and others overlap with packages
    }
    if (!read_count(domain.path)) {
      reason_ = "energy_uj of " + domain.name + " cannot be read: needs root";
      domains_.clear();
      return;
    }
    domains_.push_back(std::move(domain));
  }
  if (domains_.empty()) {
    reason_ = "no intel-rapl package in /sys/class/powercap";
  }
}

void EnergyMeter::start() {
  for (Domain& domain : domains_) {
    domain.start_microjoules = read_count(domain.path).value_or(0);
  }
}

Energy EnergyMeter::stop() {
  if (domains_.empty()) {
    return missing(reason_);
  }
  double sum = 0;
  std::map<std::string, double> by_name;
  for (const Domain& domain : domains_) {
    const auto now = read_count(domain.path);
    if (!now) {
      return missing(domain.name + ": cannot be read any more");
    }
    if (*now < domain.start_microjoules && domain.range_microjoules == 0) {
      return missing(domain.name + ": its counter began anew, and its range is not known");
    }
    const double joules = joules_between(domain.start_microjoules, *now, domain.range_microjoules);
    by_name[domain.name] = joules;
    sum += joules;
  }
  Energy found;
  found.joules = sum;
  found.domains = std::move(by_name);
  return found;
}

}  // namespace voxmark
