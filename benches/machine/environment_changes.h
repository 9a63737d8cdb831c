// What of a machine changed between two looks at it, told by the leaf that changed. Pure.
#pragma once

#include <string>

#include "base/json.h"

namespace voxmark {

// Of two of probe_environment(), what differs and can matter to what was measured in between:
// [{"fact": "cpu.topology.numa_nodes.0.bytes", "before": ..., "after": ...}]. Left out is what
// moves by itself (free memory, load, the clock just now), and memory that grew, as a guest's does.
// voxmark_reports/differences.py has the same rule.
Json environment_changes(const Json& before, const Json& after);

// One of them: "NUMA node 0: 7.90 GiB -> 5.60 GiB of memory", "cpu.governor: performance ->
// powersave". Of a long text only the words that differ.
std::string change_text(const Json& change);

}  // namespace voxmark
