// The CPUs of this process, whatever its OpenMP runtime has done to the thread that asks: with
// OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY libgomp holds the main thread on its first place
// before main() begins.
#pragma once

#include <sched.h>

#include <optional>
#include <string>

namespace voxmark {

// Those of this thread, and of all places of the OpenMP runtime, which are within what the process
// was started with. Nothing where the kernel has more CPUs than a mask has bits.
std::optional<cpu_set_t> process_cpus();

// "0-3,8", as the kernel writes it.
std::string cpu_list_text(const cpu_set_t& cpus);

}  // namespace voxmark
