#include "benches/exchange/ask_ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <sstream>

#include "base/error.h"
#include "base/own_program.h"
#include "benches/process/child_process.h"

namespace voxmark {
namespace {

constexpr double kEndSeconds = 10;  // of a launcher that has answered, or is told to stop

// The line that is JSON. An MPI library may print others, and MPICH's launcher who ended: `heard`.
ChildProcess::Read read_answer(ChildProcess& child, double patience_seconds, std::string& line,
                               std::string& heard) {
  while (true) {
    const ChildProcess::Read read = child.read_line(line, patience_seconds);
    if (read != ChildProcess::Read::line || line.starts_with('{')) {
      return read;
    }
    heard += line + "\n";
  }
}

// The first line that is none of a rank's and no frame around a message.
std::string first_words(const std::string& error_text) {
  std::istringstream lines(error_text);
  std::string line;
  while (std::getline(lines, line)) {
    const bool has_words = std::ranges::any_of(line, [](char c) { return std::isalpha(c) != 0; });
    if (has_words && !line.starts_with("voxmark: rank ")) {
      return line.substr(0, line.find_last_not_of(" \r\t") + 1);  // ssh ends lines by both
    }
  }
  return "";
}

std::string reason_of(ChildProcess& child, ChildProcess::Read read, const std::string& heard,
                      double patience_seconds) {
  if (read == ChildProcess::Read::silence) {
    const std::string answers = child.ask(SIGUSR1, kEndSeconds);
    const std::string who = child.has_whole_error_text() ? ranks_that_hang(answers) : "";
    return fmt::format("no answer for {} s{}{}", patience_seconds, who.empty() ? "" : ": ", who);
  }
  child.wait(kEndSeconds);
  const std::string all_said =
      fmt::format("{}\n{}{}", child.error_text(), heard, child.unread_output());
  if (const auto rank = rank_end(all_said)) {
    return rank->text();
  }
  const std::string said = first_words(child.error_text());
  return (said.empty() ? "the launcher ended" : said) + " (see --launcher and --hosts)";
}

}  // namespace

Json ask_ranks(const RankSettings& settings, int ranks, int threads, const std::string& question,
               double patience_seconds) {
  CaseSpec spec;
  spec.ranks = ranks;
  spec.threads = threads;
  const Contender program = {
      {own_program(), "child", "--ask", question, "--threads", fmt::format("{}", threads)}, {}, ""};
  const Contender started =
      started_as_ranks(settings, spec, program, {fmt::format("OMP_NUM_THREADS={}", threads)});
  ChildProcess child(started.command, started.environment, {}, kept_bytes_of_ranks(ranks));
  child.close_input();
  std::string line, heard;
  const ChildProcess::Read read = read_answer(child, patience_seconds, line, heard);
  if (read == ChildProcess::Read::line) {
    child.wait(kEndSeconds);
    child.end(kEndSeconds);
    return parse_json(line, "ranks");
  }
  const std::string reason = reason_of(child, read, heard, patience_seconds);
  child.end(kEndSeconds);
  throw Error(ExitCode::cannot_here, "ranks: " + reason);
}

}  // namespace voxmark
