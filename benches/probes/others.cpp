#include "benches/probes/others.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "benches/probes/interference.h"
#include "benches/process/process_cpus.h"

namespace voxmark {
namespace {

double usage_seconds(int whose) {
  rusage usage = {};
  getrusage(whose, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace

std::optional<double> others_seconds() {
  std::ostringstream stat;
  stat << std::ifstream("/proc/stat").rdbuf();
  const auto cpus = process_cpus();
  const auto all = cpus ? busy_seconds(stat.str(), sysconf(_SC_CLK_TCK), *cpus) : std::nullopt;
  return all ? std::optional(*all - usage_seconds(RUSAGE_SELF) - usage_seconds(RUSAGE_CHILDREN))
             : std::nullopt;
}

}  // namespace voxmark
