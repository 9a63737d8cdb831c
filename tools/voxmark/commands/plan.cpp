// voxmark plan: will a step fit in this machine's memory? Allocates nothing.
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/plan/keeps_everything.h"
#include "backends/plan/plan_by_layer.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/number_text.h"
#include "base/tell.h"
#include "benches/protocol/case_work.h"
#include "results/claims/claims.h"
#include "tools/voxmark/assumed_network.h"
#include "tools/voxmark/conclusions.h"
#include "tools/voxmark/largest_fit.h"
#include "tools/voxmark/layer_table.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/step_plans.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/terminal.h"

namespace voxmark {
namespace {

constexpr const char* kStandardOutput = "-";

std::string extra_time(const MemoryPlan& plan) {
  return plan.extra_time_share > 0
             ? fmt::format(", about {:.1f}% more time for what is computed again",
                           100 * plan.extra_time_share)
             : "";
}

// What is wrong with a number of images; nothing of one above 0.
std::string count_above_zero(const std::string& text) {
  return text.find_first_not_of("0123456789") == std::string::npos &&
                 text.find_first_not_of('0') != std::string::npos
             ? ""
             : fmt::format("\"{}\", expected an integer above 0", text);
}

constexpr const char* kEstimated = " (estimated)";

Json plan_json(const BackendPlan& own) {
  if (!own.reason.empty()) {
    return {{"backend", own.backend}, {"planned_bytes", nullptr}, {"reason", own.reason}};
  }
  Json trades = Json::array();
  for (const MemoryPlan& plan : own.trades) {
    trades.push_back(
        {{"planned_bytes", plan.total_bytes()}, {"extra_time_share", plan.extra_time_share}});
  }
  return {{"backend", own.backend},
          {"planned_bytes", own.plan.total_bytes()},
          {"bytes", own.plan.bytes},
          {"exact", own.plan.exact},
          {"extra_time_share", own.plan.extra_time_share},
          {"schedules", std::move(trades)},
          {"fits", own.fits},
          {"within_limit", own.limited ? Json{{"memory_limit", own.limit},
                                              {"planned_bytes", own.limited->total_bytes()},
                                              {"extra_time_share", own.limited->extra_time_share}}
                                       : Json()}};
}

void print_plan(const BackendPlan& own) {
  if (!own.reason.empty()) {
    fmt::print("{:<16} {}\n", own.backend, own.reason);
    return;
  }
  std::vector<std::string> purposes;
  for (const auto& [purpose, bytes] : own.plan.bytes) {
    if (bytes > 0) {
      purposes.push_back(fmt::format("{} {}", purpose, bytes_text(bytes)));
    }
  }
  fmt::print("{:<16} {:>10}  {:<12} {}{}{}\n", own.backend, bytes_text(own.plan.total_bytes()),
             own.fits ? "fits" : "does not fit", fmt::join(purposes, ", "), extra_time(own.plan),
             own.plan.exact ? "" : kEstimated);
  if (own.limited) {
    fmt::print("{:<16} {:>10}  fits with --memory-limit {}{}\n", "",
               bytes_text(own.limited->total_bytes()), own.limit, extra_time(*own.limited));
  }
  std::vector<std::string> trades;
  for (const MemoryPlan& plan : own.trades) {
    trades.push_back(
        fmt::format("{} +{:.1f}%", bytes_text(plan.total_bytes()), 100 * plan.extra_time_share));
  }
  if (!trades.empty()) {
    fmt::print("{:<16} memory against time: {}\n", "", fmt::join(trades, ", "));
  }
}

// The largest batch of the image and the largest image of the batch in --fit's bytes. What a
// backend can compute again, it does: as much as these bytes ask for.
ExitCode fit(const PlanOptions& options) {
  const std::int64_t bytes = parse_bytes(options.fit, "--fit");
  const Program program = lower_model(options.model, Mode::training);  // checks the flags
  CaseSpec spec = asked_case(options);
  const std::int64_t room = std::min(bytes, spec.memory_limit_bytes.value_or(bytes));
  spec.memory_limit_bytes = room;
  const CompileOptions compile = compile_options(spec);
  const bool is_elsewhere = of_another_machine(options, bytes);
  bool any_fits = false;
  Json rows = Json::array();
  for (const RegisteredBackend& entry : asked_backends(options)) {
    const std::string reason = obstacle(entry, program, compile);
    if (!reason.empty()) {
      tell(options.json ? stderr : stdout, "{:<16} {}\n", entry.name, reason);
      continue;
    }
    const auto batch = largest_batch(*entry.backend, spec, room);
    const auto cube = largest_cube(*entry.backend, spec, room);
    any_fits = any_fits || batch || cube;
    const auto show = [&](const char* what, const std::optional<Fit>& found) {
      if (options.json) {
        rows.push_back({{"backend", entry.name}, {"largest", what}});
        rows.back()["image"] =
            found ? Json{found->image.d, found->image.h, found->image.w} : Json();
        rows.back()["batch"] = found ? Json(found->batch) : Json();
        rows.back()["planned_bytes"] = found ? Json(found->plan.total_bytes()) : Json();
        if (found) {
          rows.back()["exact"] = is_exact(entry.name, found->plan, is_elsewhere);
          rows.back()["at_least"] = found->is_bound;
        } else {
          rows.back()["reason"] = "not even the smallest fits";
        }
      } else if (found) {
        fmt::print("{:<16} largest {}: {}{} with batch {}, {}{}{}\n", entry.name, what,
                   found->is_bound ? "at least " : "", to_string(found->image), found->batch,
                   bytes_text(found->plan.total_bytes()), extra_time(found->plan),
                   is_exact(entry.name, found->plan, is_elsewhere) ? "" : kEstimated);
      } else {
        fmt::print("{:<16} largest {}: not even the smallest fits\n", entry.name, what);
      }
    };
    show("batch", batch);
    show("image", cube);
  }
  if (options.json) {
    fmt::print("{}\n", dump_json({{"bytes", room}, {"fits", rows}}, 2));
  }
  return any_fits ? ExitCode::done : ExitCode::cannot_here;
}

// The white paper's images and batches on its servers, and what it says of TensorFlow there.
ExitCode table(const PlanOptions& options) {
  bool any_plan = false;
  fmt::print("{:<16} {:>12} {:>6} {:>10} {:>9}  {:<24} {}\n", "backend", "image", "batch",
             "planned", "server", "fits", "white paper");
  for (const ServerStep& row : table_2(whitepaper_claims())) {
    CaseSpec spec = asked_case(options);
    spec.image = row.image;
    spec.batch = row.batch;
    const Program program = training_program(spec);
    const CompileOptions compile = compile_options(spec);
    for (const RegisteredBackend& entry : asked_backends(options)) {
      const std::string reason = obstacle(entry, program, compile);
      if (!reason.empty()) {
        fmt::print("{:<16} {}\n", entry.name, reason);
        continue;
      }
      any_plan = true;
      const MemoryPlan plan = entry.backend->plan(program, compile);
      const auto server = static_cast<std::int64_t>(row.server_bytes);
      const bool is_known = is_exact(entry.name, plan, of_another_machine(options, server));
      fmt::print("{:<16} {:>12} {:>6} {:>10} {:>9}  {:<24} {}\n", entry.name, to_string(row.image),
                 row.batch, bytes_text(plan.total_bytes()), row.server_text(),
                 fmt::format("{}{}", needed_bytes(plan, spec) <= server ? "fits" : "does not fit",
                             is_known ? "" : kEstimated),
                 row.fits ? "trains" : "runs out of memory");
    }
  }
  return any_plan ? ExitCode::done : ExitCode::cannot_here;
}

// Without --backend: of the fastest.
std::vector<RegisteredBackend> backends_by_layer(PlanOptions options) {
  if (options.backends.empty()) {
    options.backends = {kFastest};
  }
  return asked_backends(options);
}

void print_by_layer(const CaseSpec& spec, const std::vector<LayeredPlan>& plans,
                    const PlanOptions& options) {
  if (options.json) {
    fmt::print("{}\n", dump_json(layer_json(spec, plans), 2));
  } else if (options.csv == kStandardOutput) {
    fmt::print("{}", layer_csv(plans));
  } else {
    for (const LayeredPlan& plan : plans) {
      fmt::print("{}{}", &plan == &plans.front() ? "" : "\n",
                 layer_text(spec, plan, terminal_columns()));
    }
  }
  if (!options.csv.empty() && options.csv != kStandardOutput) {
    AtomicFile file(options.csv);
    file.write(layer_csv(plans));
    file.commit();
    tell(stderr, "{}: a line per layer\n", options.csv);
  }
}

// The white paper's table 1 for any size, of a plan or of a framework that keeps everything.
ExitCode by_layer(const PlanOptions& options) {
  const Program program = lower_model(options.model, Mode::training);
  const Network network = unet3d(options.model.unet);
  const CaseSpec spec = asked_case(options);
  const CompileOptions compile = compile_options(spec);
  std::vector<LayeredPlan> plans;
  for (const RegisteredBackend& entry : backends_by_layer(options)) {
    const std::string reason = obstacle(entry, program, compile);
    if (!reason.empty()) {
      tell(stderr, "{}: {}\n", entry.name, reason);
      continue;
    }
    const MemoryPlan plan = entry.backend->plan(program, compile);
    if (spec.memory_limit_bytes && needed_bytes(plan, spec) > *spec.memory_limit_bytes) {
      tell(stderr, "{}: its plan and its batch take {} at least, more than --memory-limit {}\n",
           entry.name, bytes_text(needed_bytes(plan, spec)), options.memory_limit);
    }
    plans.push_back({entry.name, plan_by_layer(entry.name, network, program, plan),
                     is_exact(entry.name, plan, of_another_machine(options, 0)),
                     plan.extra_time_share});
  }
  if (plans.empty()) {
    return ExitCode::cannot_here;
  }
  print_by_layer(spec, plans, options);
  return ExitCode::done;
}

// Rows tell their ranks where those were asked for.
Json plans_json(const PlanOptions& options, const MemoryRoom& room,
                std::span<const RankedPlans> all, std::span<const Json> networks) {
  const Dims image = parse_dims(options.model.image);
  Json json = {{"memory", {{"bytes", room.bytes}, {"source", room.source}}},
               {"image", {image.d, image.h, image.w}}};
  if (all.size() == 1) {
    json["batch"] = all.front().options.model.batch;
    json["batch_bytes"] = all.front().batch_bytes;
  }
  if (!networks.empty()) {
    json["networks"] = Json::array();
    for (std::size_t i = 0; i < all.size(); ++i) {
      json["networks"].push_back(networks[i]);
      json["networks"].back()["ranks"] = all[i].options.ranks;
    }
  }
  json["plans"] = Json::array();
  for (const RankedPlans& ranked : all) {
    for (const BackendPlan& own : ranked.plans) {
      Json& row = json["plans"].emplace_back(plan_json(own));
      if (!options.rank_counts.empty()) {
        row["ranks"] = ranked.options.ranks;
        row["batch"] = ranked.options.model.batch;
        row["batch_bytes"] = ranked.batch_bytes;
      }
    }
  }
  return json;
}

void print_plans(const RankedPlans& ranked, const MemoryRoom& room) {
  const PlanOptions& options = ranked.options;
  const std::int64_t bound = bound_of(options, room);
  const int sharing = ranks_of_host(options);
  const std::string source = bound < room.bytes / sharing ? "--memory-limit" : room.source;
  fmt::print("A step of {} image(s) of {}{}; there are {} ({})\n", options.model.batch,
             to_string(parse_dims(options.model.image)),
             options.ranks > 1 ? fmt::format(" on each of {} ranks", options.ranks) : "",
             bytes_text(bound) + (options.ranks > 1 ? " for each" : ""),
             sharing > 1 && bound == room.bytes / sharing
                 ? fmt::format("{} of {}, where all run here", bytes_text(room.bytes), source)
                 : source);
  for (const BackendPlan& own : ranked.plans) {
    print_plan(own);
  }
  fmt::print(
      "A step fits where its plan and its batch do, which adds {}; voxmark train --dry-run says "
      "what reading ahead and scoring whole images add\n",
      bytes_text(ranked.batch_bytes));
}

// Of each number of ranks what --network asks for; empty where it is not given.
std::vector<Json> network_plans(const PlanOptions& options, std::span<const RankedPlans> all) {
  std::vector<Json> plans;
  if (options.network.empty()) {
    return plans;
  }
  const NetworkFlag network = parse_network(options.network);
  std::optional<Report> report;
  if (!options.from.empty()) {
    report = read_report(options.from);
  }
  for (const RankedPlans& ranked : all) {
    plans.push_back(network_plan(ranked, network, report));
  }
  return plans;
}

ExitCode fits(const PlanOptions& options) {
  const MemoryRoom room = room_of(options);
  const std::vector<RankedPlans> all = ranked_plans(options, room);
  const std::vector<Json> networks = network_plans(options, all);
  bool any_fits = false;
  for (const RankedPlans& ranked : all) {
    any_fits = any_fits || std::ranges::any_of(ranked.plans, [&](const BackendPlan& own) {
                 return own.reason.empty() && (own.fits || own.limited);
               });
  }
  if (options.json) {
    fmt::print("{}\n", dump_json(plans_json(options, room, all, networks), 2));
    return any_fits ? ExitCode::done : ExitCode::cannot_here;
  }
  for (const RankedPlans& ranked : all) {
    fmt::print("{}", &ranked == &all.front() ? "" : "\n");
    print_plans(ranked, room);
    if (!networks.empty()) {
      const auto index = static_cast<std::size_t>(&ranked - &all.front());
      fmt::print("{}", network_text(ranked, networks[index], options.network));
    }
  }
  return any_fits ? ExitCode::done : ExitCode::cannot_here;
}

ExitCode plan(const PlanOptions& options) {
  if (options.threads < 1) {
    throw_bad_input("--threads {}: expected 1 or more", options.threads);
  }
  if (options.by_layer) {
    return by_layer(options);
  }
  if (!options.csv.empty()) {
    throw_bad_input("--csv {}: expected --by-layer beside it", options.csv);
  }
  if (options.network.empty() && !options.from.empty()) {
    throw_bad_input("--from {}: expected --network beside it", options.from);
  }
  if (options.rank_counts.empty() && !options.network.empty()) {
    throw_bad_input("--network {}: expected --ranks beside it", options.network);
  }
  if (options.table) {
    return table(options);
  }
  if (!options.fit.empty()) {
    return fit(options);
  }
  return fits(options);
}

}  // namespace

void add_plan(Command program) {
  const auto options = std::make_shared<PlanOptions>();
  Command command =
      program.add_command("plan", "Will a step fit in this machine's memory? Allocates nothing");
  add_model_options(command, options->model);
  command
      .add_option("--backend", options->backends,
                  "names, with commas; all when left out. keeps-everything: a framework that gives "
                  "nothing back before a step ends, by arithmetic")
      .split_at(',');
  command.add_option("--precision", options->precision, "fp32, bf16 or fp64").show_default();
  const Option threads =
      add_threads_option(command, options->threads, "of the backend: scratchpads depend on it");
  const Option memory =
      command.add_option("--memory", options->memory,
                         "of the machine to plan for: 192GiB; default: what is free here");
  command.add_option("--memory-limit", options->memory_limit,
                     "compute tensors again so that the step fits in this: 6GiB");
  Option fit =
      command.add_option("--fit", options->fit,
                         "the largest batch of the image, and the largest image of the batch, in "
                         "this much memory: 24GiB");
  const Option json = command.add_flag("--json", options->json,
                                       "bytes by purpose as JSON; by layer with --by-layer");
  fit.excludes({memory});
  Option by_layer = command.add_flag(
      "--by-layer", options->by_layer,
      "bytes and FLOPs of each layer, forward and backward, as the white paper's table 1; of "
      "onednn when --backend is left out");
  by_layer.excludes({memory, fit});
  command
      .add_option("--csv", options->csv,
                  "a line per layer to this file, -: to standard output; needs --by-layer")
      .excludes({json});
  const Option ranks = command
                           .add_option("--ranks", options->rank_counts,
                                       "bytes of each of so many processes that compute a step "
                                       "together; several with commas")
                           .split_at(',')
                           .excludes({fit, by_layer});
  const Option global_batch = command
                                  .add_option("--global-batch", options->global_batch,
                                              "images of all ranks together, instead of --batch")
                                  .check(count_above_zero)
                                  .excludes({command.option("--batch"), fit, by_layer});
  command
      .add_option("--network", options->network,
                  "latency and bandwidth of each rank on a cluster that is not there, "
                  "2us,100Gbit/s: a model of what ranks exchange, each on a host of its own; needs "
                  "--ranks")
      .excludes({fit, by_layer});
  command
      .add_option("--from", options->from,
                  "report with a step of one rank with this batch: the model then predicts the "
                  "step of the ranks and their efficiency; needs --network")
      .excludes({fit, by_layer});
  // The table has images, batches and servers of its own.
  command
      .add_flag("--table", options->table,
                "the white paper's steps on its servers, for this network")
      .excludes({memory, fit, json, by_layer, ranks, global_batch, command.option("--image"),
                 command.option("--batch")});
  command.set_footer(
      "Exit code 0: it fits with one backend or more, be it with a --memory-limit that is named;\n"
      "5: with none. --by-layer does not ask whether it fits: 0.\n"
      "Plans are exact for this machine; with more threads or memory than it has they are\n"
      "estimates, and say so: another machine's scratchpads may differ.\n"
      "Example: voxmark plan --image 240x240x144 --batch 16\n"
      "         voxmark plan --by-layer --image 240x240x144 --batch 16 --backend keeps-everything\n"
      "         voxmark plan --image 144 --batch 2 --ranks 2,64 --network 2us,100Gbit/s");
  command.set_action([options, threads] {
    tell_threads(threads);
    return plan(*options);
  });
}

}  // namespace voxmark
