// voxmark tricks: what getting by with little memory costs in accuracy. The same model on the same
// data, at equal voxels seen: on full images, down-sampled, in tiles, in small batches, and with
// fewer filters or levels. Each run is a `voxmark train` of its own, resumable, with its own peak
// of memory.
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/number_text.h"
#include "base/own_program.h"
#include "base/tell.h"
#include "benches/machine/environment.h"
#include "benches/process/child_process.h"
#include "benches/process/interrupt.h"
#include "results/tables/summary.h"
#include "results/tables/table.h"
#include "results/training_report.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/trick_plan.h"
#include "training/data.h"
#include "training/trainer.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

struct TricksFlags {
  TrickOptions common;
  ModelOptions model;
  int seeds = 3;
  std::string out = "voxmark-tricks";
  bool dry_run = false;
};

// The flags, checked.
TrickOptions options_of(const TricksFlags& flags) {
  check_at_least("--epochs", flags.common.epochs, 1);
  check_at_least("--seeds", flags.seeds, 1);
  check_threads(flags.common.threads);
  TrickOptions options = flags.common;
  const Backend& backend = learning_backend(options.backend);
  const CompileOptions compile{parse_precision(options.precision), options.threads, {}};
  if (const auto unsupported =
          backend.unsupported(lower_model(flags.model, Mode::training), compile)) {
    throw Error(ExitCode::cannot_here, fmt::format("{}: {}", options.backend, unsupported->reason));
  }
  if (!options.memory_limit.empty()) {
    options.memory_limit_bytes = memory_bytes_of(options.memory_limit);
  }
  options.image = parse_dims(flags.model.image);
  options.batch = flags.model.batch;
  options.channels = flags.model.unet.input_channels;
  options.classes = flags.model.unet.classes;
  options.filters = flags.model.unet.filters;
  return options;
}

std::string folder_of(const TricksFlags& flags, const Trick& trick, int seed) {
  std::string name = trick.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return (fs::path(flags.out) / fmt::format("{}_seed{}", name, seed)).string();
}

std::string report_of(const TricksFlags& flags, const Trick& trick, int seed) {
  return (fs::path(folder_of(flags, trick, seed)) / "training.json").string();
}

std::vector<std::string> command_of(const TricksFlags& flags, const TrickOptions& options,
                                    const Trick& trick, int seed) {
  const std::string folder = folder_of(flags, trick, seed);
  std::vector<std::string> command = train_arguments(options, trick, seed);
  command.insert(command.begin(), own_program_path());
  command.insert(command.end(), {"--out", folder});
  if (fs::exists(last_checkpoint(folder))) {
    command.emplace_back("--resume");
  }
  return command;
}

bool finished(const TricksFlags& flags, const TrickOptions& options, const Trick& trick, int seed) {
  const std::string path = report_of(flags, trick, seed);
  return fs::exists(path) && is_finished(read_training_report(path), options, trick, seed, path);
}

// Throws Error when the run fails, or when we were asked to stop.
void run_one(const TricksFlags& flags, const TrickOptions& options, const Trick& trick, int seed) {
  constexpr double kPatienceSeconds = 1e6;  // an epoch of whole brains takes hours
  ChildProcess child(command_of(flags, options, trick, seed), {});
  std::string line;
  while (true) {
    const ChildProcess::Read read = child.read_line(line, kPatienceSeconds);
    if (read != ChildProcess::Read::line) {
      break;
    }
    tell(stderr, "{}, seed {}: {}\n", trick.name, seed, line);
  }
  if (const int signal = pending_interrupt(); signal != 0) {
    constexpr double kStopSeconds = 30;  // for a step and a checkpoint; then it is killed
    ::kill(child.id(), SIGINT);
    child.wait(kStopSeconds);
    throw Error(static_cast<ExitCode>(128 + signal), "interrupted; the same command goes on");
  }
  const auto end = child.wait(kPatienceSeconds);
  if (!end || end->exit_status != 0) {
    // Its exit code is ours: what it found wrong is.
    const ExitCode code =
        end && end->exit_status ? static_cast<ExitCode>(*end->exit_status) : ExitCode::internal;
    if (code == ExitCode::answer_is_no && finished(flags, options, trick, seed)) {
      return;  // diverged
    }
    throw Error(code, fmt::format("{}, seed {}: {}", trick.name, seed, child.last_error_line()));
  }
}

// A trick's runs, raw: what the table says follows from them.
Json runs_of(const TricksFlags& flags, const Trick& trick) {
  Json runs = Json::array();
  for (int seed = 1; seed <= flags.seeds; ++seed) {
    const Json report = read_training_report(report_of(flags, trick, seed));
    double seconds = 0;
    for (const Json& epoch : report["epochs"]) {
      seconds += epoch["seconds"].get<double>();
    }
    const Json& test = report["test"];  // null: it diverged
    runs.push_back({{"seed", seed},
                    {"test_dice", test.is_null() ? Json() : test["mean"]["whole_dice"]},
                    {"test_dice_by_label", test.is_null() ? Json() : test["mean"]["hard_dice"]},
                    {"test_cases", test.is_null() ? 0 : test["cases"].size()},
                    {"peak_bytes", report["memory"]["peak_bytes"]},
                    {"planned_bytes", report["memory"]["planned_bytes"]},
                    {"training_seconds", seconds}});
  }
  return runs;
}

Json results_of(const TricksFlags& flags, const TrickOptions& options,
                const std::vector<Trick>& tricks) {
  Json results = Json::array();
  for (const Trick& trick : tricks) {
    results.push_back({{"trick", trick.name},
                       {"image", {trick.image.d, trick.image.h, trick.image.w}},
                       {"batch", trick.batch},
                       {"filters", trick.filters},
                       {"levels", trick.levels},
                       {"tile", trick.tile},
                       {"downsample", trick.downsample},
                       {"steps_per_epoch", trick.steps},
                       {"runs", runs_of(flags, trick)}});
  }
  return {
      {"schema", "voxmark.tricks/1"},   {"data", data_of_full_images(options.data, options.image)},
      {"epochs", options.epochs},       {"backend", options.backend},
      {"precision", options.precision}, {"tricks", std::move(results)}};
}

Spread spread_over_seeds(const Json& runs, const char* key, const char* otherwise) {
  std::vector<double> values;
  for (const Json& run : runs) {
    values.push_back((run[key].is_null() ? run[otherwise] : run[key]).get<double>());
  }
  return spread_of(values);
}

// The median over seeds, and their range. Runs that diverged have no Dice.
std::pair<std::string, std::string> dice_texts(const Json& runs) {
  Json tested = Json::array();
  for (const Json& run : runs) {
    if (!run["test_dice"].is_null()) {
      tested.push_back(run);
    }
  }
  const std::string diverged = fmt::format("{} diverged", runs.size() - tested.size());
  if (tested.empty()) {
    return {"-", diverged};
  }
  const Spread dice = spread_over_seeds(tested, "test_dice", "test_dice");
  std::string range = fmt::format("{:.4f}..{:.4f}", dice.minimum, dice.maximum);
  if (tested.size() < runs.size()) {
    range += ", " + diverged;
  }
  return {fmt::format("{:.4f}", dice.median), range};
}

Table table_of(const Json& results) {
  Table table{{{"trick"},
               {"window", Align::right},
               {"batch", Align::right},
               {"filters", Align::right},
               {"levels", Align::right},
               {"steps/epoch", Align::right},
               {"test Dice", Align::right},
               {"over seeds"},
               {"peak memory", Align::right},
               {"training hours", Align::right}},
              {}};
  for (const Json& result : results["tricks"]) {
    const Json& runs = result["runs"];
    const auto [dice, range] = dice_texts(runs);
    const Spread peak = spread_over_seeds(runs, "peak_bytes", "planned_bytes");
    const Spread seconds = spread_over_seeds(runs, "training_seconds", "training_seconds");
    table.rows.push_back(
        {result["trick"].get<std::string>(),
         fmt::format("{}", fmt::join(result["image"].get<std::vector<std::int64_t>>(), "x")),
         dump_json(result["batch"]), dump_json(result["filters"]), dump_json(result["levels"]),
         dump_json(result["steps_per_epoch"]), dice, range,
         bytes_text(static_cast<std::int64_t>(peak.maximum)),
         fmt::format("{:.3g}", seconds.median / 3600)});
  }
  return table;
}

void write_text(const fs::path& path, const std::string& text) {
  AtomicFile file(path.string());
  file.write(text);
  file.commit();
}

ExitCode run_tricks(const TricksFlags& flags) {
  const TrickOptions options = options_of(flags);
  const SubjectParts parts = open_parts(data_of_full_images(options.data, options.image),
                                        options.image, 1, true, options.reading);
  if (parts.test.count == 0) {
    throw_bad_input("--data {}: {} cases leave none for the test, expected 11 or more",
                    options.data, parts.training.count + parts.validation.count);
  }
  const std::vector<Trick> tricks =
      tricks_of(options, static_cast<std::int64_t>(parts.training.count));
  const std::string warning = too_few_steps(tricks, options.epochs);
  if (!warning.empty()) {
    tell(stderr, "warning: {}\n", warning);
  }
  if (flags.dry_run) {
    for (const Trick& trick : tricks) {
      fmt::print("{}\n", fmt::join(command_of(flags, options, trick, 1), " "));
    }
    return ExitCode::done;
  }
  std::error_code error;
  fs::create_directories(flags.out, error);
  if (error || !fs::is_directory(flags.out)) {
    throw_bad_input("--out {}: cannot be made: {}", flags.out, error.message());
  }
  catch_interrupts();
  // Seed by seed, so that a stopped suite has compared something.
  for (int seed = 1; seed <= flags.seeds; ++seed) {
    for (const Trick& trick : tricks) {
      if (!finished(flags, options, trick, seed)) {
        run_one(flags, options, trick, seed);
      }
    }
  }
  Json results = results_of(flags, options, tricks);
  if (!warning.empty()) {
    results["warning"] = warning;
  }
  const Table table = table_of(results);
  write_text(fs::path(flags.out) / "tricks.json", dump_json(results, 1) + "\n");
  write_text(fs::path(flags.out) / "tricks.md",
             render_markdown(table) + (warning.empty() ? "" : "\n" + warning + "\n"));
  fmt::print("{}", render_text(table));
  return ExitCode::done;
}

}  // namespace

void add_tricks(Command program) {
  const auto flags = std::make_shared<TricksFlags>();
  flags->model.batch = 4;
  Command command = program.add_command(
      "tricks",
      "What down-sampling, tiles, small batches, fewer filters and levels cost in accuracy");
  command.add_option("--data", flags->common.data, "a data set's folder or datalist, or phantom:N")
      .required();
  add_read_options(command, flags->common.reading);
  add_model_options(command, flags->model);
  command.add_option("--epochs", flags->common.epochs, "of each run, in voxels of full images")
      .show_default();
  command.add_option("--seeds", flags->seeds, "runs of each: seeds 1, 2, ...").show_default();
  command.add_option("--backend", flags->common.backend, "voxmark list backends").show_default();
  command.add_option("--precision", flags->common.precision, "fp32, fp64 or bf16").show_default();
  const Option threads = add_threads_option(command, flags->common.threads, "of the backend");
  command.add_option("--memory-limit", flags->common.memory_limit, "of each run, 8GiB");
  command.add_option("--out", flags->out, "folder: a run each, tricks.json and tricks.md")
      .show_default();
  command.add_flag("--dry-run", flags->dry_run, "print the commands, and stop");
  command.set_footer(
      "All runs have the same images and the same split. A stopped suite goes on with the same "
      "command.\n"
      "Example: voxmark tricks --data phantom:40 --image 64 --epochs 60 --seeds 3");
  command.set_action([flags, threads] {
    tell_threads(threads);
    return run_tricks(*flags);
  });
}

}  // namespace voxmark
