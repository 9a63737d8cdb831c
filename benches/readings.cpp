#include "benches/readings.h"

namespace voxmark {
namespace {

double seconds_between(const timeval& from, const timeval& to) {
  return static_cast<double>(to.tv_sec - from.tv_sec) +
         1e-6 * static_cast<double>(to.tv_usec - from.tv_usec);
}

rusage usage_now() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

}  // namespace

Json usage_between(const rusage& from, const rusage& to) {
  return {{"minor_faults", to.ru_minflt - from.ru_minflt},
          {"major_faults", to.ru_majflt - from.ru_majflt},
          {"user_seconds", seconds_between(from.ru_utime, to.ru_utime)},
          {"system_seconds", seconds_between(from.ru_stime, to.ru_stime)},
          {"voluntary_switches", to.ru_nvcsw - from.ru_nvcsw},
          {"involuntary_switches", to.ru_nivcsw - from.ru_nivcsw}};
}

void ReadingsProbe::start() { start_ = usage_now(); }

Json ReadingsProbe::stop() const { return usage_between(start_, usage_now()); }

}  // namespace voxmark
