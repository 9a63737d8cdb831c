#include "benches/threads/binding_notes.h"

#include <fmt/format.h>
#include <omp.h>

#include <cstdlib>

#include "benches/machine/loaded_libraries.h"
#include "benches/process/process_cpus.h"

namespace voxmark {
std::vector<std::string> binding_notes(const BindingFacts& facts) {
  std::vector<std::string> notes;
  const auto bind = facts.variables.find("OMP_PROC_BIND");
  const bool wants_none = bind != facts.variables.end() && asks_for_none(bind->second);
  for (const auto& [name, value] : facts.variables) {
    if (!asks_for_binding(value)) {
      continue;
    }
    if (name == "KMP_AFFINITY" && facts.runtime == "libgomp") {
      notes.push_back(fmt::format(
          "{}={}: not followed: libgomp does not read it; --bind or OMP_PLACES holds threads", name,
          value));
    } else if (facts.places == 0 && wants_none) {
      notes.push_back(fmt::format("{}={}: not followed: OMP_PROC_BIND={} switches binding off",
                                  name, value, bind->second));
    } else if (facts.places == 0) {
      notes.push_back(
          fmt::format("{}={}: not followed: {} could not use it; threads run on any CPU", name,
                      value, facts.runtime.empty() ? "OpenMP" : facts.runtime));
    }
  }
  return notes;
}

std::vector<std::string> binding_notes() {
  BindingFacts facts{{}, openmp_runtime(), omp_get_num_places()};
  for (const char* name : kBindingVariables) {
    if (const char* value = std::getenv(name)) {
      facts.variables[name] = value;
    }
  }
  return binding_notes(facts);
}

}  // namespace voxmark
