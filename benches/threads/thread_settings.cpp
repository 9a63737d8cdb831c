#include "benches/threads/thread_settings.h"

#include <algorithm>

#include "base/error.h"
#include "benches/process/process_cpus.h"

namespace voxmark {
namespace {

constexpr const char* kNumaDomains = "numa_domains";  // OpenMP's other two are called as ours

const std::map<std::string, Variables> kBindings = {
    {"cores", {{"OMP_PLACES", "cores"}, {"OMP_PROC_BIND", "close"}}},
    {"threads", {{"OMP_PLACES", "threads"}, {"OMP_PROC_BIND", "close"}}},
    {"numa", {{"OMP_PLACES", kNumaDomains}, {"OMP_PROC_BIND", "spread"}}},
    {"none", {{"OMP_PROC_BIND", "false"}}}};

// The white paper's own: Intel's runtime, which TensorFlow with DNNL was built on.
const Variables kPaper = {{"KMP_AFFINITY", "granularity=thread,compact"}, {"KMP_BLOCKTIME", "1"}};
// compact on hardware threads is "close" on places of one hardware thread. A block time of 1 ms is
// about this many of libgomp's spins.
const Variables kPaperForLibgomp = {
    {"OMP_PLACES", "threads"}, {"OMP_PROC_BIND", "close"}, {"GOMP_SPINCOUNT", "300000"}};
constexpr const char* kNotBound = "as the environment says";  // in a report
constexpr const char* kNoProfile = "none";
constexpr const char* kPaperNote =
    "KMP_BLOCKTIME=1 is a time, GOMP_SPINCOUNT a count: equal only roughly";

}  // namespace

void check(const ThreadSettings& settings) {
  if (!settings.bind.empty() && !kBindings.contains(settings.bind)) {
    throw_bad_input("--bind {}: expected cores, threads, numa or none", settings.bind);
  }
  if (!settings.profile.empty() && settings.profile != "paper") {
    throw_bad_input("--profile {}: expected paper", settings.profile);
  }
}

ThreadSettings thread_settings_of(const ThreadFacts& facts) {
  ThreadSettings settings;
  settings.bind = facts.bind == kNotBound ? "" : facts.bind.value_or("");
  settings.profile = facts.profile == kNoProfile ? "" : facts.profile.value_or("");
  return settings;
}

std::string flags(const ThreadSettings& settings) {
  return (settings.bind.empty() ? "" : " --bind " + settings.bind) +
         (settings.profile.empty() ? "" : " --profile " + settings.profile);
}

RequestedVariables requested_variables(const ThreadSettings& settings) {
  RequestedVariables variables;
  if (settings.profile == "paper") {
    variables.as_published = kPaper;
    if (settings.runtime == "libgomp") {  // the others read KMP_* themselves
      variables.translated = kPaperForLibgomp;
      variables.note = kPaperNote;
    }
  }
  if (!settings.bind.empty()) {  // the more special of both
    for (const auto& [name, value] : kBindings.at(settings.bind)) {
      variables.translated[name] = value;
    }
    if (settings.bind == "none") {
      variables.translated.erase("OMP_PLACES");
    }
    variables.as_published.erase("KMP_AFFINITY");
  }
  return variables;
}

std::string places_named(const ThreadSettings& settings) {
  const Variables translated = requested_variables(settings).translated;
  const auto named = translated.find("OMP_PLACES");
  if (named == translated.end()) {
    return "";
  }
  return named->second == kNumaDomains ? "numa" : named->second;
}

std::vector<std::string> assignments(const RequestedVariables& variables) {
  std::vector<std::string> all;
  for (const Variables* part : {&variables.as_published, &variables.translated}) {
    for (const auto& [name, value] : *part) {
      all.push_back(name + "=" + value);
    }
  }
  return all;
}

ThreadFacts facts_of(const ThreadSettings& settings) {
  const RequestedVariables variables = requested_variables(settings);
  ThreadFacts facts;
  facts.bind = settings.bind.empty() ? kNotBound : settings.bind;
  facts.profile = settings.profile.empty() ? kNoProfile : settings.profile;
  facts.runtime = settings.runtime;
  facts.requested = variables.as_published;
  facts.translated = variables.translated;
  if (!variables.note.empty()) {
    facts.note = variables.note;
  }
  return facts;
}

std::optional<std::string> numa_warning(const Json& environment, const ThreadSettings& settings) {
  const Json nodes = environment.at("cpu").value("numa_nodes", Json());
  if (!nodes.is_number() || nodes.get<int>() <= 1 ||
      (!settings.bind.empty() && settings.bind != "none") || !settings.profile.empty()) {
    return std::nullopt;
  }
  const auto value_of = [&](const char* name) {
    return environment.at("variables").value(name, std::string());
  };
  const bool is_off = asks_for_none(value_of("OMP_PROC_BIND"));
  const auto holds = [&](const std::string& name) {
    const bool is_intels = name == "KMP_AFFINITY";  // libgomp does not read it
    return (is_intels ? settings.runtime != "libgomp" : !is_off) &&
           asks_for_binding(value_of(name.c_str()));
  };
  const bool held = settings.bind.empty() && std::ranges::any_of(kBindingVariables, holds);
  if (held) {
    return std::nullopt;
  }
  return fmt::format(
      "{} NUMA nodes, and nothing holds the threads where their memory is: --bind cores",
      nodes.get<int>());
}

}  // namespace voxmark
