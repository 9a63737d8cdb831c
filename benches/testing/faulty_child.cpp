// A child that speaks the protocol badly, each way that a real one may: the runner's tests start it
// as an external program, `exec:faulty_child FAULT`.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "benches/protocol.h"

namespace voxmark {
namespace {

void say(const Message& message) { std::cout << to_line(message) << std::endl; }

[[noreturn]] void hang() {
  while (true) {
    std::this_thread::sleep_for(std::chrono::seconds(60));
  }
}

// Touches memory until the address space, which is made small before, is used up.
void exhaust_memory() {
  const rlimit limit{std::size_t{256} << 20, std::size_t{256} << 20};
  setrlimit(RLIMIT_AS, &limit);
  try {
    std::vector<std::vector<char>> blocks;
    while (true) {
      blocks.emplace_back(std::size_t{16} << 20, 'x');
    }
  } catch (const std::bad_alloc&) {
    say(ErrorMessage{ErrorKind::out_of_memory, "out of memory"});
  }
}

StepMessage step(bool warmup, double loss) {
  StepMessage message;
  message.warmup = warmup;
  message.forward_backward_seconds = 0.75;
  message.update_seconds = 0.25;
  message.step_seconds = 1;
  message.loss = loss;
  return message;
}

void all_steps(const CaseSpec& spec) {
  for (int i = 0; i < spec.warmup + spec.steps; ++i) {
    say(step(i < spec.warmup, 0.5));
  }
}

void time_case(const CaseSpec& spec, const std::string& fault) {
  if (fault == "out-of-memory") {
    return exhaust_memory();
  }
  if (fault == "step-before-ready") {
    return say(step(true, 0.5));
  }
  if (fault == "garbage") {
    std::cout << "WARNING: this is no JSON" << std::endl;
    return;
  }
  say(ReadyMessage{});
  if (fault == "silent-exit") {
    std::cerr << "could not load libmystery.so" << std::endl;
    std::exit(3);
  }
  if (fault == "hang") {
    hang();
  }
  if (fault == "diverge") {
    say(step(true, 0.5));
    say(step(false, std::numeric_limits<double>::quiet_NaN()));
    hang();
  }
  for (const auto& [name, signal] :
       {std::pair{"segv", SIGSEGV}, {"abort", SIGABRT}, {"kill", SIGKILL}}) {
    if (fault == name) {
      std::signal(signal, SIG_DFL);
      raise(signal);
    }
  }
  all_steps(spec);
  say(DoneMessage{});
  if (fault == "never-exits") {
    hang();
  }
}

void answer(const Request& request, const std::string& fault) {
  switch (request.mode) {
    case ChildMode::plan:
      if (fault == "cannot") {
        return say(UnsupportedMessage{"it is Monday"});
      }
      if (fault == "huge") {
        return say(PlannedMessage{std::int64_t{1} << 50, true, Json::object()});
      }
      return say(PlannedMessage{std::nullopt, false, Json::object()});
    case ChildMode::verify: {
      VerifiedMessage message;
      message.image = request.spec.image;
      message.checks = 1;
      message.tensor = "gradient/encodeA_conv0/kernel";
      message.error = fault == "wrong" ? 0.5 : 1e-6;
      message.tolerance = 1e-5;
      message.step_seconds = fault == "slow" ? 1000 : 0.001;
      return fault == "unverified" ? say(UnsupportedMessage{"does not verify"}) : say(message);
    }
    case ChildMode::time:
      return time_case(request.spec, fault);
  }
}

// No fault: a child whose memory is known.
void touch_fifty_mebibytes() {
  static std::vector<char> block(std::size_t{50} << 20, 'x');
  std::cout << "touched" << std::endl;
}

int main(int argc, char** argv) {
  const std::string fault = argc > 1 ? argv[1] : "none";
  if (fault == "fifty-mebibytes") {
    touch_fifty_mebibytes();
  }
  std::string line;
  std::getline(std::cin, line);
  if (!line.empty()) {
    answer(parse_request(line), fault);
  }
  while (std::getline(std::cin, line)) {
  }
  return fault == "exit-status" ? 7 : 0;
}

}  // namespace
}  // namespace voxmark

int main(int argc, char** argv) { return voxmark::main(argc, argv); }
