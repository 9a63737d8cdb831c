// voxmark tricks: what getting by with little memory costs in accuracy. The same model on the same
// data, at equal voxels seen: on full images, down-sampled, in tiles, in small batches, and with
// fewer filters. Each run is a `voxmark train` of its own, resumable, with its own peak of memory.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "benches/child_process.h"
#include "benches/environment.h"
#include "benches/interrupt.h"
#include "benches/memory_room.h"
#include "results/summary.h"
#include "results/table.h"
#include "results/training_report.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "training/data.h"
#include "training/trainer.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

struct TricksFlags {
  std::string data;
  ModelOptions model;
  int epochs = 25;
  int seeds = 3;
  std::string backend = "onednn";
  std::string precision = "fp32";
  int threads = allowed_cpus();
  std::string out = "voxmark-tricks";
  bool dry_run = false;
};

struct Trick {
  std::string name;
  Dims image;
  std::int64_t batch = 1;
  std::int64_t filters = 16;
  std::vector<std::string> flags;
  std::int64_t steps = 0;  // per epoch: those that see as many voxels as full images do
};

// Half of an extent, or the next multiple that the network takes.
Dims half_of(const Dims& dims) {
  const auto half = [](std::int64_t extent) {
    const std::int64_t unit = 2 * kUnetDimsMultiple;
    return (extent + unit - 1) / unit * kUnetDimsMultiple;
  };
  return {half(dims.d), half(dims.h), half(dims.w)};
}

constexpr std::int64_t kSmallBatch = 2;
constexpr std::int64_t kFewFilters = 8;

std::vector<Trick> tricks_of(const TricksFlags& flags) {
  const Dims image = parse_dims(flags.model.image);
  const std::int64_t batch = flags.model.batch;
  const std::int64_t filters = flags.model.unet.filters;
  const auto cases = static_cast<std::int64_t>(open_parts(flags.data, image, 1).training.count);
  std::vector<Trick> tricks = {
      {"full images", image, batch, filters, {}, 0},
      {"down-sampled", half_of(image), batch, filters, {"--downsample", "2"}, 0},
      {"tiles", half_of(image), batch, filters, {"--tile"}, 0}};
  if (batch > kSmallBatch) {
    tricks.push_back({"small batch", image, kSmallBatch, filters, {}, 0});
  }
  if (filters > kFewFilters) {
    tricks.push_back({"fewer filters", image, batch, kFewFilters, {}, 0});
  }
  const std::int64_t voxels = (cases + batch - 1) / batch * batch * image.voxels();
  for (Trick& trick : tricks) {
    const std::int64_t per_step = trick.batch * trick.image.voxels();
    trick.steps = std::max<std::int64_t>(1, (voxels + per_step / 2) / per_step);
  }
  return tricks;
}

std::string folder_of(const TricksFlags& flags, const Trick& trick, int seed) {
  std::string name = trick.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return (fs::path(flags.out) / fmt::format("{}_seed{}", name, seed)).string();
}

std::vector<std::string> command_of(const TricksFlags& flags, const Trick& trick, int seed) {
  const std::string folder = folder_of(flags, trick, seed);
  std::vector<std::string> command = {
      "/proc/self/exe", "train",
      "--data",         flags.data,
      "--image",        to_string(trick.image),
      "--batch",        std::to_string(trick.batch),
      "--channels",     std::to_string(flags.model.unet.input_channels),
      "--classes",      std::to_string(flags.model.unet.classes),
      "--filters",      std::to_string(trick.filters),
      "--steps",        std::to_string(trick.steps),
      "--epochs",       std::to_string(flags.epochs),
      "--backend",      flags.backend,
      "--precision",    flags.precision,
      "--threads",      std::to_string(flags.threads),
      "--seed",         std::to_string(seed),
      "--out",          folder};
  command.insert(command.end(), trick.flags.begin(), trick.flags.end());
  if (fs::exists(last_checkpoint(folder))) command.emplace_back("--resume");
  return command;
}

bool is_done(const std::string& report_path) {
  return fs::exists(report_path) && !read_training_report(report_path).at("test").is_null();
}

// Throws Error when the run fails, or when we were asked to stop.
void run_one(const TricksFlags& flags, const Trick& trick, int seed) {
  constexpr double kPatienceSeconds = 1e6;  // an epoch of whole brains takes hours
  ChildProcess child(command_of(flags, trick, seed), {});
  std::string line;
  while (true) {
    const ChildProcess::Read read = child.read_line(line, kPatienceSeconds);
    if (read != ChildProcess::Read::line) break;
    fmt::print(stderr, "{}, seed {}: {}\n", trick.name, seed, line);
  }
  if (const int signal = pending_interrupt(); signal != 0) {
    throw Error(static_cast<ExitCode>(128 + signal), "interrupted; the same command goes on");
  }
  const auto end = child.wait(kPatienceSeconds);
  if (!end || end->exit_status != 0) {
    throw Error(ExitCode::cannot_here,
                fmt::format("{}, seed {}: {}", trick.name, seed, child.last_error_line()));
  }
}

struct Figures {
  Spread dice;
  Spread peak_bytes;
  Spread hours;
};

Figures figures_of(const TricksFlags& flags, const Trick& trick) {
  std::vector<double> dice;
  std::vector<double> peaks;
  std::vector<double> hours;
  for (int seed = 1; seed <= flags.seeds; ++seed) {
    const Json report =
        read_training_report((fs::path(folder_of(flags, trick, seed)) / "training.json").string());
    dice.push_back(report["test"]["mean"]["whole_dice"].get<double>());
    const Json& memory = report["memory"];
    peaks.push_back(
        memory[memory["peak_bytes"].is_null() ? "planned_bytes" : "peak_bytes"].get<double>());
    double seconds = 0;
    for (const Json& epoch : report["epochs"]) seconds += epoch["seconds"].get<double>();
    hours.push_back(seconds / 3600);
  }
  return {spread_of(dice), spread_of(peaks), spread_of(hours)};
}

Table table_of(const TricksFlags& flags, const std::vector<Trick>& tricks) {
  Table table{{{"trick"},
               {"window", Align::right},
               {"batch", Align::right},
               {"filters", Align::right},
               {"steps/epoch", Align::right},
               {"test Dice", Align::right},
               {"over seeds"},
               {"peak memory", Align::right},
               {"training hours", Align::right}},
              {}};
  for (const Trick& trick : tricks) {
    const Figures figures = figures_of(flags, trick);
    table.rows.push_back({trick.name, to_string(trick.image), std::to_string(trick.batch),
                          std::to_string(trick.filters), std::to_string(trick.steps),
                          fmt::format("{:.4f}", figures.dice.median),
                          fmt::format("{:.4f}..{:.4f}", figures.dice.minimum, figures.dice.maximum),
                          human_bytes(static_cast<std::int64_t>(figures.peak_bytes.maximum)),
                          fmt::format("{:.3g}", figures.hours.median)});
  }
  return table;
}

ExitCode run_tricks(const TricksFlags& flags) {
  lower_model(flags.model, Mode::training);
  check_at_least("--epochs", flags.epochs, 1);
  check_at_least("--seeds", flags.seeds, 1);
  check_threads(flags.threads);
  learning_backend(flags.backend);
  const std::vector<Trick> tricks = tricks_of(flags);
  if (flags.dry_run) {
    for (const Trick& trick : tricks) {
      fmt::print("{}\n", fmt::join(command_of(flags, trick, 1), " "));
    }
    return ExitCode::done;
  }
  catch_interrupts();
  // Seed by seed, so that a stopped suite has compared something.
  for (int seed = 1; seed <= flags.seeds; ++seed) {
    for (const Trick& trick : tricks) {
      if (!is_done((fs::path(folder_of(flags, trick, seed)) / "training.json").string())) {
        fs::create_directories(flags.out);
        run_one(flags, trick, seed);
      }
    }
  }
  const Table table = table_of(flags, tricks);
  AtomicFile file((fs::path(flags.out) / "tricks.md").string());
  file.write(render_markdown(table));
  file.commit();
  fmt::print("{}", render_text(table));
  return ExitCode::done;
}

}  // namespace

void add_tricks(CLI::App& app, Action& action) {
  const auto flags = std::make_shared<TricksFlags>();
  flags->model.batch = 4;
  CLI::App* command = app.add_subcommand(
      "tricks", "What down-sampling, tiles, small batches and fewer filters cost in accuracy");
  command->add_option("--data", flags->data, "Decathlon folder, or phantom:N")->required();
  add_model_options(*command, flags->model);
  command->add_option("--epochs", flags->epochs, "of each run, in voxels of full images")
      ->capture_default_str();
  command->add_option("--seeds", flags->seeds, "runs of each: seeds 1, 2, ...")
      ->capture_default_str();
  command->add_option("--backend", flags->backend, "voxmark list backends")->capture_default_str();
  command->add_option("--precision", flags->precision, "fp32, fp64 or bf16")->capture_default_str();
  command->add_option("--threads", flags->threads, "of the backend")->capture_default_str();
  command->add_option("--out", flags->out, "folder: a run each, and tricks.md")
      ->capture_default_str();
  command->add_flag("--dry-run", flags->dry_run, "print the commands, and stop");
  command->footer(
      "Every seed splits the data anew. A stopped suite goes on with the same command.\n"
      "Example: voxmark tricks --data phantom:40 --image 64 --epochs 10 --seeds 3");
  command->callback([&action, flags] { action = [flags] { return run_tricks(*flags); }; });
}

}  // namespace voxmark
