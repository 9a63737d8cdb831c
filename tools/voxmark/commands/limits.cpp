// voxmark limits: what this machine can do at most, measured now.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <variant>

#include "base/error.h"
#include "base/number_text.h"
#include "base/tell.h"
#include "benches/limits/machine_limits.h"
#include "benches/machine/doctor.h"
#include "benches/run/rank_network.h"
#include "benches/suite/suite.h"
#include "results/tables/table.h"
#include "tools/voxmark/rank_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

struct Options {
  std::string threads;
  int ranks = 0;  // 0: the machine's limits
  RankFlags rank_flags;
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

std::string microseconds(const std::optional<double>& seconds) {
  return significant(1e6 * seconds.value_or(0), 4);
}

Table table_of(const std::vector<MessageLimit>& all) {
  Table table;
  for (const char* header :
       {"bytes", "min us", "median us", "mean us", "max us", "CPU us", "MB/s", "calls"}) {
    table.columns.push_back({header, Align::right});
  }
  for (const MessageLimit& own : all) {
    table.rows.push_back({fmt::format("{}", *own.bytes), microseconds(own.seconds_minimum),
                          microseconds(own.seconds), microseconds(own.seconds_mean),
                          microseconds(own.seconds_maximum), microseconds(own.cpu_seconds),
                          own.bytes_per_second ? significant(1e-6 * *own.bytes_per_second, 4) : "-",
                          fmt::format("{}", *own.calls)});
  }
  return table;
}

void print_rank_limits(const RankLimits& limits) {
  fmt::print("{} of {}, {}, by {}\n\n", counted(*limits.ranks, "rank"),
             counted(*limits.threads, "thread"), *limits.library, *limits.launcher);
  fmt::print(
      "Gather of so many bytes of each rank, as for statistics (of two ranks: half a round "
      "trip)\n{}\n",
      render_text(table_of(*limits.gathers)));
  fmt::print("The same while 4 MiB of gradients are on the wire\n{}\n",
             render_text(table_of({*limits.gather_behind_sum})));
  fmt::print("Sum of so many bytes over all ranks, as of gradients; MB/s that each rank sends\n{}",
             render_text(table_of(*limits.sums)));
}

ExitCode limits_of_ranks(const Options& options) {
  const auto settings = rank_settings(options.rank_flags);
  if (const auto* reason = std::get_if<std::string>(&settings)) {
    throw Error(ExitCode::cannot_here, *reason);
  }
  const auto& found = std::get<RankSettings>(settings);
  const std::vector<int> asked =
      options.threads.empty() ? std::vector{0} : thread_counts(options.threads);
  Json told = Json::array();
  for (const int count : asked) {
    const int threads = threads_of_ranks(found, options.ranks, count);
    check_cpus_for_ranks(options.rank_flags, options.ranks, threads);
    const RankLimits limits = measured_rank_limits(found, options.ranks, threads, true);
    if (options.json) {
      told.push_back(members_to_json(limits));
    } else {
      fmt::print("{}", &count == &asked.front() ? "" : "\n");
      print_rank_limits(limits);
    }
  }
  if (options.json) {
    fmt::print("{}\n", dump_json({{"ranks", std::move(told)}}));
  }
  return ExitCode::done;
}

ExitCode limits(const Options& options) {
  if (options.ranks > 0) {
    return limits_of_ranks(options);
  }
  refuse_rank_flags(options.rank_flags);
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
                          "With --ranks: how fast ranks reach each other, in 8 B to 64 MiB.\n"
                          "Example: voxmark limits --threads 1,2\n"
                          "         voxmark limits --ranks 2 --hosts hosts.txt");
  command.add_option("--threads", options->threads,
                     "with commas; default: all CPUs of this process, or OMP_NUM_THREADS");
  command
      .add_option("--ranks", options->ranks,
                  "measures messages between so many ranks, by the calls that a step makes")
      .in_range(2, 65536);
  add_rank_options(command, options->rank_flags);
  command.add_flag("--json", options->json, "one line of JSON");
  command.set_action([options] { return limits(*options); });
}

}  // namespace voxmark
