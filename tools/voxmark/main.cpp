// The command line: a table of subcommands, and the only place where errors become exit codes.
#include <omp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error_lines.h"
#include "base/tell.h"
#include "benches/machine/build_info.h"
#include "benches/process/descriptors.h"
#include "benches/ranks/launcher.h"
#include "tools/voxmark/exit_watch.h"
#include "tools/voxmark/external.h"
#include "tools/voxmark/stack_room.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/wider_build.h"

namespace voxmark {
namespace {

using AddSubcommand = void (*)(Command program);

// In the order in which --help shows them.
const std::vector<AddSubcommand> kSubcommands = {
    add_quickstart, add_reproduce, add_run,     add_rerun,  add_validate, add_list,
    add_inspect,    add_phantom,   add_verify,  add_plan,   add_train,    add_predict,
    add_tricks,     add_limits,    add_sysinfo, add_doctor, add_noise,    add_child};

// One line, whatever the message was.
void print_error(std::string message) {
  for (char& character : message) {
    if (character == '\n') {
      character = ' ';
    }
  }
  tell(stderr, "voxmark: {}\n", message);
}

int exit_status(ExitCode code) { return static_cast<int>(code); }

// A first word that is neither an option nor a subcommand of ours: becomes that program.
void try_external(const CommandLine& command_line, int argc, char** argv) {
  const std::string name = argc < 2 ? "" : argv[1];
  if (name.empty() || name.front() == '-' || command_line.has_command(name)) {
    return;
  }
  const char* path = std::getenv("PATH");
  const auto program = find_external(name, program_folder(), path == nullptr ? "" : path);
  if (!program) {
    throw_bad_input(
        "unknown subcommand {}: no program voxmark-{} beside voxmark or in PATH; "
        "voxmark --help names what there is",
        name, name);
  }
  become_external(*program, {argv + 2, argv + argc});
}

// What the system has none left of, in words; "" where the error is another one.
std::string shortage_of(const std::system_error& error) {
  if (error.code() == std::errc::resource_unavailable_try_again) {
    return "the system gives no thread (ulimit -u, a container's pids limit)";
  }
  if (error.code() == std::errc::too_many_files_open ||
      error.code() == std::errc::too_many_files_open_in_system) {
    return "the system opens no more files (ulimit -n)";
  }
  return "";
}

// A pipe that nobody will ever read from.
bool reader_has_gone() {
  pollfd output{STDOUT_FILENO, 0, 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

// What a library has buffered is lost without a word when the disk is full: no answer is `code`
// then.
int after_output(int code) {
  const int earlier = std::ferror(stdout) != 0 ? errno : 0;  // a write that failed came last
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return code;
  }
  const int failure = errno != 0 ? errno : earlier;
  const std::string reason = failure == 0 ? "" : ": " + describe_errno(failure);
  if (!reader_has_gone()) {  // who has gone knows
    print_error("standard output: cannot be written" + reason);
  }
  return exit_status(ExitCode::internal);
}

int main(int argc, char** argv) {
  CommandLine command_line(
      "voxmark", voxmark_version(),
      "Benchmark of a 3D U-Net training step on CPU servers, verified before it is timed.");
  for (const AddSubcommand add : kSubcommands) {
    add(command_line.program());
  }
  command_line.program().set_footer(
      "What reads reports is Python, which ci/tools installs: bundle, compare, history, plan-gate, "
      "report");
  try {
    try_external(command_line, argc, argv);
    // A file that reaches its size limit is an error like a full disk, and not our end. Nor is a
    // reader of our output that has gone.
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    // OMP_DYNAMIC=true would make teams smaller as the machine's load goes up, in mid-run.
    omp_set_dynamic(0);
    make_stack_room();
    const Action action = command_line.read(argc, argv);
    if (!action) {
      throw_bad_input("no subcommand given; voxmark --help names them");
    }
    if (argc > 1 && std::string_view(argv[1]) != "child") {
      check_no_rank();
    }
    return exit_status(action());
  } catch (const ErrorLines& error) {
    for (const std::string& line : error.lines()) {
      print_error(line);
    }
    return exit_status(error.code());
  } catch (const Error& error) {
    print_error(error.what());
    return exit_status(error.code());
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
    return exit_status(ExitCode::cannot_here);
  } catch (const std::system_error& error) {
    const std::string shortage = shortage_of(error);
    if (!shortage.empty()) {
      print_error(fmt::format("{}: {}", shortage, error.what()));
      return exit_status(ExitCode::cannot_here);
    }
    if (std::ferror(stdout) == 0) {  // else after_output() says it
      print_error(error.what());
    }
    return exit_status(ExitCode::internal);
  } catch (const std::exception& error) {
    print_error(error.what());
    return exit_status(ExitCode::internal);
  }
}

}  // namespace
}  // namespace voxmark

int main(int argc, char** argv) {
  voxmark::open_standard_streams();
  voxmark::become_wider_build(argv);
  voxmark::watch_exit(argc > 1 && std::string_view(argv[1]) == "child");
  const int code = voxmark::after_output(voxmark::main(argc, argv));
  voxmark::expect_exit();
  return code;
}
