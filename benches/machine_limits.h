// What this machine can do at most, measured here and now: arithmetic in fp32 and bf16, and memory
// bandwidth. The denominators of every "how much is left" question.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

namespace voxmark {

// On `threads` OpenMP threads, in about a second and a half. Takes memory for three arrays four
// times as large as the last-level caches each; call it in a process of its own.
//
//   threads, fp32_flops_per_second, fp32_isa, bf16_flops_per_second, bf16_implementation,
//   triad_bytes_per_second, triad_array_bytes, reasons
//
// Each rate is the best of many short rounds, since whatever else runs here only takes away; beside
// it, *_median, whose distance from the best says how quiet the machine was. Triad counts 24 bytes
// per element, as STREAM does: the lines read only to be written are not counted. What could not be
// measured is null, and its reason in `reasons`.
Json machine_limits(int threads);

// Bytes of the last-level caches that `threads` threads can reach together, each a cache of its own
// where there are as many. `cpus`: the folder of /sys/devices/system/cpu.
std::int64_t last_level_cache_bytes(int threads,
                                    const std::string& cpus = "/sys/devices/system/cpu");

}  // namespace voxmark
