#include "benches/child/child.h"

#include <unistd.h>

#include <iostream>
#include <new>
#include <string>

#include "backends/registry/registry.h"
#include "base/atomic_file.h"
#include "base/error.h"
#include "benches/child/child_modes.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/protocol.h"
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

void answer(const Request& request, const Extras& extras, const SendMessage& send) {
  if (request.mode == ChildMode::verify || request.mode == ChildMode::check) {
    check_team(request.spec.threads);  // where it is timed, counters come before the team
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
      return verify_case(*entry.backend, request, send);
    case ChildMode::time:
      return time_case(*entry.backend, request.spec, extras, send);
    case ChildMode::check:
      break;  // done above
  }
}

ErrorKind kind_of(const Error& error) {
  // Memory that the system refuses is the one thing a compile can find that "cannot be done here".
  return error.code() == ExitCode::cannot_here ? ErrorKind::out_of_memory
         : error.code() == ExitCode::bad_input ? ErrorKind::bad_input
                                               : ErrorKind::internal;
}

}  // namespace

void run_child(const Extras& extras) {
  const LineWriter writer;
  const SendMessage send = [&writer](const Message& message) { writer(message); };
  std::string line;
  std::getline(std::cin, line);
  try {
    answer(parse_request(line), extras, send);
  } catch (const ThreadsRefused&) {
    throw;  // what the machine refuses is told by the exit code
  } catch (const Error& error) {
    send(ErrorMessage{kind_of(error), error.what()});
  } catch (const std::bad_alloc&) {
    send(ErrorMessage{ErrorKind::out_of_memory, "out of memory"});
  } catch (const std::exception& error) {
    send(ErrorMessage{ErrorKind::internal, error.what()});
  }
  // Whoever started us reads our high-water mark before closing our input.
  while (std::getline(std::cin, line)) {
  }
}

}  // namespace voxmark
