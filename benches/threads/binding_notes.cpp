#include "benches/threads/binding_notes.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "benches/machine/loaded_libraries.h"

namespace voxmark {
namespace {

constexpr std::array<const char*, 4> kVariables = {"GOMP_CPU_AFFINITY", "KMP_AFFINITY",
                                                   "OMP_PLACES", "OMP_PROC_BIND"};

bool asks_for_none(std::string value) {
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::tolower(c); });
  return value.find_first_not_of(" \t") == std::string::npos || value.starts_with("false") ||
         value == "none" || value == "disabled";
}

}  // namespace

std::vector<std::string> binding_notes(const BindingFacts& facts) {
  std::vector<std::string> notes;
  const auto bind = facts.variables.find("OMP_PROC_BIND");
  const bool wants_none = bind != facts.variables.end() && asks_for_none(bind->second);
  for (const auto& [name, value] : facts.variables) {
    if (asks_for_none(value)) {
      continue;
    }
    if (name == "KMP_AFFINITY" && facts.runtime == "libgomp") {
      notes.push_back(fmt::format(
          "{}={}: not followed: libgomp does not read it; --bind or OMP_PLACES holds threads", name,
          value));
    } else if (facts.places == 0 && wants_none) {
      notes.push_back(
          fmt::format("{}={}: not followed: OMP_PROC_BIND={} is", name, value, bind->second));
    } else if (facts.places == 0) {
      notes.push_back(
          fmt::format("{}={}: not followed: {} made nothing of it, so that threads run anywhere",
                      name, value, facts.runtime.empty() ? "OpenMP" : facts.runtime));
    }
  }
  return notes;
}

std::vector<std::string> binding_notes() {
  BindingFacts facts{{}, openmp_runtime(), omp_get_num_places()};
  for (const char* name : kVariables) {
    if (const char* value = std::getenv(name)) {
      facts.variables[name] = value;
    }
  }
  return binding_notes(facts);
}

}  // namespace voxmark
