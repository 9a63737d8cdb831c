// A child that speaks the protocol badly, each way that a real one may: the runner's tests start it
// as an external program, `exec:faulty_child FAULT`.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/protocol.h"
#include "workloads/network/safetensors.h"
#include "workloads/network/weights.h"

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

// Touches memory until the kernel ends us, or a GiB is reached.
void fill_memory() {
  const std::vector<char> block(std::size_t{1} << 30, 'x');
  std::cerr << "filled to the last byte: " << block.back() << std::endl;
}

// The first of all processes that ask: the file that VOXMARK_TEST_TRIES names is its own.
bool is_the_one() {
  std::FILE* file = std::fopen(std::getenv("VOXMARK_TEST_TRIES"), "wx");
  if (file != nullptr) {
    std::fclose(file);
  }
  return file != nullptr;
}

// The file that tells that a copy has done all of its steps.
std::string done_path() { return std::string(std::getenv("VOXMARK_TEST_TRIES")) + ".done"; }

// Of several copies one is ready later than the others: after the other one's last step, or, where
// that one waits for it, after more time than its steps take.
void be_late(const std::string& fault) {
  if (!fault.starts_with("one-is-late") || !is_the_one()) {
    return;
  }
  constexpr auto kTick = std::chrono::milliseconds(10);
  const int ticks = fault == "one-is-late-and-none-waits" ? 60000 : 400;
  for (int i = 0; i < ticks && !std::ifstream(done_path()).is_open(); ++i) {
    std::this_thread::sleep_for(kTick);
  }
}

// Of several copies one fails, and the others go on for as long as they are let.
void break_one_of_many(const std::string& fault) {
  if ((fault == "one-hangs" || fault == "one-dies") && is_the_one()) {
    if (fault == "one-hangs") {
      hang();
    }
    std::signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
}

StepMessage step(bool warmup, double loss) {
  StepMessage message;
  message.warmup = warmup;
  message.forward_backward_seconds = 0.75e-6;  // no time goes by
  message.update_seconds = 0.25e-6;
  message.step_seconds = 1e-6;
  message.loss = loss;
  return message;
}

// Of a step of 10 ms in the first process half of it, on every step; in later ones a hundred times
// more, but not in the first timed step. The file that VOXMARK_TEST_TRIES names counts the
// processes.
double waited_seconds(bool is_first_timed) {
  static const bool is_first_process = [] {
    const std::string path = std::getenv("VOXMARK_TEST_TRIES");
    const bool is_new = !std::ifstream(path).is_open();
    std::ofstream(path) << "tried\n";
    return is_new;
  }();
  return is_first_process ? 0.005 : is_first_timed ? 0.0 : 0.5;
}

void all_steps(const CaseSpec& spec, const std::string& fault, double loss) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point before = Clock::now();
  for (int i = 0; i < spec.warmup + spec.steps; ++i) {
    StepMessage message = step(i < spec.warmup, loss);
    const auto tell = [&message](double seconds) {
      message.forward_backward_seconds = seconds;
      message.update_seconds = 0;
      message.step_seconds = seconds;
    };
    const auto work = [](double seconds) {
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    };
    if (fault == "tells-too-much-time") {
      tell(1000);
    } else if (fault == "tells-too-little-time") {
      work(i < spec.warmup ? 0 : 3);
    } else if (fault == "tells-parts-of-another-step") {
      message.forward_backward_seconds /= 100;
      message.step_seconds = 1;
    } else if (fault == "reads-less-than-nothing") {
      message.readings["user_seconds"] = -1;
    } else if (fault == "waits-longer-each-time") {
      work(0.01);
      tell(0.01);
      message.readings["run_delay_seconds"] = waited_seconds(i == spec.warmup);
    } else if (fault.starts_with("one-")) {
      work(0.1);
      tell(0.1);
    } else {  // what went by, however busy the machine is
      tell(std::chrono::duration<double>(Clock::now() - before).count());
    }
    before = Clock::now();
    say(message);
  }
}

// "hangs-when-verified" and so on.
void break_when(const std::string& fault, const std::string& when) {
  if (fault == "hangs-when-" + when) {
    hang();
  }
  if (fault == "dies-when-" + when) {
    std::signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  if (fault == "babbles-when-" + when) {
    std::cout << "Loading plugins: done" << std::endl;
    hang();
  }
}

Batch read_batch(const Request& request) {
  const SafetensorsFile file(request.batch_path);
  const Shape& target = file.entry("target").shape;
  return {request.spec.batch, request.spec.image,        request.spec.network.input_channels,
          target.back(),      file.read_floats("input"), file.read_floats("target")};
}

// The step as it should be, from the files that the runner wrote, and then the fault.
std::map<std::string, std::vector<double>> results(const Request& request,
                                                   const std::string& fault) {
  const Program program = training_program(request.spec);
  const Weights weights = load_weights(request.weights_path, program);
  const auto naive = naive_backend().compile(program, {Precision::fp32, request.spec.threads, {}});
  set_weights(*naive, program, weights);
  naive->load(read_batch(request));
  std::map<std::string, std::vector<double>> all;
  const auto keep = [&](const std::string& name, const std::string& tensor) {
    all[name] = read_tensor(*naive, program, program.find(tensor));
  };
  all["losses"].push_back(naive->run().loss);
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.role == TensorRole::parameter_gradient) {
      keep(tensor.name, tensor.name);
    }
  }
  naive->update();
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.role == TensorRole::parameter || tensor.role == TensorRole::moving_statistic) {
      keep("updated/" + tensor.name, tensor.name);
    }
  }
  all["losses"].push_back(naive->run().loss);

  // A gradient that is dropped, and the parameter that therefore stays: 18 of the 23 biases stand
  // before a batch norm, where nothing would be missed; these two do not.
  const auto drop = [&](const std::string& parameter) {
    std::vector<double>& gradient = all["gradient/" + parameter];
    std::fill(gradient.begin(), gradient.end(), 0.0);
    all["updated/" + parameter] = weights.at(parameter);
  };
  const std::string kernel = "gradient/encodeC_conv1/kernel";
  if (fault == "nan-loss") {
    all["losses"][0] = std::numeric_limits<double>::quiet_NaN();
  } else if (fault == "wrong") {
    all[kernel][0] *= 1.5;
  } else if (fault == "zeros") {
    for (auto& [name, values] : all) {
      std::fill(values.begin(), values.end(), 0.0);
    }
  } else if (fault == "drops-transposed-bias-gradient") {
    drop("transconvB/bias");
  } else if (fault == "drops-prediction-bias-gradient") {
    drop("PredictionMask/bias");
  } else if (fault == "nan-gradient") {
    all[kernel][0] = std::numeric_limits<double>::quiet_NaN();
  } else if (fault == "lies-about-loss") {
    all["losses"][0] -= 0.01;
  } else if (fault == "never-updates") {
    all["updated/encodeC_conv1/kernel"] = weights.at("encodeC_conv1/kernel");
  } else if (fault == "misses-a-gradient") {
    all.erase(kernel);
  }
  return all;
}

void time_case(const Request& request, const std::string& fault) {
  const CaseSpec& spec = request.spec;
  if (fault == "out-of-memory") {
    return exhaust_memory();
  }
  if (fault == "fills-memory") {
    fill_memory();
  }
  if (fault == "step-before-ready") {
    return say(step(true, 0.5));
  }
  if (fault == "endless-line") {
    const std::string block(std::size_t{1} << 20, 'x');
    while (std::cout << block) {
    }
  }
  if (fault == "garbage") {
    std::cout << "WARNING: this is no JSON" << std::endl;
    return;
  }
  // Only the first step's loss is anybody else's to know.
  const bool is_right = fault == "none" || fault == "plans-too-little" ||
                        fault.starts_with("one-is-late") || fault.starts_with("talks-on");
  const double loss = is_right ? results(request, fault).at("losses").front() : 0.5;
  be_late(fault);
  say(ReadyMessage{});
  if (request.awaits_start && fault != "one-is-late-and-none-waits") {
    std::string line;
    std::getline(std::cin, line);
  }
  break_one_of_many(fault);
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
  all_steps(spec, fault, loss);
  if (fault.starts_with("one-is-late")) {
    std::ofstream(done_path()) << "done\n";
  }
  DoneMessage done;
  if (fault == "stages-of-another") {
    done.stage_seconds = {0.25, std::nullopt};
  }
  say(done);
  if (fault == "never-exits") {
    hang();
  }
  if (fault.starts_with("talks-on")) {  // more than a pipe holds
    (fault == "talks-on-in-errors" ? std::cerr : std::cout)
        << std::string(300'000, 'x') << std::endl;
  }
}

void write_results(const Request& request, const std::string& fault) {
  const Program program = training_program(request.spec);
  const auto all = results(request, fault);
  std::vector<TensorView> views;
  for (const auto& [name, values] : all) {
    const TensorId id = program.find(name.substr(name.starts_with("updated/") ? 8 : 0));
    views.push_back({name,
                     name == "losses" || fault == "flattens"
                         ? Shape{static_cast<std::int64_t>(values.size())}
                         : program.tensor(id).shape,
                     std::span<const double>(values)});
  }
  write_safetensors(request.results_path, views);
}

void verify_case(const Request& request, const std::string& fault) {
  if (fault == "unverified") {
    return say(UnsupportedMessage{"does not verify"});
  }
  if (fault == "verifies-itself") {
    return say(VerifiedMessage{request.spec.image, 1, 86, "loss", 0, 1, 0.001, Json::array(),
                               Json::array(), ""});
  }
  break_when(fault, "verified");
  if (fault == "writes-garbage") {
    std::ofstream(request.results_path) << "\x7f these are no tensors";
  } else if (fault != "writes-nothing") {
    write_results(request, fault);
  }
  say(ComputedMessage{fault == "slow" ? 1000 : 0.001});
}

void answer(const Request& request, const std::string& fault) {
  switch (request.mode) {
    case ChildMode::plan:
      break_when(fault, "planned");
      if (fault == "cannot") {
        return say(UnsupportedMessage{"it is Monday"});
      }
      if (fault == "plans-too-little") {
        return say(PlannedMessage{1, false, Json::object()});
      }
      if (fault == "huge") {
        return say(PlannedMessage{std::int64_t{1} << 50, true, Json::object()});
      }
      return say(PlannedMessage{std::nullopt, false, Json::object()});
    case ChildMode::verify:
      return verify_case(request, fault);
    case ChildMode::time:
      return time_case(request, fault);
    case ChildMode::check:
      return say(UnsupportedMessage{"check is voxmark's own"});
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
