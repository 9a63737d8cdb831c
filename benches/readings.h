// What the kernel counted for this process while something ran: page faults, CPU time, context
// switches. All threads together. Knows nothing of hardware counters.
#pragma once

#include <sys/resource.h>

#include "base/json.h"

namespace voxmark {

class ReadingsProbe {
 public:
  void start();
  // Since start(): minor_faults, major_faults, user_seconds, system_seconds, voluntary_switches,
  // involuntary_switches.
  Json stop() const;

 private:
  rusage start_ = {};
};

// The difference of two readings of getrusage; pure.
Json usage_between(const rusage& from, const rusage& to);

}  // namespace voxmark
