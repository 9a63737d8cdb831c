#include "benches/process/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string_view>

#include "base/command_words.h"
#include "base/error.h"
#include "base/file_error.h"
#include "benches/process/descriptors.h"
#include "benches/process/guard.h"
#include "benches/process/interrupt.h"
#include "benches/process/process_cpus.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;
// How often a wait looks for an interrupt that came between two system calls.
constexpr int kTickMilliseconds = 100;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Pipe pipe_or_throw() {
  const Pipe pipe = make_pipe();
  if (pipe.read_end < 0) {
    throw_file_error("child process", "no pipe", errno);
  }
  return pipe;
}

void close_descriptor(int& descriptor) {
  if (descriptor >= 0) {
    close(descriptor);
    descriptor = -1;
  }
}

// Where memory runs out, the kernel is to end the case and not its runner, or anybody else's
// program. Raising one's own score takes no privilege.
void volunteer_for_oom_killer() {
  const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) {
    constexpr std::string_view kFirst = "1000";
    [[maybe_unused]] const ssize_t written = write(score, kFirst.data(), kFirst.size());
    close(score);
  }
}

// Between fork and exec: system calls only.
[[noreturn]] void become(const Pipe& in, const Pipe& out, const Pipe& error, const Pipe& failure,
                         const Pipe& go, pid_t parent, const std::optional<cpu_set_t>& cpus,
                         char* const* command, char* const* environment) {
  setpgid(0, 0);
  volunteer_for_oom_killer();
  if (cpus) {  // not only the place that our own OpenMP runtime holds this thread on
    sched_setaffinity(0, sizeof *cpus, &*cpus);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_DFL);  // what is ignored stays ignored over exec
  std::signal(SIGXFSZ, SIG_DFL);
  close(go.write_end);
  char told = 0;
  if (getppid() == parent && read(go.read_end, &told, 1) == 1 &&
      dup2(in.read_end, STDIN_FILENO) >= 0 && dup2(out.write_end, STDOUT_FILENO) >= 0 &&
      dup2(error.write_end, STDERR_FILENO) >= 0) {
    execvpe(command[0], command, environment);
  }
  const int reason = errno;
  [[maybe_unused]] const ssize_t written = write(failure.write_end, &reason, sizeof reason);
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command,
                           const std::vector<std::string>& environment,
                           const std::vector<int>& cpus, std::size_t kept_bytes)
    : kept_bytes_(kept_bytes) {
  // A child that closes its input early must not end us.
  std::signal(SIGPIPE, SIG_IGN);
  start(command, environment, cpus);
}

void ChildProcess::start(const std::vector<std::string>& command,
                         const std::vector<std::string>& environment,
                         const std::vector<int>& own_cpus) {
  std::vector<std::string> arguments = command;
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('=') + 1);
    const bool replaced = std::any_of(environment.begin(), environment.end(),
                                      [&](const auto& ours) { return ours.rfind(name, 0) == 0; });
    if (!replaced) {
      variables.push_back(text);
    }
  }
  const std::vector<char*> argument_pointers = exec_pointers(arguments);
  const std::vector<char*> variable_pointers = exec_pointers(variables);
  Pipe in = pipe_or_throw();
  Pipe out = pipe_or_throw();
  Pipe error = pipe_or_throw();
  Pipe failure = pipe_or_throw();
  Pipe go = pipe_or_throw();
  const pid_t parent = getpid();
  const std::optional<cpu_set_t> cpus = own_cpus.empty() ? process_cpus() : set_of(own_cpus);
  process_ = fork();
  if (process_ == 0) {
    become(in, out, error, failure, go, parent, cpus, argument_pointers.data(),
           variable_pointers.data());
  }
  const int fork_error = errno;
  close_descriptor(in.read_end);
  close_descriptor(out.write_end);
  close_descriptor(error.write_end);
  close_descriptor(failure.write_end);
  close_descriptor(go.read_end);
  if (process_ > 0) {
    guard_group(process_);  // before it becomes what can have children of its own
    [[maybe_unused]] const ssize_t written = write(go.write_end, "1", 1);
  }
  close_descriptor(go.write_end);
  input_ = in.write_end;
  output_ = out.read_end;
  error_ = error.read_end;
  int reason = process_ < 0 ? fork_error : 0;
  // Closed by a successful exec; else it holds exec's errno.
  const bool failed =
      process_ < 0 || read(failure.read_end, &reason, sizeof reason) == sizeof reason;
  close_descriptor(failure.read_end);
  if (failed) {
    if (process_ > 0) {
      waitpid(process_, nullptr, 0);
      release_group(process_);
    }
    close_descriptor(input_);
    close_descriptor(output_);
    close_descriptor(error_);
    if (process_ < 0) {
      throw Error(ExitCode::cannot_here,
                  fmt::format("child program {}: the system starts no process (ulimit -u, a "
                              "container's pids limit): {}",
                              command.front(), describe_errno(reason)));
    }
    throw_bad_input("child program {}: cannot be started: {}", command.front(),
                    describe_errno(reason));
  }
}

ChildProcess::~ChildProcess() {
  kill();
  close_descriptor(input_);
  close_descriptor(output_);
  close_descriptor(error_);
}

void ChildProcess::write_line(const std::string& line) {
  const std::string text = line + "\n";
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(input_, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR) {
      return;
    }
    written += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
}

void ChildProcess::close_input() { close_descriptor(input_); }

void ChildProcess::read_available(int descriptor, std::string& into, bool& open) {
  std::array<char, 65536> buffer{};
  const ssize_t count = read(descriptor, buffer.data(), buffer.size());
  if (count > 0) {
    into.append(buffer.data(), static_cast<std::size_t>(count));
  } else if (count == 0) {
    open = false;
  }
}

std::optional<ChildProcess::Read> ChildProcess::next_line(std::string& line) {
  const std::size_t newline = output_text_.find('\n', searched_);
  if (newline != std::string::npos) {
    line = output_text_.substr(0, newline);
    output_text_.erase(0, newline + 1);
    searched_ = 0;
    return Read::line;
  }
  searched_ = output_text_.size();
  if (!output_open_) {
    return Read::end;
  }
  return searched_ > kMaxLineBytes ? std::optional(Read::too_long) : std::nullopt;
}

ChildProcess::Read ChildProcess::read_line(std::string& line, double patience_seconds) {
  const Clock::time_point start = Clock::now();
  while (true) {
    if (const std::optional<Read> read = next_line(line)) {
      return *read;
    }
    if (pending_interrupt() != 0) {
      read_some(0);  // whoever asks on, to have the last words of a child, gets them
      return next_line(line).value_or(Read::interrupted);
    }
    if (seconds_since(start) > patience_seconds) {
      return Read::silence;
    }
    read_some(kTickMilliseconds);
  }
}

void ChildProcess::read_any(std::span<ChildProcess* const> children) {
  std::vector<pollfd> polled;
  for (const ChildProcess* child : children) {
    const auto pair = child->polled();
    polled.insert(polled.end(), pair.begin(), pair.end());
  }
  poll(polled.data(), polled.size(), kTickMilliseconds);
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i]->read_ready(polled[2 * i].revents != 0, polled[2 * i + 1].revents != 0);
  }
}

std::array<pollfd, 2> ChildProcess::polled() const {
  return {{{output_open_ ? output_ : -1, POLLIN, 0}, {error_open_ ? error_ : -1, POLLIN, 0}}};
}

void ChildProcess::read_some(int milliseconds) {
  std::array<pollfd, 2> pair = polled();
  poll(pair.data(), pair.size(), milliseconds);
  read_ready(pair[0].revents != 0, pair[1].revents != 0);
}

void ChildProcess::read_ready(bool has_output, bool has_errors) {
  if (has_output) {
    read_available(output_, output_text_, output_open_);
  }
  if (has_errors) {
    read_available(error_, error_text_, error_open_);
    is_error_text_cut_ = is_error_text_cut_ || error_text_.size() > kept_bytes_;
    keep_end(error_text_);
  }
}

void ChildProcess::keep_end(std::string& text) {
  if (text.size() > kept_bytes_) {
    text.erase(0, text.size() - kept_bytes_);
    searched_ = 0;
  }
}

// What it said last, when it has ended.
void ChildProcess::drain() {
  pollfd errors{error_, POLLIN, 0};
  while (error_open_ && poll(&errors, 1, 0) > 0) {
    read_available(error_, error_text_, error_open_);
  }
  pollfd output{output_, POLLIN, 0};
  while (output_open_ && poll(&output, 1, 0) > 0) {
    read_available(output_, output_text_, output_open_);
  }
  keep_end(output_text_);
}

bool ChildProcess::reap(int flags) {
  siginfo_t info = {};
  const auto id = static_cast<id_t>(process_);
  while (waitid(P_PID, id, &info, flags | WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  if (info.si_pid != process_) {
    return false;
  }
  ::kill(-process_, SIGKILL);
  waitid(P_PID, id, &info, WEXITED);
  release_group(process_);
  ended_ = ProcessEnd{};
  if (info.si_code == CLD_EXITED) {
    ended_->exit_status = info.si_status;
  } else {
    ended_->signal = info.si_status;
  }
  return true;
}

std::optional<ProcessEnd> ChildProcess::wait(double patience_seconds) {
  const Clock::time_point start = Clock::now();
  while (!ended_) {
    if (reap(WNOHANG)) {
      drain();
    } else if (seconds_since(start) > patience_seconds) {
      return std::nullopt;
    } else {
      read_some(1);  // or a child that still talks would never end: a pipe holds 64 KiB
      keep_end(output_text_);
    }
  }
  return ended_;
}

void ChildProcess::kill() {
  if (process_ <= 0 || ended_) {
    return;
  }
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);  // its group is its own from exec on; before that there is none
  reap(0);
}

void ChildProcess::end(double patience_seconds) {
  if (process_ > 0 && !ended_) {
    ::kill(process_, SIGTERM);
    wait(patience_seconds);
  }
  kill();
}

std::string ChildProcess::ask(int signal, double seconds) {
  const Clock::time_point start = Clock::now();
  ::kill(process_, signal);
  while (error_open_ && seconds_since(start) < seconds) {
    read_some(kTickMilliseconds);
  }
  return error_text_;
}

std::string ChildProcess::last_error_line() const {
  const std::size_t end = error_text_.find_last_not_of(" \n\r\t");
  if (end == std::string::npos) {
    return "";
  }
  const std::size_t newline = error_text_.find_last_of('\n', end);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  return error_text_.substr(begin, end + 1 - begin);
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

}  // namespace voxmark
