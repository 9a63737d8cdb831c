// The clock frequency at which this process's threads ran while a step was timed: cycles over the
// time that they had a CPU, where a PMU counts them; else what cpufreq says of the CPU that the
// calling thread is on when the step ends; else nothing, with the reason.
//
// Make one before the first OpenMP region, as benches/probes/counters.h asks of counters.
#pragma once

#include <sys/resource.h>

#include <optional>
#include <string>

#include "benches/probes/counters.h"
#include "results/record_facts.h"

namespace voxmark {

class FrequencyMeter {
 public:
  // `with_counters`: false leaves the PMU alone. `root`: of the kernel's files, "" for this
  // machine.
  explicit FrequencyMeter(bool with_counters, std::string root = "");
  void start();
  // In Hz, since start(); nothing where it cannot be had.
  std::optional<double> stop();
  // Where the figures of stop() come from, or why there are none.
  FrequencySource source() const;

 private:
  std::optional<double> cpufreq_hz() const;

  std::string root_;
  // Of cycles alone, where it is open: each event costs an interrupt per thread and reading. The
  // time is getrusage's.
  std::optional<Counters> counter_;
  std::string without_counter_;  // why it is not
  rusage start_ = {};
};

}  // namespace voxmark
