// voxmark limits: what this machine can do at most, measured now.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "base/number_text.h"
#include "base/tell.h"
#include "benches/limits/machine_limits.h"
#include "benches/machine/doctor.h"
#include "benches/suite/suite.h"
#include "results/tables/table.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

struct Options {
  std::string threads;
  bool json = false;
};

std::vector<int> thread_counts(const std::string& text) {
  Suite suite;
  if (text.empty()) {
    return {told_default_threads()};
  }
  set_key(suite, "threads", split_list(text, "--threads"), "--threads");
  std::vector<int> counts;
  for (const Json& count : suite.grids.front().values.at("threads")) {
    counts.push_back(count.get<int>());
  }
  return counts;
}

// "105 (median 103)", or why there is none: the reason of `name`.
std::string rate_cell(const MachineLimits& limits, const std::string& name,
                      const std::optional<double>& best, const std::optional<double>& median) {
  return best ? fmt::format("{:.4g} (median {:.4g})", *best * 1e-9, *median * 1e-9)
              : "- (" + limits.reasons->at(name) + ")";
}

ExitCode limits(const Options& options) {
  std::vector<MachineLimits> all;
  const std::vector<int> counts = thread_counts(options.threads);
  std::ranges::for_each(counts, check_threads);
  if (const auto busy = busy_machine()) {
    tell(stderr, "Warning: {}\n", busy_warning(*busy));
  }
  std::ranges::transform(counts, std::back_inserter(all), machine_limits);
  if (options.json) {
    Json told = Json::array();
    std::ranges::transform(all, std::back_inserter(told), members_to_json<MachineLimits>);
    fmt::print("{}\n", dump_json({{"limits", std::move(told)}}));
    return ExitCode::done;
  }
  Table table{{{"threads", Align::right},
               {"fp32 GFLOP/s", Align::left},
               {"bf16 GFLOP/s", Align::left},
               {"triad GB/s", Align::left}},
              {}};
  for (const MachineLimits& one : all) {
    table.rows.push_back({fmt::format("{}", *one.threads),
                          rate_cell(one, "fp32_flops_per_second", one.fp32_flops_per_second,
                                    one.fp32_flops_per_second_median),
                          rate_cell(one, "bf16_flops_per_second", one.bf16_flops_per_second,
                                    one.bf16_flops_per_second_median),
                          rate_cell(one, "triad_bytes_per_second", one.triad_bytes_per_second,
                                    one.triad_bytes_per_second_median)});
  }
  fmt::print("{}", render_text(table));
  for (const MachineLimits& one : all) {
    for (const std::string& reason : *one.interference) {
      tell(stderr, "Warning: {}: {}\n", counted(*one.threads, "thread"), reason);
    }
  }
  return ExitCode::done;
}

}  // namespace

void add_limits(Command program) {
  auto options = std::make_shared<Options>();
  Command command =
      program.add_command("limits",
                          "Measures what this machine can do at most: multiply-adds in fp32 and "
                          "bf16, memory bandwidth (triad).\n"
                          "Example: voxmark limits --threads 1,2");
  command.add_option("--threads", options->threads,
                     "with commas; default: all CPUs of this process, or OMP_NUM_THREADS");
  command.add_flag("--json", options->json, "one line of JSON");
  command.set_action([options] { return limits(*options); });
}

}  // namespace voxmark
