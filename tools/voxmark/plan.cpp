// voxmark plan: will a step fit in this machine's memory? Allocates nothing.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "backends/registry.h"
#include "base/json.h"
#include "benches/environment.h"
#include "benches/memory_room.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

struct PlanOptions {
  ModelOptions model;
  std::vector<std::string> backends;
  std::string precision = "fp32";
  int threads = allowed_cpus();
  bool json = false;
};

struct BackendPlan {
  std::string backend;
  std::string reason;  // why there is no plan; empty when there is one
  MemoryPlan plan;
};

std::vector<BackendPlan> plan_backends(const PlanOptions& options, const Program& program) {
  const CompileOptions compile{parse_precision(options.precision), options.threads, {}};
  std::vector<BackendPlan> plans;
  const auto add = [&](const RegisteredBackend& entry) {
    BackendPlan own{entry.name, "", {}};
    if (entry.backend == nullptr) {
      own.reason = "not built: needs " + entry.missing;
    } else if (const auto unsupported = entry.backend->unsupported(program, compile)) {
      own.reason = unsupported->reason;
    } else {
      own.plan = entry.backend->plan(program, compile);
    }
    plans.push_back(own);
  };
  for (const std::string& name : options.backends) {
    add(find_backend(name));
  }
  if (options.backends.empty()) {
    for (const RegisteredBackend& entry : registered_backends()) {
      if (entry.backend == nullptr || entry.backend->computes()) {
        add(entry);
      }
    }
  }
  return plans;
}

Json plan_json(const BackendPlan& own, std::int64_t room_bytes) {
  if (!own.reason.empty()) {
    return {{"backend", own.backend}, {"planned_bytes", nullptr}, {"reason", own.reason}};
  }
  return {{"backend", own.backend},
          {"planned_bytes", own.plan.total_bytes()},
          {"bytes", own.plan.bytes},
          {"exact", own.plan.exact},
          {"fits", own.plan.total_bytes() <= room_bytes}};
}

void print_plan(const BackendPlan& own, std::int64_t room_bytes) {
  if (!own.reason.empty()) {
    fmt::print("{:<13} {}\n", own.backend, own.reason);
    return;
  }
  std::vector<std::string> purposes;
  for (const auto& [purpose, bytes] : own.plan.bytes) {
    if (bytes > 0) {
      purposes.push_back(fmt::format("{} {}", purpose, human_bytes(bytes)));
    }
  }
  fmt::print("{:<13} {:>10}  {:<12} {}{}\n", own.backend, human_bytes(own.plan.total_bytes()),
             own.plan.total_bytes() <= room_bytes ? "fits" : "does not fit",
             fmt::join(purposes, ", "), own.plan.exact ? "" : " (estimated)");
}

ExitCode plan(const PlanOptions& options) {
  if (options.threads < 1) {
    throw_bad_input("--threads {}: expected 1 or more", options.threads);
  }
  const Program program = lower_model(options.model, Mode::training);
  const std::vector<BackendPlan> plans = plan_backends(options, program);
  const MemoryRoom room = memory_room();

  if (options.json) {
    Json rows = Json::array();
    for (const BackendPlan& own : plans) {
      rows.push_back(plan_json(own, room.bytes));
    }
    fmt::print("{}\n", dump_json({{"memory", {{"bytes", room.bytes}, {"source", room.source}}},
                                  {"image", {program.dims.d, program.dims.h, program.dims.w}},
                                  {"batch", program.images},
                                  {"plans", rows}},
                                 2));
  } else {
    fmt::print("A step of {} image(s) of {}; this machine has {} ({})\n", program.images,
               to_string(program.dims), human_bytes(room.bytes), room.source);
    for (const BackendPlan& own : plans) {
      print_plan(own, room.bytes);
    }
  }
  const bool any_fits = std::any_of(plans.begin(), plans.end(), [&](const BackendPlan& own) {
    return own.reason.empty() && own.plan.total_bytes() <= room.bytes;
  });
  return any_fits ? ExitCode::done : ExitCode::cannot_here;
}

}  // namespace

void add_plan(CLI::App& app, Action& action) {
  const auto options = std::make_shared<PlanOptions>();
  CLI::App* command =
      app.add_subcommand("plan", "Will a step fit in this machine's memory? Allocates nothing");
  add_model_options(*command, options->model);
  command->add_option("--backend", options->backends, "names, with commas; all when left out")
      ->delimiter(',');
  command->add_option("--precision", options->precision, "fp32 or fp64")->capture_default_str();
  command->add_option("--threads", options->threads, "of the backend: scratchpads depend on it")
      ->capture_default_str();
  command->add_flag("--json", options->json, "bytes by purpose as JSON");
  command->footer(
      "Exit code 0: it fits with one backend or more, 5: with none.\n"
      "Example: voxmark plan --image 240x240x144 --batch 16");
  command->callback([&action, options] { action = [options] { return plan(*options); }; });
}

}  // namespace voxmark
