// voxmark quickstart: the whole path once, in minutes. Images on disk, verified steps with every
// backend, a table, a report, and what they say.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "backends/registry/registry.h"
#include "base/overwrite.h"
#include "base/own_program.h"
#include "base/tell.h"
#include "benches/machine/environment.h"
#include "benches/process/interrupt.h"
#include "benches/process/memory_room.h"
#include "benches/protocol/case_work.h"
#include "benches/run/interleave.h"
#include "benches/run/memory_sweep.h"
#include "benches/run/progress.h"
#include "benches/run/sweep.h"
#include "benches/suite/suite.h"
#include "results/tables/case_table.h"
#include "tools/voxmark/conclusions.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/terminal.h"
#include "workloads/data_sets/data_set.h"
#include "workloads/data_sets/phantom.h"

namespace voxmark {
namespace {

struct QuickstartOptions {
  std::string out = "results/quickstart";
  std::string data;  // "": a phantom data set, written below `out`
  ReadOptions reading;
};

// Large enough for oneDNN to pick the kernels of larger images, small enough for naive.
constexpr Dims kImage{64, 64, 48};
// What comes next: minutes on two cores.
constexpr Dims kNextImage{128, 128, 96};
constexpr int kProcesses = 3;
constexpr int kSteps = 3;
constexpr int kWarmup = 1;
constexpr std::uint64_t kOrderSeed = 1;

std::string phantom_folder(const std::string& out) {
  std::string folder = out + "/data";
  if (std::filesystem::exists(folder + "/dataset.json")) {
    tell(stderr, "Phantom data set: {} (already there)\n", folder);
    return folder;
  }
  const PhantomOptions phantom;
  tell(stderr, "Phantom data set: writing {} heads of {} to {}\n", phantom.subjects,
       to_string(phantom.dims), folder);
  write_phantom_dataset(folder, phantom);
  return folder;
}

// `largest`, or the largest multiple of 16 below it that lies in every image of the data set.
Dims image_within(const std::string& folder, const ReadOptions& reading, const Dims& largest) {
  const DataSet dataset = read_data_set(folder, reading);
  std::array<std::int64_t, 3> extents = {largest.d, largest.h, largest.w};
  for (std::size_t i = 0; i < dataset.cases.size(); ++i) {
    const NiftiHeader header = read_image_header(dataset, i);
    for (std::size_t axis = 0; axis < std::min<std::size_t>(3, header.shape.size()); ++axis) {
      extents[axis] =
          std::min(extents[axis], header.shape[axis] / kUnetDimsMultiple * kUnetDimsMultiple);
    }
  }
  if (*std::min_element(extents.begin(), extents.end()) < kUnetDimsMultiple) {
    throw_bad_input("--data {}: an image is thinner than {} voxels, the least that the model takes",
                    folder, kUnetDimsMultiple);
  }
  return {extents[0], extents[1], extents[2]};
}

// Every backend but `example`, which is naive under another name. naive runs once: it is there to
// be compared with, and takes longer than all others together.
std::vector<CaseSpec> quickstart_cases(const std::string& data, const ReadOptions& reading,
                                       const Dims& image, int threads) {
  Suite suite;
  set_key(suite, "backend", {kPaperBaseline, "eigen", kPaperContender, kFastest, "null"},
          "--backend");
  suite.repeats = kProcesses;
  std::vector<CaseSpec> cases = expand(suite, threads, limits_to_sweep);
  for (CaseSpec& spec : cases) {
    spec.image = image;
    spec.data = data;
    spec.reading = reading;
    spec.steps = kSteps;
    spec.warmup = kWarmup;
  }

  CaseSpec reference = cases.front();
  reference.backend = "naive";
  reference.steps = 1;
  reference.warmup = 0;
  reference.process = 0;
  cases.push_back(reference);
  return cases;
}

// Short where it lies below the folder that the shell is in; never a bare word, which would be
// looked up elsewhere.
std::string seen_from_here(const std::filesystem::path& path) {
  const std::string near = std::filesystem::proximate(path);
  return near.starts_with("..") ? std::filesystem::absolute(path).string() : "./" + near;
}

// Whether every backend of the next command plans a step of the image into the memory.
bool fits(const CaseSpec& spec, std::int64_t room_bytes) {
  const Program program = training_program(spec);
  const CompileOptions compile = compile_options(spec);
  return std::ranges::all_of(
      std::array{kPaperBaseline, kPaperContender, kFastest}, [&](const char* name) {
        const Backend* backend = find_backend(name).backend;
        return backend == nullptr || backend->unsupported(program, compile) ||
               backend->plan(program, compile).total_bytes() + harness_bytes(spec) <= room_bytes;
      });
}

void print_conclusions(const std::vector<CaseSummary>& cases, const std::string& data,
                       const ReadOptions& reading, const Dims& measured, int threads) {
  std::string planner = kFastest;
  if (find_backend(planner).backend == nullptr) {
    planner = "naive";
  }
  const std::int64_t room_bytes = memory_room().bytes;
  CaseSpec larger;
  larger.image = image_within(data, reading, kNextImage);
  larger.threads = threads;
  CaseSpec limited = larger;
  limited.memory_limit_bytes = room_bytes;
  const auto fit = largest_fit(*find_backend(planner).backend, limited, room_bytes);
  fmt::print("\n{}\n{}\n{}\n", speed_up_sentence(cases),
             largest_fit_sentence(fit, planner, room_bytes),
             next_command_sentence(seen_from_here(own_program_path()), seen_from_here(data),
                                   fits(larger, room_bytes) ? larger.image : measured, reading));
}

// A quickstart is called again and again: what an earlier one measured gets another name.
void keep_earlier(const std::string& report) {
  if (!holds_something(report)) {
    return;
  }
  const std::string kept = name_for_keeping(report);
  std::error_code failure;
  std::filesystem::rename(report, kept, failure);
  if (failure) {
    throw_bad_input("--out: {} cannot be kept as {}: {}", report, kept, failure.message());
  }
  tell(stderr, "{}: of an earlier quickstart, kept as {}\n", report, kept);
}

ExitCode quickstart(const QuickstartOptions& options) {
  std::error_code failure;
  std::filesystem::create_directories(options.out, failure);
  if (failure) {
    throw_bad_input("--out {}: cannot be made a folder: {}", options.out, failure.message());
  }
  const std::string data = options.data.empty() ? phantom_folder(options.out) : options.data;
  const int threads = told_default_threads();
  const Dims image = image_within(data, options.reading, kImage);
  const std::vector<CaseSpec> listed = quickstart_cases(data, options.reading, image, threads);
  const std::vector<CaseSpec> cases = interleave(listed, kOrderSeed);
  check_before_start(cases, allowed_cpus());
  tell(stderr, "{} runs of a training step at {} on {} {}\n", cases.size(), to_string(image),
       threads, threads == 1 ? "thread" : "threads");

  SweepOptions sweep;
  sweep.cases = cases;
  sweep.out = options.out + "/report.json";
  keep_earlier(sweep.out);
  sweep.measure_limits = true;
  sweep.runner.child.command = {own_program(), "child"};
  sweep.facts.quickstart = true;
  sweep.facts.baseline = kPaperBaseline;
  catch_interrupts();
  Progress progress(stderr, cases.size());
  const SweepResult result = run_sweep(sweep, progress);

  const std::vector<CaseSummary> summaries =
      summarise(in_listed_order(result.report.records, listed));
  fmt::print("\n{}\nReport: {}\n", fitted(case_table(summaries, kPaperBaseline)), sweep.out);
  if (result.code != ExitCode::interrupted && result.code != ExitCode::terminated) {
    print_conclusions(summaries, data, options.reading, image, threads);
  }
  return result.code;
}

}  // namespace

void add_quickstart(Command program) {
  const auto options = std::make_shared<QuickstartOptions>();
  Command command = program.add_command(
      "quickstart", "A small data set, verified steps with every backend, and what they say");
  command.add_option("--data", options->data,
                     "a data set's folder; when left out, a phantom data set is written");
  add_read_options(command, options->reading);
  command.add_option("--out", options->out, "folder of the report and of the phantom")
      .show_default();
  command.set_footer("Example: voxmark quickstart --data Task01_BrainTumour");
  command.set_action([options] { return quickstart(*options); });
}

}  // namespace voxmark
