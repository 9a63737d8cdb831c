#include "benches/process/guard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string_view>

#include "benches/process/descriptors.h"

namespace voxmark {
namespace {

constexpr std::string_view kGroup = "group ";
constexpr std::string_view kFolder = "folder ";

// Everything the guarded process has said and not taken back: "+group 12", "-group 12".
void remember(const std::string& line, std::set<std::string>& guarded) {
  if (line.starts_with('+')) {
    guarded.insert(line.substr(1));
  } else {
    guarded.erase(line.substr(1));
  }
}

// What is being killed may yet make a last file in it.
void remove_for_good(const std::string& folder) {
  constexpr int kTries = 500;
  constexpr useconds_t kPauseMicroseconds = 10000;
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  for (int i = 0; error && i < kTries; ++i) {
    usleep(kPauseMicroseconds);
    std::filesystem::remove_all(folder, error);
  }
}

void clean_up(const std::set<std::string>& guarded) {
  for (const std::string& entry : guarded) {
    if (entry.starts_with(kGroup)) {
      ::kill(-std::atoi(entry.c_str() + kGroup.size()), SIGKILL);
    }
  }
  for (const std::string& entry : guarded) {
    if (entry.starts_with(kFolder)) {
      remove_for_good(entry.substr(kFolder.size()));
    }
  }
}

// Until the other end of the pipe is closed, by whatever end the guarded process found.
[[noreturn]] void wait_then_clean_up(int pipe_end) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(signal, SIG_IGN);
  }
  // Neither pipes nor locks of the guarded process must live on in this one.
  dup2(pipe_end, STDIN_FILENO);
  close_range(STDIN_FILENO + 1, ~0U, 0);
  std::set<std::string> guarded;
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      remember(text.substr(0, end), guarded);
      text.erase(0, end + 1);
    }
  }
  clean_up(guarded);
  _exit(0);
}

// The pipe to the guard of this process; a fork needs one of its own.
int guard_pipe() {
  static int pipe_end = -1;
  static pid_t owner = 0;
  if (owner == getpid()) {
    return pipe_end;
  }
  if (pipe_end >= 0) {
    close(pipe_end);
  }
  owner = getpid();
  pipe_end = -1;
  const Pipe pipe = make_pipe();
  if (pipe.read_end < 0) {
    return -1;
  }
  const pid_t guard = fork();
  if (guard == 0) {
    setpgid(0, 0);
    close(pipe.write_end);
    wait_then_clean_up(pipe.read_end);
  }
  close(pipe.read_end);
  if (guard < 0) {
    close(pipe.write_end);
    return -1;
  }
  // By both, as either may be first: no Ctrl-C and no kill of our group is to reach the guard.
  setpgid(guard, 0);
  pipe_end = pipe.write_end;
  return pipe_end;
}

void say(const std::string& line) {
  const int pipe_end = guard_pipe();
  if (pipe_end >= 0) {
    [[maybe_unused]] const ssize_t written = write(pipe_end, line.data(), line.size());
  }
}

}  // namespace

void end_with_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {  // it ended just before
    std::raise(SIGKILL);
  }
}

void guard_group(pid_t group) { say(fmt::format("+{}{}\n", kGroup, group)); }
void release_group(pid_t group) { say(fmt::format("-{}{}\n", kGroup, group)); }
void guard_folder(const std::string& path) {
  if (path.find('\n') == std::string::npos) {  // a part of it would be another folder
    say(fmt::format("+{}{}\n", kFolder, path));
  }
}
void release_folder(const std::string& path) {
  if (path.find('\n') == std::string::npos) {
    say(fmt::format("-{}{}\n", kFolder, path));
  }
}

}  // namespace voxmark
