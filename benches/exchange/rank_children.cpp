#include "benches/exchange/rank_children.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <regex>
#include <system_error>

#include "base/error.h"
#include "benches/process/child_process.h"
#include "benches/protocol/rank_words.h"
#include "benches/ranks/launch_command.h"
#include "benches/ranks/rank_place.h"

namespace voxmark {
namespace {

int number(const std::string& digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// The last match of `pattern` in any line.
std::optional<std::smatch> last_match(const std::string& text, const std::regex& pattern) {
  std::optional<std::smatch> last;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    last = *it;
  }
  return last;
}

}  // namespace

int most_ranks_of_host(const RankSettings& settings, int ranks) {
  const bool are_named = !settings.hosts.empty();
  const std::vector<Host>& hosts = are_named ? settings.hosts : settings.allocation;
  if (hosts.empty()) {
    return ranks;
  }
  const auto shares = ranks_by_host(hosts, ranks, !are_named || settings.oversubscribe);
  return std::ranges::max(shares, {}, &HostRanks::ranks).ranks;
}

Contender started_as_ranks(const RankSettings& settings, const CaseSpec& spec, Contender contender,
                           const std::vector<std::string>& environment) {
  const std::string binds = binding_word(settings.launcher);
  if (settings.place != "none" && !binds.empty()) {
    throw_bad_input(
        "--launcher: {} among its words binds each rank, and --place {} divides all CPUs of a host "
        "among its ranks: leave one out: --place none",
        binds, settings.place);
  }
  LaunchRequest request;
  request.ranks = spec.ranks;
  if (!settings.hosts.empty()) {
    request.hosts = ranks_by_host(settings.hosts, spec.ranks, settings.oversubscribe);
  }
  request.oversubscribe = settings.oversubscribe;
  request.as_root = geteuid() == 0;
  const auto add = [&](const std::vector<std::string>& more) {
    request.environment.insert(request.environment.end(), more.begin(), more.end());
  };
  add(variables_for_ranks());
  add(environment);
  add(contender.environment);
  add(place_variables({settings.place, 1, spec.threads, settings.oversubscribe}));
  add({fmt::format("{}={}", kRanksVariable, spec.ranks),
       fmt::format("VOXMARK_MPI={}", settings.mpi_plugin)});
  if (settings.oversubscribe || settings.place == "none") {
    add({fmt::format("{}={}", kShareCpusVariable,
                     settings.oversubscribe ? kShareAlways : kShareWithOthers)});
  }
  // "/proc/self/exe" is another program once a launcher runs.
  std::error_code error;
  const auto program = std::filesystem::read_symlink(contender.command.front(), error);
  if (!error) {
    contender.command.front() = program.string();
  }
  LaunchCommand launched = launch_command(settings.launcher, request, contender.command);
  return {std::move(launched.words), std::move(launched.environment), ""};
}

std::string RankEnd::text() const {
  std::string text = rank ? fmt::format("rank {}", *rank) : "a rank";
  text += host.empty() ? "" : " on " + host;
  if (is_host_lost) {
    return text + ": its host no longer answers";
  }
  if (!said.empty()) {
    return text + ": " + said;
  }
  return signal ? text + ": " + signal_name(*signal) : text;
}

std::optional<RankEnd> rank_end(std::string_view error_text) {
  const std::string text(error_text);
  const auto flags = std::regex::ECMAScript | std::regex::optimize;
  // Who they are: rank and host by process.
  static const std::regex kIs(R"(voxmark: rank (\d+) on (\S+): is process (\d+))", flags);
  static const std::regex kSaid(R"(voxmark: rank (\d+) on (\S+): failed: ([^\n]*))", flags);
  static const std::regex kOpenMpi(
      R"(process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+))", flags);
  static const std::regex kOpenMpiLost(R"(Remote daemon: \S+ on node (\S+))", flags);
  static const std::regex kHydra(R"(PID (\d+) RUNNING AT (\S+)\s+=\s+EXIT CODE: (\d+))", flags);
  static const std::regex kSlurm(R"(error: (\S+): task (\d+): (Killed|[A-Z][a-z ]+))", flags);
  static const std::regex kRefused(R"((?:^|\n)voxmark: (?!rank \d)([^\n]*))", flags);
  if (const auto refused = last_match(text, kRefused)) {  // before it was a rank
    return RankEnd{std::nullopt, "", std::nullopt, (*refused)[1]};
  }
  if (const auto said = last_match(text, kSaid)) {
    return RankEnd{number((*said)[1]), (*said)[2], std::nullopt, (*said)[3]};
  }
  if (const auto ended = last_match(text, kOpenMpi)) {
    return RankEnd{number((*ended)[1]), (*ended)[2], number((*ended)[3]), ""};
  }
  if (const auto lost = last_match(text, kOpenMpiLost)) {
    RankEnd end{std::nullopt, (*lost)[1], std::nullopt, "", true};
    for (std::sregex_iterator it(text.begin(), text.end(), kIs), none; it != none; ++it) {
      if ((*it)[2] == end.host && !end.rank) {
        end.rank = number((*it)[1]);
      }
    }
    return end;
  }
  if (const auto ended = last_match(text, kHydra)) {
    RankEnd end{std::nullopt, (*ended)[2], number((*ended)[3]), ""};
    for (std::sregex_iterator it(text.begin(), text.end(), kIs), none; it != none; ++it) {
      if ((*it)[3] == (*ended)[1]) {
        end.rank = number((*it)[1]);
      }
    }
    return end;
  }
  if (const auto ended = last_match(text, kSlurm)) {
    return RankEnd{number((*ended)[2]), (*ended)[1], std::nullopt, (*ended)[3]};
  }
  return std::nullopt;
}

std::string ranks_that_hang(std::string_view error_text, int ranks) {
  const std::string text(error_text);
  static const std::regex kIs(R"(voxmark: rank (\d+) on (\S+): is process)");
  static const std::regex kWaits(R"(voxmark: rank (\d+) on (\S+): waits for the others)");
  std::map<int, std::string> names;
  for (int rank = 0; rank < ranks; ++rank) {
    names[rank] = fmt::format("rank {}", rank);
  }
  for (std::sregex_iterator it(text.begin(), text.end(), kIs), none; it != none; ++it) {
    names[number((*it)[1])] = fmt::format("rank {} on {}", (*it)[1].str(), (*it)[2].str());
  }
  const std::size_t all = names.size();
  for (std::sregex_iterator it(text.begin(), text.end(), kWaits), none; it != none; ++it) {
    names.erase(number((*it)[1]));
  }
  if (names.empty() || names.size() == all) {
    return "";
  }
  std::vector<std::string> hanging;
  hanging.reserve(names.size());
  for (const auto& [rank, name] : names) {
    hanging.push_back(name);
  }
  return fmt::format("{} did not come where the others wait", fmt::join(hanging, ", "));
}

}  // namespace voxmark
