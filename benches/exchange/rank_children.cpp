#include "benches/exchange/rank_children.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <regex>
#include <system_error>
#include <tuple>

#include "base/error.h"
#include "benches/process/child_process.h"
#include "benches/ranks/launch_command.h"
#include "benches/ranks/rank_place.h"

namespace voxmark {
namespace {

int number(const std::string& digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

using Matches = std::vector<std::smatch>;

Matches matches_of(const std::string& text, const std::regex& pattern) {
  return {std::sregex_iterator(text.begin(), text.end(), pattern), std::sregex_iterator()};
}

std::string name_of(const RankLine& line) {
  return line.rank ? fmt::format("rank {}", *line.rank) : "a rank";
}

// What is known of who ended, of those of whom a launcher tells. It ends the others by SIGKILL or
// SIGTERM, and may tell of these, too: where all were ended so, it may be any of them.
std::optional<RankEnd> one_to_blame(std::vector<RankEnd> ends) {
  const auto is_first = [](const RankEnd& end) {
    return end.signal != SIGKILL && end.signal != SIGTERM;
  };
  const auto first = std::ranges::find_if(ends, is_first);
  if (first != ends.end() || ends.size() < 2) {
    return ends.empty() ? std::nullopt : std::optional(first == ends.end() ? ends[0] : *first);
  }
  RankEnd any;
  any.signal = ends[0].signal;
  if (std::ranges::all_of(ends, [&](const RankEnd& end) { return end.host == ends[0].host; })) {
    any.host = ends[0].host;
  }
  return any;
}

// "mpirun noticed that process rank 1 with PID 0 on node b exited on signal 9 (Killed)."
std::optional<RankEnd> end_by_open_mpi(const std::string& text,
                                       const std::vector<RankLine>& lines) {
  static const std::regex kEnded(
      R"(process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+))");
  static const std::regex kLost(R"(Remote daemon: \S+ on node (\S+))");
  for (const std::smatch& ended : matches_of(text, kEnded)) {
    return RankEnd{.who = "rank " + ended[1].str(), .host = ended[2], .signal = number(ended[3])};
  }
  for (const std::smatch& lost : matches_of(text, kLost)) {
    RankEnd end{.host = lost[1], .is_host_lost = true};
    const auto rank = std::ranges::find(lines, end.host, &RankLine::host);
    if (rank != lines.end()) {
      end.who = name_of(*rank);
    }
    return end;
  }
  return std::nullopt;
}

// The rank that is this process.
std::string name_of_process(const std::vector<RankLine>& lines, int process,
                            const std::string& host) {
  std::vector<const RankLine*> found;  // a host may have two names
  for (const RankLine& line : lines) {
    if (line.word == RankWord::is_process && line.process == process) {
      if (line.host == host) {
        return name_of(line);
      }
      found.push_back(&line);
    }
  }
  return found.size() == 1 ? name_of(*found[0]) : "a rank";
}

// "=   PID 8 RUNNING AT a\n=   EXIT CODE: 139" of MPICH, where the code is a signal, with 128 where
// memory was dumped; "=   RANK 3 PID 8 RUNNING AT a\n=   KILLED BY SIGNAL: 9 (Killed)" of Intel
// MPI.
std::optional<RankEnd> end_by_hydra(const std::string& text, const std::vector<RankLine>& lines) {
  static const std::regex kEnded(R"((?:RANK (\d+) )?PID (\d+) RUNNING AT (\S+)\s+=\s+)"
                                 R"((EXIT CODE|EXIT STATUS|KILLED BY SIGNAL): (\d+))");
  constexpr int kSignalBits = 0x7f;
  std::vector<RankEnd> ends;
  for (const std::smatch& ended : matches_of(text, kEnded)) {
    RankEnd end{.host = ended[3]};
    end.who = ended[1].matched ? "rank " + ended[1].str()
                               : name_of_process(lines, number(ended[2]), end.host);
    const int value = number(ended[5]);
    if (ended[4] == "EXIT STATUS" || (value & kSignalBits) == 0) {
      end.said = fmt::format("exit status {}", value > 255 ? value >> 8 : value);
    } else {
      end.signal = value & kSignalBits;
    }
    ends.push_back(std::move(end));
  }
  return one_to_blame(std::move(ends));
}

// As srun says it.
std::optional<int> signal_of(const std::string& words) {
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* description = sigdescr_np(signal);
    if (description != nullptr && words.starts_with(description)) {
      return signal;
    }
  }
  return std::nullopt;
}

// "srun: error: node7: tasks 1-3: Killed"
std::optional<RankEnd> end_by_srun(const std::string& text) {
  static const std::regex kEnded(R"(error: (\S+): task(s?) (\S+): ([^\n]{1,200}))");
  static const std::regex kKilledForMemory("oom[-_ ]kill event|Out Of Memory", std::regex::icase);
  const bool memory = std::regex_search(text, kKilledForMemory);
  std::vector<RankEnd> ends;
  for (const std::smatch& ended : matches_of(text, kEnded)) {
    RankEnd end{.who = fmt::format("rank{} {}", ended[2].str(), ended[3].str()), .host = ended[1]};
    const std::string words = ended[4];
    end.signal = words.starts_with("Out Of Memory") ? SIGKILL : signal_of(words);
    end.killed_for_memory = memory && end.signal == SIGKILL;
    if (end.killed_for_memory) {
      return end;
    }
    if (!end.signal) {
      end.said = words;
    }
    ends.push_back(std::move(end));
  }
  return one_to_blame(std::move(ends));
}

// "process_vm_readv(pid=8 {...}) returned -1: No such process": UCX, which carries MPICH's messages
// within a host, so ends a rank whose neighbour is gone. MPICH's launcher tells of the lower one.
std::optional<RankEnd> end_by_neighbour(const std::string& text,
                                        const std::vector<RankLine>& lines) {
  static const std::regex kGone(R"(process_vm_\w+\(pid=(\d+) [^\n]{1,500}: No such process)");
  for (const std::smatch& gone : matches_of(text, kGone)) {
    for (const RankLine& line : lines) {
      if (line.word == RankWord::is_process && line.process == number(gone[1])) {
        return RankEnd{.who = name_of(line), .host = line.host, .said = "is gone", .is_gone = true};
      }
    }
  }
  return std::nullopt;
}

std::optional<RankEnd> end_by_launcher(const std::string& text,
                                       const std::vector<RankLine>& lines) {
  if (auto end = end_by_open_mpi(text, lines)) {
    return end;
  }
  if (auto end = end_by_hydra(text, lines)) {
    const auto gone = end->signal == SIGABRT ? end_by_neighbour(text, lines) : std::nullopt;
    return gone ? gone : end;
  }
  return end_by_srun(text);
}

// The last words of a voxmark that did not become a rank.
std::optional<RankEnd> refusal(const std::string& text) {
  static const std::regex kRefused(R"((?:^|\n)voxmark: (?!rank \d|a rank)([^\n]{1,2000}))");
  const Matches refused = matches_of(text, kRefused);
  return refused.empty() ? std::nullopt : std::optional(RankEnd{.said = refused.back()[1]});
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

std::size_t kept_bytes_of_ranks(int ranks) {
  constexpr std::size_t kOfLauncher = std::size_t{64} << 10;
  constexpr std::size_t kOfRank = 256;  // who it is, and what it answers
  return kOfLauncher + kOfRank * static_cast<std::size_t>(ranks);
}

std::string RankEnd::text() const {
  std::string text = who + (host.empty() ? "" : " on " + host);
  if (is_host_lost) {
    return text + ": its host no longer answers";
  }
  if (!said.empty()) {
    return text + ": " + said;
  }
  text += signal ? ": " + signal_name(*signal) : "";
  return killed_for_memory ? text + ": killed by the kernel for want of memory" : text;
}

Outcome RankEnd::outcome() const {
  return killed_for_memory || failure == RankFailure::out_of_memory ? Outcome::oom
         : signal || is_host_lost || is_gone                        ? Outcome::crashed
                                                                    : Outcome::failed;
}

ExitCode RankEnd::code() const {
  return failure == RankFailure::bad_input     ? ExitCode::bad_input
         : failure == RankFailure::cannot_here ? ExitCode::cannot_here
                                               : ExitCode::internal;
}

std::optional<RankEnd> rank_end(std::string_view text) {
  const std::string all(text);
  const std::vector<RankLine> lines = rank_lines(text);
  const auto said = std::ranges::find(lines, RankWord::failed, &RankLine::word);
  if (said != lines.end()) {
    return RankEnd{name_of(*said), said->host, std::nullopt, said->message, said->failure};
  }
  // Once they are ranks, their warnings are no reason for an end; before, launchers cannot tell who
  // they are.
  const bool are_ranks =
      std::ranges::find(lines, RankWord::is_process, &RankLine::word) != lines.end();
  const std::optional<RankEnd> by_launcher = end_by_launcher(all, lines);
  const std::optional<RankEnd> refused = refusal(all);
  const auto& [first, second] =
      are_ranks ? std::tie(by_launcher, refused) : std::tie(refused, by_launcher);
  return first ? first : second;
}

std::string ranks_that_hang(std::string_view text) {
  std::map<int, std::string> names;
  const std::vector<RankLine> lines = rank_lines(text);
  for (const RankLine& line : lines) {
    if (line.rank) {
      names[*line.rank] = fmt::format("rank {} on {}", *line.rank, line.host);
    }
  }
  const std::size_t all = names.size();
  for (const RankLine& line : lines) {
    if (line.rank && line.word == RankWord::waits) {
      names.erase(*line.rank);
    }
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
