#include "benches/child/child.h"

#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <string>

#include "backends/registry/registry.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "benches/child/child_modes.h"
#include "benches/child/rank_group.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/protocol.h"
#include "benches/protocol/rank_words.h"
#include "benches/threads/thread_team.h"

namespace voxmark {
namespace {

// Lines to whoever started us. Standard output itself is turned over to standard error, so that a
// library that prints there does not break the protocol.
class LineWriter {
 public:
  LineWriter() : descriptor_(dup(STDOUT_FILENO)) {
    if (descriptor_ < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
      throw_internal("child: cannot duplicate standard output");
    }
  }
  ~LineWriter() { close(descriptor_); }
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  void operator()(const Message& message) const {
    const std::string line = to_line(message) + "\n";
    write_fully(descriptor_, std::as_bytes(std::span(line)), "standard output");
  }

 private:
  int descriptor_;
};

// Where others do the same case beside us, all of us begin when we are told.
std::function<void()> start_of(const Request& request) {
  return [awaits = request.awaits_start] {
    std::string line;
    if (awaits) {
      std::getline(std::cin, line);
    }
  };
}

// The variable by which a runner tells its ranks that they are such, and how many.
std::unique_ptr<RankGroup> join_group() {
  const char* ranks = std::getenv(kRanksVariable);
  return ranks == nullptr ? nullptr : std::make_unique<RankGroup>(std::atoi(ranks));
}

// Before anything is timed or verified.
void check_ranks_of(const Request& request, RankGroup& group) {
  if (request.spec.ranks != group.ranks()) {
    throw AgreedError(ExitCode::internal, fmt::format("ranks: {} were started for a case of {}",
                                                      group.ranks(), request.spec.ranks));
  }
  check_ranks(group, request.spec.threads);
}

void answer(const Request& request, const Extras& extras, RankGroup* group,
            const SendMessage& send) {
  if (group != nullptr) {
    check_ranks_of(request, *group);
  }
  if (request.mode == ChildMode::verify || request.mode == ChildMode::check) {
    // Where it is timed, counters come before the team.
    check_team(request.spec.threads, group != nullptr && cpu_sharing() == CpuSharing::always);
  }
  if (request.mode == ChildMode::check) {  // needs no backend
    return check_case(request, send);
  }
  const RegisteredBackend& entry = find_backend(request.spec.backend);
  const std::string reason =
      obstacle(entry, training_program(request.spec), compile_options(request.spec));
  if (!reason.empty()) {
    send(UnsupportedMessage{reason});
    return;
  }
  switch (request.mode) {
    case ChildMode::plan:
      return plan_case(*entry.backend, request.spec, send);
    case ChildMode::verify:
      return verify_case(*entry.backend, request, group, send);
    case ChildMode::time:
      return time_case(*entry.backend, request.spec, extras, group, start_of(request), send);
    case ChildMode::check:
      break;  // done above
  }
}

RankFailure failure_of_case(const Error& error) {
  return error.code() == ExitCode::cannot_here ? RankFailure::out_of_memory  // as kind_of() says
                                               : failure_of(error.code());
}

ErrorKind kind_of(const Error& error) {
  // Memory that the system refuses is the one thing a compile can find that "cannot be done here".
  return error.code() == ExitCode::cannot_here ? ErrorKind::out_of_memory
         : error.code() == ExitCode::bad_input ? ErrorKind::bad_input
                                               : ErrorKind::internal;
}

}  // namespace

void before_mpi(const std::function<void()>& action) {
  if (std::getenv(kRanksVariable) == nullptr) {
    return action();
  }
  try {
    action();
  } catch (const Error& error) {
    end_before_mpi(failure_of(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    end_before_mpi(RankFailure::out_of_memory, "out of memory");
  } catch (const std::exception& error) {
    end_before_mpi(RankFailure::internal, error.what());
  }
}

void run_child(const Extras& extras) {
  const LineWriter writer;
  std::unique_ptr<RankGroup> group;
  before_mpi([&] { group = join_group(); });
  const bool speaks = group == nullptr || group->is_first();
  const SendMessage send = [&](const Message& message) {
    if (speaks) {
      writer(message);
    }
  };
  std::string line;
  if (speaks) {
    std::getline(std::cin, line);
  }
  if (group != nullptr) {
    line = text_of_first(&group->collectives(), line);
  }
  // Where one rank fails, the others wait for it: nobody goes on. All ranks say it alike, rank 0
  // too, so that the outcome does not depend on which of them it is.
  const auto abort_where_ranks = [&](RankFailure failure, const std::string& message) {
    if (group != nullptr) {
      group->abort(failure, message);
    }
  };
  const auto fail = [&](RankFailure failure, ErrorKind kind, const std::string& message) {
    abort_where_ranks(failure, message);
    send(ErrorMessage{kind, message});
  };
  try {
    answer(parse_request(line), extras, group.get(), send);
  } catch (const AgreedError& error) {
    send(ErrorMessage{kind_of(error), error.what()});
  } catch (const ThreadsRefused& error) {
    abort_where_ranks(RankFailure::cannot_here, error.what());
    throw;  // what the machine refuses is told by the exit code
  } catch (const Error& error) {
    fail(failure_of_case(error), kind_of(error), error.what());
  } catch (const std::bad_alloc&) {
    fail(RankFailure::out_of_memory, ErrorKind::out_of_memory, "out of memory");
  } catch (const std::exception& error) {
    fail(RankFailure::internal, ErrorKind::internal, error.what());
  }
  // Whoever started us reads our high-water mark before closing our input.
  while (speaks && std::getline(std::cin, line)) {
  }
  if (group != nullptr) {
    group->finish();
  }
}

}  // namespace voxmark
