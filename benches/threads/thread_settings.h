// How the children's threads are to be placed: names that people use, as the variables that OpenMP
// runtimes read. What they then did stands in each record (probes, execution). Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "results/run_facts.h"

namespace voxmark {

using Variables = std::map<std::string, std::string>;

struct ThreadSettings {
  std::string bind;     // "cores", "threads", "numa", "none"; "": as the environment says
  std::string profile;  // "paper"; "": none
  std::string runtime = "libgomp";  // benches/machine/loaded_libraries.h: openmp_runtime()
};

// As they stand in a report: facts_of()'s. What is not there is not set.
ThreadSettings thread_settings_of(const ThreadFacts& facts);

// " --bind cores --profile paper", or "".
std::string flags(const ThreadSettings& settings);

// Throws Error (bad_input) naming the option, what was expected and what was found.
void check(const ThreadSettings& settings);

struct RequestedVariables {
  Variables as_published;  // what the source says, for runtimes that read it (KMP_*)
  Variables translated;    // the same for libgomp, where that is the runtime
  std::string note;        // where a translation is not exact
};
RequestedVariables requested_variables(const ThreadSettings& settings);

// The places that these variables name, in thread_places.h's words: what a machine whose topology
// is known makes lists of CPUs of. "": none.
std::string places_named(const ThreadSettings& settings);

// "NAME=VALUE" of all of them, for a child's environment.
std::vector<std::string> assignments(const RequestedVariables& variables);

// For a report.
ThreadFacts facts_of(const ThreadSettings& settings);

// What to tell a user whose threads may wander between NUMA nodes; nothing where there is one node
// or something holds them. `environment` as probe_environment() tells it.
std::optional<std::string> numa_warning(const Json& environment, const ThreadSettings& settings);

}  // namespace voxmark
