// A program started with pipes to its input, output and error output, that dies with us, and so do
// the programs that it starts.
// Knows nothing of what is said over the pipes but that it comes in lines.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace voxmark {

// How a process ended: one of both.
struct ProcessEnd {
  std::optional<int> exit_status;
  std::optional<int> signal;
};

class ChildProcess {
 public:
  // `environment`: "NAME=VALUE", beside and before our own. `cpus`: those that it may run on;
  // empty: all of ours. The child leads a process group of its own, so that a terminal's Ctrl-C
  // reaches us alone. Of what it says beside lines, the last `kept_bytes` are kept. Throws Error:
  // bad_input when the program cannot be started, cannot_here when the system has no process left,
  // internal no pipe.
  ChildProcess(const std::vector<std::string>& command, const std::vector<std::string>& environment,
               const std::vector<int>& cpus = {}, std::size_t kept_bytes = 8192);
  // Kills what still runs, with its children.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // A child that has stopped reading is no error here: its end tells more.
  void write_line(const std::string& line);
  void close_input();

  enum class Read { line, end, silence, interrupted, too_long };
  // The next line of its output, without the newline. `silence`: nothing came within
  // `patience_seconds`; `interrupted`: pending_interrupt() is set; `too_long`: past 64 MiB.
  Read read_line(std::string& line, double patience_seconds);
  // Of several children: the same without waiting; nothing where no whole line is there yet.
  std::optional<Read> next_line(std::string& line);
  // Takes what any of them says, as soon as one does, within a tenth of a second.
  static void read_any(std::span<ChildProcess* const> children);

  // Waits until it has ended, and ends what it left running; nothing when it has not ended within
  // `patience_seconds`. What it says meanwhile on its output is in unread_output().
  std::optional<ProcessEnd> wait(double patience_seconds);
  void kill();
  // SIGTERM to the process alone, which then ends its own; kill() when it has not ended within
  // `patience_seconds`.
  void end(double patience_seconds);
  // Sends it a signal, and returns what it says on its error output in the `seconds` after, and has
  // said before: the end of it.
  std::string ask(int signal, double seconds);

  pid_t id() const { return process_; }
  // The last line of its error output, "" where there is none.
  std::string last_error_line() const;
  // The end of its error output, and whether that is all of it.
  const std::string& error_text() const { return error_text_; }
  bool has_whole_error_text() const { return !is_error_text_cut_; }
  // The end of what came on its output and was not read as lines.
  const std::string& unread_output() const { return output_text_; }

 private:
  void start(const std::vector<std::string>& command, const std::vector<std::string>& environment,
             const std::vector<int>& cpus);
  // What comes within `milliseconds`, from both pipes.
  void read_some(int milliseconds);
  std::array<pollfd, 2> polled() const;  // output and errors, as poll(2) takes them
  void read_ready(bool has_output, bool has_errors);
  void keep_end(std::string& text);
  void drain();
  // `flags` as waitid(2) takes them. The id stays ours until the group is dead, too.
  bool reap(int flags);
  void read_available(int descriptor, std::string& into, bool& open);

  pid_t process_ = -1;
  int input_ = -1;
  int output_ = -1;
  int error_ = -1;
  bool output_open_ = true;
  bool error_open_ = true;
  std::string output_text_;
  std::size_t searched_ = 0;  // of it, without a newline
  std::string error_text_;    // its end only
  bool is_error_text_cut_ = false;
  std::size_t kept_bytes_;
  std::optional<ProcessEnd> ended_;
};

// "SIGSEGV" for 11, and so on.
std::string signal_name(int signal);

}  // namespace voxmark
