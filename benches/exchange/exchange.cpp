#include "benches/exchange/exchange.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>

#include "base/error.h"
#include "benches/exchange/listener.h"
#include "benches/exchange/ranks_of_others.h"
#include "benches/process/child_process.h"
#include "benches/process/interrupt.h"
#include "benches/process/process_cpus.h"
#include "benches/process/process_status.h"
#include "benches/protocol/contender.h"

namespace voxmark {
namespace {

// How often the kernel has killed a process for want of memory since boot.
std::optional<std::int64_t> oom_kills() {
  std::ifstream file("/proc/vmstat");
  std::string name;
  std::int64_t value = 0;
  while (file >> name >> value) {
    if (name == "oom_kill") {
      return value;
    }
  }
  return std::nullopt;
}

// One process makes a plan, which is that of each rank, and checks what ranks of others computed.
bool runs_as_ranks(const Request& request) {
  return request.spec.ranks > 1 && request.mode != ChildMode::plan &&
         request.mode != ChildMode::check;
}

// Several ranks are ended by their launcher, which reaches those on other hosts, too.
void stop(ChildProcess& child, const Request& request) {
  constexpr double kLauncherSeconds = 30;
  if (runs_as_ranks(request)) {
    child.end(kLauncherSeconds);
  } else {
    child.kill();
  }
}

// What is kept of a child's words.
std::size_t kept_bytes(const Request& request) {
  constexpr std::size_t kOfProcess = 8192;
  return runs_as_ranks(request) ? kept_bytes_of_ranks(request.spec.ranks) : kOfProcess;
}

void explain_silence(ChildProcess& child, const ChildProgram& program, const Request& request,
                     Exchange& result) {
  constexpr double kAnswerSeconds = 15;  // of ranks that wait, on a machine that is busy
  std::string reason = fmt::format("no message for {} s", program.patience_seconds);
  if (runs_as_ranks(request)) {
    const std::string answers = child.ask(SIGUSR1, kAnswerSeconds);
    const std::string who = child.has_whole_error_text() ? ranks_that_hang(answers) : "";
    reason += who.empty() ? "" : ": " + who;
  }
  set_fault(result, Outcome::timeout, std::move(reason));
}

// Whether one rank is to blame for the end, which is then the case's. `text`: what launcher and
// ranks said before we stopped anything.
bool explain_rank(const std::string& text, const std::optional<ProcessEnd>& end,
                  std::optional<std::int64_t> oom_kills_before, Exchange& result) {
  std::optional<RankEnd> rank = rank_end(text);
  if (!rank) {
    return false;
  }
  if (rank->signal == SIGKILL && oom_kills_before && oom_kills() > oom_kills_before) {
    rank->killed_for_memory = true;
  }
  set_fault(result, rank->outcome(), rank->text());
  result.code = rank->code();
  const bool refused = end && end->exit_status == static_cast<int>(ExitCode::cannot_here);
  if (!rank->failure && !rank->signal && refused) {
    result.code = ExitCode::cannot_here;
  }
  return true;
}

// The child ended, or closed its output, and not as it should; `when` says at which point.
void explain_end(ChildProcess& child, const ChildProgram& program, const Request& request,
                 const Listener& listener, const std::string& when,
                 std::optional<std::int64_t> oom_kills_before, Exchange& result) {
  const std::optional<ProcessEnd> end = child.wait(program.exit_patience_seconds);
  const std::string last_words = child.last_error_line();
  const std::string said = last_words.empty() ? "" : ": " + last_words;
  const std::string all_said =  // before the launcher tells of ranks that we stop
      fmt::format("{}\n{}{}", child.error_text(), listener.heard(), child.unread_output());
  if (!end) {
    stop(child, request);
  }
  if (runs_as_ranks(request) && explain_rank(all_said, end, oom_kills_before, result)) {
    return;
  }
  if (!listener.fault().empty()) {
    set_fault(result, Outcome::failed, listener.fault());
  } else if (!end) {
    set_fault(result, Outcome::failed, fmt::format("closed its output {}{}", when, said));
  } else if (end->signal == SIGKILL && oom_kills_before && oom_kills() > oom_kills_before) {
    set_fault(result, Outcome::oom, "killed by the kernel for want of memory");
  } else if (end->signal) {
    set_fault(result, Outcome::crashed, signal_name(*end->signal) + said);
  } else {
    set_fault(result, Outcome::failed,
              fmt::format("exit status {} {}{}", *end->exit_status, when, said));
    if (*end->exit_status == static_cast<int>(ExitCode::cannot_here)) {
      result.code = ExitCode::cannot_here;
    }
  }
}

// All has been said: the memory is read while the child still waits for the end of its input.
void read_peak_and_end(ChildProcess& child, const ChildProgram& program, const Request& request,
                       const Listener& listener, std::optional<std::int64_t> oom_kills_before,
                       Exchange& result) {
  const std::optional<std::int64_t> peak = process_bytes(child.id(), "VmHWM");
  if (peak && !runs_as_ranks(request)) {  // ranks tell their own; this is the launcher's
    result.peak_bytes = std::max(result.peak_bytes.value_or(0), *peak);
  }
  child.close_input();
  const std::optional<ProcessEnd> end = child.wait(program.exit_patience_seconds);
  if (!end) {
    stop(child, request);
    set_fault(result, Outcome::timeout, "did not exit after the end of its input");
  } else if (end->exit_status != 0) {
    explain_end(child, program, request, listener, "after it was done", oom_kills_before, result);
  }
}

std::vector<std::string> environment_of(const ChildProgram& program, const CaseSpec& spec) {
  std::vector<std::string> environment = program.environment;
  const auto erase = [&](const std::string& name) {
    std::erase_if(environment,
                  [&](const std::string& variable) { return variable.starts_with(name + "="); });
  };
  if (spec.ranks > 1) {
    std::ranges::for_each(kBindingVariables, erase);  // of one process: ranks place themselves
  } else if (program.binding) {
    erase("OMP_PLACES");
    erase("OMP_PROC_BIND");
    for (const std::string& variable :
         openmp_places(cpus_of_threads(*program.binding, spec.threads))) {
      environment.push_back(variable);
    }
  }
  environment.push_back(fmt::format("OMP_NUM_THREADS={}", spec.threads));
  return environment;
}

// One child under way.
class Conversation {
 public:
  // `contender` and its environment, as start_of() makes them.
  Conversation(const ChildProgram& program, const Contender& contender, const Request& request,
               Cpus cpus)
      : program_(program),
        request_(request),
        child_(contender.command, contender.environment, cpus, kept_bytes(request)),
        listener_(request, result_) {
    result_.cpus = std::move(cpus);
    child_.write_line(to_line(request));
  }
  // Whatever goes wrong here, launchers end their ranks themselves.
  ~Conversation() { stop(child_, request_); }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  ChildProcess& child() { return child_; }
  Exchange& result() { return result_; }
  // It has said its last word, or will say no more.
  bool is_over() const { return is_over_; }
  bool has_failed() const { return result_.fault.has_value(); }
  bool is_ready() const { return result_.ready.has_value(); }

  // What it has said so far.
  void listen(const std::function<void(const StepMessage&)>& on_step) {
    std::string line;
    while (!is_over_) {
      const std::optional<ChildProcess::Read> read = child_.next_line(line);
      if (!read) {
        return;
      }
      heard_at_ = now_seconds();
      is_over_ = take(*read, line, on_step);
    }
  }

  void start() {
    child_.write_line(kStartLine);
    heard_at_ = now_seconds();
  }

  void check_silence() {
    if (now_seconds() - heard_at_ > program_.patience_seconds) {
      explain_silence(child_, program_, request_, result_);
      is_over_ = true;
    }
  }

  // Nothing is left to be said, or nobody will hear it.
  void end() {
    if (is_over_ && !has_failed() && !result_.interrupted) {
      read_peak_and_end(child_, program_, request_, listener_, oom_kills_before_, result_);
    } else {
      stop(child_, request_);  // it may be in the middle of a step
    }
  }

 private:
  bool take(ChildProcess::Read read, const std::string& line,
            const std::function<void(const StepMessage&)>& on_step) {
    if (read == ChildProcess::Read::end) {
      return ended_early();
    }
    if (read == ChildProcess::Read::too_long) {
      set_fault(result_, Outcome::failed, "child protocol: a line without end");
      return true;
    }
    if (runs_as_ranks(request_) && !line.starts_with('{')) {
      listener_.hear(line);
      return false;
    }
    bool is_message = false;
    try {
      const std::size_t steps = result_.steps.size();
      const bool last = std::visit(listener_, parse_message(line));
      is_message = true;
      if (result_.steps.size() > steps) {
        on_step(result_.steps.back());
      }
      return last;
    } catch (const Error& error) {
      if (runs_as_ranks(request_) && !is_message) {  // why, is known when the ranks have ended
        listener_.hear(line, error.what());
        return ended_early();
      }
      set_fault(result_, Outcome::failed, error.what());
      return true;
    }
  }

  bool ended_early() {
    explain_end(child_, program_, request_, listener_, "before it said " + listener_.due(),
                oom_kills_before_, result_);
    return true;
  }

  const ChildProgram& program_;
  const Request& request_;
  const std::optional<std::int64_t> oom_kills_before_ = oom_kills();
  ChildProcess child_;
  Exchange result_;
  Listener listener_;
  double heard_at_ = now_seconds();
  bool is_over_ = false;
};

using Conversations = std::vector<std::unique_ptr<Conversation>>;

bool all(const Conversations& children, bool (Conversation::*is_so)() const) {
  return std::ranges::all_of(children, [&](const auto& own) { return ((*own).*is_so)(); });
}

bool any(const Conversations& children, bool (Conversation::*is_so)() const) {
  return std::ranges::any_of(children, [&](const auto& own) { return ((*own).*is_so)(); });
}

// Until all have said their last word, one fails, or an interrupt comes.
void listen(const Conversations& children, bool awaits_start,
            const std::function<void(const StepMessage&)>& on_step) {
  const std::function<void(const StepMessage&)> nobody = [](const auto&) {};
  bool has_started = !awaits_start;
  std::vector<ChildProcess*> talking;
  while (true) {
    talking.clear();
    for (const auto& own : children) {
      own->listen(own == children.front() ? on_step : nobody);
      if (!own->is_over()) {
        talking.push_back(&own->child());
      }
    }
    if (talking.empty() || any(children, &Conversation::has_failed)) {
      return;
    }
    if (pending_interrupt() != 0) {
      for (const auto& own : children) {
        own->result().interrupted = true;
      }
      return;
    }
    if (!has_started && all(children, &Conversation::is_ready)) {
      std::ranges::for_each(children, [](const auto& own) { own->start(); });
      has_started = true;
    }
    for (const auto& own : children) {
      const bool waits_for_others = !has_started && own->is_ready();
      if (!own->is_over() && !waits_for_others) {
        own->check_silence();
      }
    }
    ChildProcess::read_any(talking);
  }
}

Cpus cpus_in(const CpuTopology& place) {
  Cpus cpus;
  for (const Cpus& core : place.cores) {
    cpus.insert(cpus.end(), core.begin(), core.end());
  }
  return cpus;
}

// What is started, and its whole environment: of a copy, its threads held within its `place`.
Contender start_of(ChildProgram program, const Request& request, Contender contender,
                   const CpuTopology& place) {
  if (program.binding && !place.cores.empty()) {
    program.binding->topology = place;
  }
  std::vector<std::string> environment = environment_of(program, request.spec);
  if (runs_as_ranks(request)) {
    if (!runs_our_child(request.spec.backend)) {
      contender = placed_by(program.command, std::move(contender), program.ranks.value());
    }
    return started_as_ranks(program.ranks.value(), request.spec, std::move(contender), environment);
  }
  environment.insert(environment.end(), contender.environment.begin(), contender.environment.end());
  contender.environment = std::move(environment);
  return contender;
}

void judge_fault(const Request& request, Exchange& result) {
  if (!is_fault_of_ours(request.spec.backend) && result.code == ExitCode::internal) {
    result.code = ExitCode::answer_is_no;
  }
}

}  // namespace

Exchange exchange(const ChildProgram& program, const Request& request,
                  const std::function<void(const StepMessage&)>& on_step) {
  return exchange_copies(program, request, {CpuTopology{}}, on_step).front();
}

std::vector<Exchange> exchange_copies(const ChildProgram& program, const Request& request,
                                      const std::vector<CpuTopology>& places,
                                      const std::function<void(const StepMessage&)>& on_step) {
  std::vector<Exchange> results(places.size());
  const Contender contender = contender_of(request.spec, program.command);
  if (!contender.missing.empty()) {
    set_fault(results.front(), Outcome::skipped, contender.missing);
    return results;
  }
  Conversations children;
  children.reserve(places.size());
  for (const CpuTopology& place : places) {
    children.push_back(std::make_unique<Conversation>(
        program, start_of(program, request, contender, place), request, cpus_in(place)));
  }
  listen(children, request.awaits_start, on_step);
  for (std::size_t i = 0; i < places.size(); ++i) {
    children[i]->end();
    Exchange& result = results[i] = std::move(children[i]->result());
    judge_fault(request, result);
    if (result.fault && places.size() > 1) {
      result.reason = fmt::format("copy {} of {}: {}", i + 1, places.size(), result.reason);
    }
  }
  return results;
}

}  // namespace voxmark
