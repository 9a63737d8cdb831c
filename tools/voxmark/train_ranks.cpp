#include "tools/voxmark/train_ranks.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "backends/ranks/rank_talk.h"
#include "base/error_lines.h"
#include "base/json.h"
#include "base/own_program.h"
#include "base/shell_word.h"
#include "base/tell.h"
#include "benches/process/child_process.h"
#include "benches/process/interrupt.h"
#include "benches/process/process_status.h"
#include "tools/voxmark/rank_output.h"
#include "training/trainer.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kStop = "stop ";
constexpr double kEndSeconds = 10;  // of a launcher whose ranks have ended, or shall

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// "voxmark train --data ..." becomes "voxmark child train --data ...".
std::vector<std::string> command_of_ranks(const RankSettings& settings, int threads) {
  std::vector<std::string> words = {own_program(), "child"};
  const std::string text = read_text_file("/proc/self/cmdline");
  std::size_t begin = text.find('\0') + 1;  // behind the program
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\0', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const Json launched = {{"launcher", description(settings.launcher)},
                         {"words", settings.launcher.words}};
  words.insert(words.end(),
               {"--rank-threads", std::to_string(threads), "--launched", dump_json(launched)});
  if (isatty(STDERR_FILENO) == 1) {
    words.emplace_back("--terminal");
  }
  return words;
}

// "; --resume goes on from run/last.safetensors", for a run that ended as nobody wished.
std::string way_on(const TrainFlags& flags) {
  const std::string path = last_checkpoint(flags.out);
  std::error_code error;
  return std::filesystem::exists(path, error)
             ? fmt::format("; --resume goes on from {}", shell_word(path))
             : "; there was no checkpoint yet";
}

// The ranks of a training as they are seen by the process that started them.
class StartedRanks {
 public:
  StartedRanks(const TrainFlags& flags, const Contender& started)
      : flags_(flags),
        child_(started.command, started.environment, {}, kept_bytes_of_ranks(flags.ranks)) {}

  // Until the ranks have ended.
  ExitCode follow() {
    std::string line;
    while (true) {
      const std::optional<ChildProcess::Read> read = child_.next_line(line);
      if (read == ChildProcess::Read::line) {
        hear(line);
        continue;
      }
      if (read) {
        break;
      }
      hand_interrupt_on();
      if (seconds_since(heard_at_) > flags_.timeout_seconds) {
        throw_silence();
      }
      ChildProcess* const children[] = {&child_};
      ChildProcess::read_any(children);
    }
    const std::optional<ProcessEnd> end = child_.wait(kEndSeconds);
    const std::string all_said =  // before the launcher tells of ranks that we stop
        fmt::format("{}\n{}{}", child_.error_text(), heard_, child_.unread_output());
    child_.end(kEndSeconds);
    if (!end_) {
      throw_end(end, all_said);
    }
    if (!end_->lines.empty()) {
      throw ErrorLines(end_->code, end_->lines);
    }
    return end_->code;
  }

 private:
  void hear(const std::string& line) {
    heard_at_ = Clock::now();
    const std::optional<RankSaid> said = parse_rank_said(line);
    if (!said) {
      constexpr std::size_t kKept = 65536;
      heard_ += line + "\n";  // an MPI library's own words, or a launcher's
      heard_.erase(0, heard_.size() > kKept ? heard_.size() - kKept : 0);
      return;
    }
    switch (said->what) {
      case RankSays::output:
      case RankSays::errors: {
        std::FILE* stream = said->what == RankSays::output ? stdout : stderr;
        tell_text(stream, said->text);
        std::fflush(stream);
        break;
      }
      case RankSays::alive:
        break;
      case RankSays::end:
        end_ = said;
        break;
    }
  }

  // The ranks are in a process group of their own, which a terminal's Ctrl-C does not reach.
  void hand_interrupt_on() {
    const int signal = pending_interrupt();
    if (signal != 0 && !has_handed_on_) {
      child_.write_line(fmt::format("{}{}", kStop, signal));
      has_handed_on_ = true;
    }
  }

  [[noreturn]] void throw_silence() {
    constexpr double kAnswerSeconds = 15;  // of ranks that wait, on a machine that is busy
    const std::string answers = child_.ask(SIGUSR1, kAnswerSeconds);
    const std::string who = child_.has_whole_error_text() ? ranks_that_hang(answers) : "";
    child_.end(kEndSeconds);
    throw Error(ExitCode::internal,
                fmt::format("ranks: no step for {} s{}{}{}", flags_.timeout_seconds,
                            who.empty() ? "" : ": ", who, way_on(flags_)));
  }

  [[noreturn]] void throw_end(const std::optional<ProcessEnd>& end, const std::string& all_said) {
    if (const auto rank = rank_end(all_said)) {
      throw Error(rank->code(), rank->text() + way_on(flags_));
    }
    tell_text(stderr, all_said);
    const std::string how = !end          ? "closed its output"
                            : end->signal ? "was ended by " + signal_name(*end->signal)
                                          : fmt::format("ended with {}", *end->exit_status);
    throw Error(
        ExitCode::cannot_here,
        fmt::format("ranks: the launcher {}; its words stand above{}", how, way_on(flags_)));
  }

  const TrainFlags& flags_;
  ChildProcess child_;
  Clock::time_point heard_at_ = Clock::now();
  std::string heard_;  // that nobody said to us
  std::optional<RankSaid> end_;
  bool has_handed_on_ = false;
};

}  // namespace

int ranks_of_a_host(const TrainFlags& flags, const std::variant<RankSettings, std::string>& found) {
  const auto* settings = std::get_if<RankSettings>(&found);
  return settings == nullptr ? flags.ranks : most_ranks_of_host(*settings, flags.ranks);
}

ExitCode start_ranks(const TrainFlags& flags, const RankSettings& settings, int threads) {
  CaseSpec spec;
  spec.ranks = flags.ranks;
  spec.threads = threads;
  catch_interrupts();
  StartedRanks ranks(flags,
                     started_as_ranks(settings, spec, {command_of_ranks(settings, threads), {}, ""},
                                      {fmt::format("OMP_NUM_THREADS={}", threads)}));
  return ranks.follow();
}

int ranks_beside(RankGroup& group) {
  const std::string host = rank_facts(1).at("host");
  const std::vector<std::string> hosts = texts_of_each(&group.collectives(), host);
  return static_cast<int>(std::ranges::count(hosts, host));
}

RankObserver::RankObserver(RankGroup& group, const TrainFlags& flags, TrainScreen* screen,
                           Json& facts)
    : group_(group), flags_(flags), screen_(screen), facts_(facts) {}

void RankObserver::warning(const std::string& text) {
  if (screen_ != nullptr) {
    screen_->warning(text);
  }
}

void RankObserver::forecast(const Forecast& forecast) {
  if (screen_ != nullptr) {
    screen_->forecast(forecast);
  }
}

void RankObserver::step_ran(double seconds) {
  StepMessage step;
  step.step_seconds = step.forward_backward_seconds = seconds;
  times_.take(step, group_);
}

void RankObserver::step(int epoch, std::int64_t step, std::int64_t steps, double loss,
                        double seconds_left) {
  if (screen_ != nullptr) {
    screen_->step(epoch, step, steps, loss, seconds_left);
  }
}

void RankObserver::epoch(const TrainingResult& so_far, double seconds_left) {
  gather_facts();
  if (screen_ != nullptr) {
    screen_->epoch(so_far, seconds_left);
  }
}

void RankObserver::tested(const TestCase& scored, std::size_t number, std::size_t count) {
  if (screen_ != nullptr) {
    screen_->tested(scored, number, count);
  }
}

bool RankObserver::stop() {
  if (screen_ != nullptr) {
    say({RankSays::alive});
  }
  return pending_interrupt() != 0 || is_told_to_stop();
}

// Rank 0 alone has an input.
bool RankObserver::is_told_to_stop() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (screen_ != nullptr && told_signal_ == 0 && poll(&input, 1, 0) == 1) {
    std::array<char, 64> buffer{};
    const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
    const std::string_view line(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    if (line.starts_with(kStop)) {
      const std::string_view number = line.substr(kStop.size());
      std::from_chars(number.data(), number.data() + number.size(), told_signal_);
    }
  }
  return told_signal_ != 0;
}

int RankObserver::signal() const {
  return told_signal_ != 0          ? told_signal_
         : pending_interrupt() != 0 ? pending_interrupt()
                                    : SIGTERM;  // another rank's
}

std::int64_t RankObserver::peak_bytes() { return process_bytes(0, "VmHWM").value_or(0); }

void RankObserver::gather_facts() {
  Json own = rank_facts(flags_.training.threads);
  own.erase("kernels");
  own["peak_bytes"] = peak_bytes();
  own["times"] = times_.of_rank();
  facts_["ranks"]["each"] = group_.json_of_all(own);
}

Json facts_of_ranks(const RankGroup& group, const TrainFlags& flags) {
  Json facts = flags.launched.empty() ? Json::object() : parse_json(flags.launched, "--launched");
  facts["count"] = group.ranks();
  facts["batch_norm"] = flags.batch_norm;
  facts["place"] = flags.rank_flags.place;
  facts["library"] = group.library();
  facts["each"] = Json::array();
  return facts;
}

}  // namespace voxmark
