// voxmark child: the other end of the child protocol (benches/protocol/PROTOCOL.md). Started by
// voxmark run.
#include "benches/child/child.h"

#include <memory>
#include <string>

#include "benches/child/rank_answers.h"
#include "benches/probes/process_counts.h"
#include "benches/protocol/protocol.h"
#include "benches/ranks/rank_place.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/train_ranks.h"

namespace voxmark {

void add_child(Command program) {
  Command command = program.add_command(
      "child",
      "Runs one case for a runner: request on standard input, messages on standard output.\n"
      "Example: echo '{\"protocol\":\"" +
          std::string(kProtocol) + "\",\"mode\":\"plan\",\"case\":{...}}' | voxmark child");
  auto extras = std::make_shared<Extras>();
  auto question = std::make_shared<std::string>();
  auto threads = std::make_shared<int>(1);
  extras->count = &process_counts;
  command.add_option("--counters", extras->counters,
                     "default, none, or names of libpfm4 with commas");
  command.add_option("--watched-steps", extras->watched_steps, "stage by stage, after the others")
      .in_range(0, 1000);
  command.add_option("--ask", *question, "of ranks, without a case: facts, limits or short-limits");
  command.add_option("--threads", *threads, "of each rank that is asked").in_range(1, 65536);
  auto other = std::make_shared<std::vector<std::string>>();
  command.add_option("program", *other,
                     "behind --: what this process becomes once it is on its CPUs");
  add_train_rank(command);
  command.set_action([extras, question, threads, other] {
    before_mpi(place_rank_and_exec);
    if (!other->empty()) {
      before_mpi([&] { become_rank(*other); });
    }
    if (question->empty()) {
      run_child(*extras);
    } else {
      answer_as_ranks(*question, *threads);
    }
    return ExitCode::done;
  });
}

}  // namespace voxmark
