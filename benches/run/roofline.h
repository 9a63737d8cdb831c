// How fast a step could be at most on this machine, by its measured limits: every convolution at
// the peak of arithmetic or of memory bandwidth, whichever takes longer, and everything else for
// free. The arithmetic is that of direct convolutions: Winograd's may pass it, as may a backend
// that keeps small tensors in the caches.
#pragma once

#include <span>

#include "results/record_facts.h"
#include "results/run_facts.h"
#include "workloads/cases/case_spec.h"
#include "workloads/network/program.h"

namespace voxmark {

struct MachineLimit {
  double flops_per_second = 0;
  double bytes_per_second = 0;  // triad's
};

// Seconds of all convolutions of a training step whose elements have `element_bytes`.
double roofline_seconds(const Program& program, std::int64_t element_bytes,
                        const MachineLimit& limit);

// For a record; without seconds, and with a reason, where the limits of that precision and thread
// count were not measured. `processes`, with `threads` in all, share what the machine can do.
Roofline roofline(const CaseSpec& spec, int processes, int threads,
                  std::span<const MachineLimits> limits);

}  // namespace voxmark
