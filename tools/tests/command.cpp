#include "tools/tests/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "base/error.h"

extern char** environ;

namespace voxmark {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// A file without a name: no pipe can fill up, nothing is left behind.
File make_stream() {
  File file(std::tmpfile(), std::fclose);
  if (!file) {
    throw_internal("tmpfile: {}", describe_errno(errno));
  }
  return file;
}

std::string contents(std::FILE* file) {
  std::string text;
  char block[4096];
  std::fseek(file, 0, SEEK_SET);
  while (const std::size_t count = std::fread(block, 1, sizeof block, file)) {
    text.append(block, count);
  }
  return text;
}

}  // namespace

CommandResult run_voxmark(const std::vector<std::string>& arguments, const std::string& out_path) {
  std::vector<std::string> own = {VOXMARK_BINARY};
  own.insert(own.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(own.size() + 1);
  for (std::string& argument : own) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);

  const File out = make_stream();
  const File err = make_stream();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (out_path.empty()) {
    posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path.c_str(), O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, fileno(err.get()), STDERR_FILENO);
  pid_t child = 0;
  const int failure = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    throw_internal("{}: {}", own[0], describe_errno(failure));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(out.get()),
          contents(err.get())};
}

}  // namespace voxmark
