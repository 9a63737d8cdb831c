#include "benches/ranks/launch_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "benches/machine/environment.h"

namespace voxmark {
namespace {

using Words = std::vector<std::string>;

void append(Words& words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
}

// "--bind-to" for "--bind-to=core" and "-bind-to", as launchers read it.
std::string option_of(const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  return name.starts_with("--") || name.size() < 3 ? name : "-" + name;
}

bool names_one(const std::string& word, std::initializer_list<std::string_view> options) {
  return std::ranges::find(options, option_of(word)) != options.end();
}

bool names(const Words& words, std::initializer_list<std::string_view> options) {
  return std::any_of(words.begin() + 1, words.end(),
                     [&](const std::string& word) { return names_one(word, options); });
}

// What --ranks and --hosts say is not said again.
void check_own_words(const Launcher& launcher) {
  for (const std::string& word : launcher.words) {
    if (&word == &launcher.words.front()) {
      continue;  // the program
    }
    const bool is_srun = launcher.version.kind == LauncherKind::srun;
    const bool is_count = names_one(word, {"-n", "--np", "--ntasks"}) ||
                          (names_one(word, {"-c"}) && !is_srun);  // srun's: CPUs of a task
    const bool is_hosts = names_one(word, {"-H", "-f", "-w", "--host", "--hosts", "--hostfile",
                                           "--machinefile", "--machine", "--nodelist"});
    if (is_count || is_hosts) {
      throw_bad_input("--launcher: {} among its words: say it by {}", word,
                      is_count ? "--ranks" : "--hosts");
    }
  }
}

// The value of the option at `i`: "core" of "--bind-to core" and of "--bind-to=core".
std::string value_at(const Words& words, std::size_t i) {
  const std::size_t equals = words[i].find('=');
  if (equals != std::string::npos) {
    return words[i].substr(equals + 1);
  }
  return i + 1 < words.size() ? words[i + 1] : "";
}

Words split_at_commas(const std::string& text) {
  Words parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    parts.push_back(part);
  }
  return parts;
}

// What a launcher's own words tell ranks of the environment.
struct OwnVariable {
  std::string name;
  std::optional<std::string> value;  // nothing: that of the launcher itself
};

std::vector<OwnVariable> own_variables_of(const Launcher& launcher) {
  const Words& words = launcher.words;
  std::vector<OwnVariable> found;
  const auto add = [&](const std::string& text, std::optional<std::string> value) {
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) {
      value = text.substr(equals + 1);
    }
    found.push_back({text.substr(0, equals), std::move(value)});
  };
  const bool is_srun = launcher.version.kind == LauncherKind::srun;
  const bool is_open_mpi = launcher.version.kind == LauncherKind::open_mpi;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (is_srun && names_one(words[i], {"--export"})) {
      for (const std::string& part : split_at_commas(value_at(words, i))) {
        add(part, std::nullopt);
      }
    } else if (is_open_mpi && words[i] == "-x" && i + 1 < words.size()) {
      add(words[i + 1], std::nullopt);
    } else if (!is_srun && !is_open_mpi && names_one(words[i], {"--genv", "--env"}) &&
               i + 1 < words.size()) {  // "-genv NAME VALUE" or "-genv NAME=VALUE"
      add(words[i + 1], i + 2 < words.size() ? words[i + 2] : "");
    } else if (!is_srun && !is_open_mpi && names_one(words[i], {"--genvlist", "--envlist"})) {
      for (const std::string& part : split_at_commas(value_at(words, i))) {
        add(part, std::nullopt);
      }
    }
  }
  return found;
}

// Those that the user's words do not name: Open MPI refuses a name that it is told twice, and Hydra
// takes the last one. Throws Error (bad_input) where these words set what voxmark sets.
Words without_own_variables(const Launcher& launcher, Words assignments) {
  for (const OwnVariable& own : own_variables_of(launcher)) {
    const bool is_ours = own.name.starts_with("VOXMARK_") || own.name == "OMP_NUM_THREADS";
    if (is_ours && own.value) {
      throw_bad_input("--launcher: {}={} among its words: voxmark sets {} for its ranks{}",
                      own.name, *own.value, own.name,
                      own.name == "OMP_NUM_THREADS" ? ": say it by --threads" : ": leave it out");
    }
    std::erase_if(assignments,
                  [&](const std::string& ours) { return ours.starts_with(own.name + "="); });
  }
  return assignments;
}

// "node1:2,node2:2"
std::string host_list(const std::vector<HostRanks>& hosts) {
  Words texts;
  for (const HostRanks& host : hosts) {
    texts.push_back(fmt::format("{}:{}", host.host, host.ranks));
  }
  return fmt::format("{}", fmt::join(texts, ","));
}

// One assignment of each name. Open MPI refuses a name that it is told twice.
Words last_of_each(const Words& assignments) {
  Words found;
  for (const std::string& assignment : assignments) {
    const std::string name = assignment.substr(0, assignment.find('=') + 1);
    std::erase_if(found, [&](const std::string& earlier) { return earlier.starts_with(name); });
    found.push_back(assignment);
  }
  return found;
}

Words names_of(const std::vector<HostRanks>& hosts) {
  Words found;
  for (const HostRanks& host : hosts) {
    found.push_back(host.host);
  }
  return found;
}

// That of each host but the last, which may have fewer. Nothing where they differ.
std::optional<int> ranks_per_host(const std::vector<HostRanks>& hosts) {
  const int first = hosts.front().ranks;
  const bool are_equal =
      std::all_of(hosts.begin(), hosts.end() - 1, [&](const auto& h) { return h.ranks == first; });
  return are_equal && hosts.back().ranks <= first ? std::optional(first) : std::nullopt;
}

int major_version(const std::string& version) {
  return version.empty() ? 0 : std::atoi(version.c_str());  // NOLINT: 0 where it is none
}

// With these, ranks of a host that no longer answers are missed after 20 seconds, by mpirun and by
// what is left of the host, which then ends its ranks; Open MPI 4 alone waits for 8 minutes.
Words open_mpi_keepalive(const Words& given) {
  Words words;
  for (const auto& [name, value] :
       {std::pair{"oob_tcp_keepalive_time", "10"}, std::pair{"oob_tcp_keepalive_intvl", "5"},
        std::pair{"oob_tcp_keepalive_probes", "2"}}) {
    if (std::ranges::find(given, name) == given.end()) {
      append(words, {"--mca", name, value});
    }
  }
  return words;
}

Words open_mpi_words(const Launcher& launcher, const LaunchRequest& request) {
  const bool is_old = major_version(launcher.version.version) < 5;
  Words words = launcher.words;
  if (request.as_root && !names(words, {"--allow-run-as-root"})) {
    words.emplace_back("--allow-run-as-root");
  }
  append(words, {"-n", std::to_string(request.ranks)});
  if (!request.hosts.empty()) {
    append(words, {"--host", host_list(request.hosts)});
    append(words, is_old ? open_mpi_keepalive(launcher.words) : Words{});
  } else if (is_old && !names(words, {"--use-hwthread-cpus"})) {
    // Else a machine of 1 core with 2 hardware threads has no place for 2 ranks.
    words.emplace_back("--use-hwthread-cpus");
  }
  if (!names(words, {"--map-by", "--bynode", "--byslot", "--ppr", "--npernode"})) {
    append(words, {"--map-by", request.oversubscribe ? "slot:OVERSUBSCRIBE" : "slot"});
  }
  if (!names(words, {"--bind-to", "--bind-to-core", "--bind-to-socket", "--cpu-set"})) {
    append(words, {"--bind-to", "none"});
  }
  if (request.oversubscribe) {
    // A rank that waits gives its CPU to the one that it waits for. Open MPI sees no need for it
    // where the list of hosts has room for all.
    append(words, {"--mca", "mpi_yield_when_idle", "1"});
  }
  for (const std::string& assignment : without_own_variables(launcher, request.environment)) {
    append(words, {"-x", assignment});
  }
  return words;
}

// Intel's mpirun takes no number behind a host.
Words intel_hosts(const std::vector<HostRanks>& hosts) {
  if (const std::optional<int> equal = ranks_per_host(hosts)) {
    return {"-hosts", fmt::format("{}", fmt::join(names_of(hosts), ",")), "-ppn",
            std::to_string(*equal)};
  }
  Words each;
  for (const HostRanks& host : hosts) {
    each.insert(each.end(), static_cast<std::size_t>(host.ranks), host.host);
  }
  return {"-hosts", fmt::format("{}", fmt::join(each, ",")), "-ppn", "1"};
}

// What the user's words say of it.
std::optional<std::string> intel_pin(const Launcher& launcher) {
  for (const OwnVariable& own : own_variables_of(launcher)) {
    if (own.name == "I_MPI_PIN") {
      return own.value.value_or("");
    }
  }
  return std::nullopt;
}

Words hydra_words(const Launcher& launcher, const LaunchRequest& request) {
  const bool is_intel = launcher.version.kind == LauncherKind::intel;
  Words words = launcher.words;
  append(words, {"-n", std::to_string(request.ranks)});
  if (!request.hosts.empty()) {
    append(words,
           is_intel ? intel_hosts(request.hosts) : Words{"-hosts", host_list(request.hosts)});
  }
  if (is_intel) {
    append(words, intel_pin(launcher) ? Words() : Words{"-genv", "I_MPI_PIN", "off"});
  } else if (!names(words, {"--bind-to", "--binding"})) {
    append(words, {"-bind-to", "none"});
  }
  for (const std::string& assignment : without_own_variables(launcher, request.environment)) {
    const std::size_t equals = assignment.find('=');
    append(words, {"-genv", assignment.substr(0, equals), assignment.substr(equals + 1)});
  }
  return words;
}

Words srun_words(const Launcher& launcher, const LaunchRequest& request) {
  Words words = launcher.words;
  append(words, {fmt::format("--ntasks={}", request.ranks), "--input=0", "--kill-on-bad-exit=1"});
  if (!launcher.pmi.empty()) {
    words.push_back("--mpi=" + launcher.pmi);
  }
  int per_host = launcher.ranks_per_host;
  if (launcher.hosts > 0 && request.ranks > per_host * launcher.hosts) {
    // More than it is meant for, or it does not say: as many on each of its hosts.
    per_host = (request.ranks + launcher.hosts - 1) / launcher.hosts;
  }
  if (!request.hosts.empty()) {
    const std::optional<int> equal = ranks_per_host(request.hosts);
    if (!equal) {
      throw_bad_input(
          "--hosts: {}: srun starts as many ranks on each host, or fewer on the last: write the "
          "same number of slots for each, or name an mpirun by --launcher",
          host_list(request.hosts));
    }
    words.push_back(fmt::format("--nodelist={}", fmt::join(names_of(request.hosts), ",")));
    per_host = *equal;
  }
  if (per_host > 0 && !names(words, {"--nodes", "-N"})) {
    words.push_back(fmt::format("--nodes={}", (request.ranks + per_host - 1) / per_host));
  }
  if (!names(words, {"--distribution", "-m", "--ntasks-per-node"})) {
    // Neighbours share a host. "block" alone gives every host one rank and the rest to the first,
    // and --ntasks-per-node is ignored where the last host has fewer.
    words.push_back(per_host > 0 ? fmt::format("--distribution=plane={}", per_host)
                                 : "--distribution=block");
  }
  if (!names(words, {"--cpu-bind"})) {
    words.emplace_back("--cpu-bind=none");
  }
  // Beside the step that voxmark itself may run in ("srun --pty"), and all CPUs of the allocation.
  if (!names(words, {"--overlap", "--exclusive", "--exact"})) {
    words.emplace_back("--overlap");
  }
  if (request.oversubscribe) {
    words.emplace_back("--overcommit");
  }
  // All that srun itself has: values with commas cannot be told in its words.
  const std::vector<OwnVariable> own = own_variables_of(launcher);
  if (own.empty()) {
    words.emplace_back("--export=ALL");
  } else if (std::ranges::find(own, "ALL", &OwnVariable::name) == own.end()) {
    throw_bad_input(
        "--launcher: --export without ALL among its words: ranks would not get voxmark's "
        "variables: say ALL before yours: --export=ALL,NAME=VALUE");
  }
  without_own_variables(launcher, {});  // it checks them
  return words;
}

Words words_of(const Launcher& launcher, const LaunchRequest& request) {
  switch (launcher.version.kind) {
    case LauncherKind::open_mpi:
      return open_mpi_words(launcher, request);
    case LauncherKind::mpich:
    case LauncherKind::intel:
      return hydra_words(launcher, request);
    case LauncherKind::srun:
      return srun_words(launcher, request);
  }
  return {};
}

}  // namespace

std::string binding_word(const Launcher& launcher) {
  const Words& words = launcher.words;
  if (const auto pin = intel_pin(launcher)) {
    const bool is_off = *pin == "off" || *pin == "no" || *pin == "0" || *pin == "disable";
    return is_off ? "" : "I_MPI_PIN=" + *pin;
  }
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (names_one(words[i], {"--bind-to-core", "--bind-to-socket"})) {
      return words[i];
    }
    if (names_one(words[i], {"--bind-to", "--binding", "--cpu-bind"})) {
      // "none:overload-allowed", "verbose,none"
      const Words parts = split_at_commas(value_at(words, i));
      const bool is_none = std::ranges::any_of(
          parts, [](const auto& part) { return part == "no" || part.starts_with("none"); });
      const bool is_about_output = std::ranges::all_of(parts, [](const std::string& part) {
        return part == "verbose" || part == "v" || part == "quiet" || part == "q";
      });
      if (!is_none && !is_about_output) {
        return words[i].find('=') == std::string::npos
                   ? fmt::format("{} {}", words[i], value_at(words, i))
                   : words[i];
      }
    }
  }
  return "";
}

LaunchCommand launch_command(const Launcher& launcher, const LaunchRequest& request,
                             std::span<const std::string> program) {
  check_own_words(launcher);
  LaunchRequest once = request;
  once.environment = last_of_each(request.environment);
  LaunchCommand command{words_of(launcher, once), once.environment};
  command.words.insert(command.words.end(), program.begin(), program.end());
  return command;
}

std::vector<std::string> variables_for_ranks() {
  std::vector<std::string> assignments;
  const Json variables = performance_variables();
  for (const auto& [name, value] : variables.items()) {
    assignments.push_back(fmt::format("{}={}", name, value.get<std::string>()));
  }
  for (const auto& [name, value] : own_variables()) {
    if ((name.starts_with("VOXMARK_") && !is_for_ranks_alone(name)) || name == "LD_LIBRARY_PATH") {
      assignments.push_back(fmt::format("{}={}", name, value));
    }
  }
  return assignments;
}

}  // namespace voxmark
