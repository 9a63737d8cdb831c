// voxmark child: the other end of the child protocol (benches/PROTOCOL.md). Started by voxmark run.
#include "benches/child.h"

#include "tools/voxmark/subcommand.h"

namespace voxmark {

void add_child(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "child",
      "Runs one case for a runner: request on standard input, messages on standard output.\n"
      "Example: echo '{\"protocol\":\"voxmark.child/1\",\"mode\":\"plan\",\"case\":{...}}' | "
      "voxmark child");
  command->callback([&action] {
    action = [] {
      run_child();
      return ExitCode::done;
    };
  });
}

}  // namespace voxmark
