// Energy that the CPU packages used, from the kernel's powercap files (RAPL).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/record_facts.h"

namespace voxmark {

class EnergyMeter {
 public:
  // `root` stands before /sys. Only root may read these files on most kernels.
  explicit EnergyMeter(const std::string& root = "");

  void start();
  // Since start(), with the reason where nothing could be read. All that ran on the machine counts,
  // not this process alone.
  Energy stop();

 private:
  struct Domain {
    std::string name;  // "package-0"
    std::string path;
    std::uint64_t range_microjoules = 0;
    std::uint64_t start_microjoules = 0;
  };
  std::vector<Domain> domains_;
  std::string reason_;  // why there are none
};

}  // namespace voxmark
