// voxmark child: the other end of the child protocol (benches/PROTOCOL.md). Started by voxmark run.
#include "benches/child.h"

#include <memory>
#include <string>

#include "tools/voxmark/subcommand.h"

namespace voxmark {

void add_child(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "child",
      "Runs one case for a runner: request on standard input, messages on standard output.\n"
      "Example: echo '{\"protocol\":\"voxmark.child/1\",\"mode\":\"plan\",\"case\":{...}}' | "
      "voxmark child");
  auto counters = std::make_shared<std::string>("default");
  command->add_option("--counters", *counters, "default, none, or names of libpfm4 with commas");
  command->callback([&action, counters] {
    action = [counters] {
      run_child(*counters);
      return ExitCode::done;
    };
  });
}

}  // namespace voxmark
