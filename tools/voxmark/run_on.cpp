#include "tools/voxmark/run_on.h"

#include <algorithm>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/number_text.h"
#include "base/tell.h"
#include "benches/machine/default_threads.h"
#include "benches/machine/environment.h"
#include "benches/process/memory_room.h"
#include "benches/process/process_cpus.h"
#include "benches/protocol/contender.h"
#include "benches/suite/suite.h"
#include "benches/threads/binding_notes.h"
#include "benches/threads/thread_team.h"

namespace voxmark {

const Backend& learning_backend(const std::string& name) {
  if (!is_of_build(name)) {
    throw_bad_input(
        "--backend {}: a program outside of voxmark takes part in run and verify only. Train with "
        "a "
        "backend of voxmark's own; tools/peers/train_on.py goes on from a checkpoint in Keras or "
        "PyTorch",
        name);
  }
  const RegisteredBackend& entry = find_backend(name);
  if (entry.backend == nullptr) {
    throw Error(ExitCode::cannot_here, fmt::format("{}: not built: needs {}", name, entry.missing));
  }
  if (!entry.backend->computes()) {
    throw_bad_input("--backend {}: computes nothing, so that it cannot learn", name);
  }
  return *entry.backend;
}

std::int64_t memory_bytes_of(const std::string& limit) {
  return limit.empty() ? memory_room().bytes : parse_bytes(limit, "--memory-limit");
}

void check_threads(int threads) {
  check_places(threads);
  const int cpus = allowed_cpus();
  if (threads < 1 || threads > cpus) {
    throw_bad_input("--threads {}: this process may run on {}{}, expected 1 to {}", threads,
                    counted(cpus, "CPU"), by_variables(), cpus);
  }
  check_team(threads);
}

Option add_threads_option(Command command, int& threads, const std::string& help) {
  threads = default_threads().threads;
  return command.add_option("--threads", threads, help).show_default();
}

int told_default_threads() {
  const DefaultThreads found = default_threads();
  for (const std::string& note : found.notes) {
    tell(stderr, "{}\n", note);
  }
  for (const std::string& note : binding_notes()) {
    tell(stderr, "{}\n", note);
  }
  return found.threads;
}

int told_default_threads(const Suite& suite) {
  const bool all_named = std::ranges::none_of(
      suite.grids, [](const Grid& grid) { return !grid.values.contains("threads"); });
  return all_named ? default_threads().threads : told_default_threads();
}

void tell_threads(const Option& threads) {
  if (!threads.was_given()) {
    told_default_threads();
  }
}

void check_at_least(const char* flag, std::int64_t value, std::int64_t least) {
  if (value < least) {
    throw_bad_input("{} {}: expected {} or more", flag, value, least);
  }
}

}  // namespace voxmark
