// What a report says of its run: the members of its "details" and "limits" that voxmark itself
// knows. results/report.schema.json describes each; units are in the names. A member that is
// nothing does not apply, or the report is older than it.
#pragma once

#include <string_view>

#include "results/members.h"

namespace voxmark {

// What this machine can do at most on so many threads (benches/limits/machine_limits.h). Rates are
// the best of many rounds, and their median.
struct MachineLimits {
  std::optional<std::int64_t> threads;
  std::optional<double> fp32_flops_per_second;
  std::optional<double> fp32_flops_per_second_median;
  std::optional<std::string> fp32_isa;
  std::optional<double> bf16_flops_per_second;
  std::optional<double> bf16_flops_per_second_median;
  std::optional<std::string> bf16_implementation;
  std::optional<double> triad_bytes_per_second;
  std::optional<double> triad_bytes_per_second_median;
  std::optional<std::int64_t> triad_array_bytes;
  std::optional<std::map<std::string, std::string>> reasons;  // by the rate that is missing
  std::optional<std::vector<std::string>> interference;       // what disturbed a rate in all tries

  static constexpr auto members() {
    using Own = MachineLimits;
    return std::tuple{
        Member{"threads", &Own::threads},
        Member{"interference", &Own::interference},
        Member{"fp32_flops_per_second", &Own::fp32_flops_per_second, kNullWithReason},
        Member{"fp32_flops_per_second_median", &Own::fp32_flops_per_second_median},
        Member{"fp32_isa", &Own::fp32_isa},
        Member{"bf16_flops_per_second", &Own::bf16_flops_per_second, kNullWithReason},
        Member{"bf16_flops_per_second_median", &Own::bf16_flops_per_second_median},
        Member{"bf16_implementation", &Own::bf16_implementation},
        Member{"triad_bytes_per_second", &Own::triad_bytes_per_second, kNullWithReason},
        Member{"triad_bytes_per_second_median", &Own::triad_bytes_per_second_median},
        Member{"triad_array_bytes", &Own::triad_array_bytes},
        Member{"reasons", &Own::reasons}};
  }
};

// What a run was held to.
struct RunLimits {
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::string> memory_source;
  std::optional<double> timeout_seconds;
  std::optional<double> case_budget_seconds;
  std::optional<std::vector<MachineLimits>> machine;  // one for each number of threads
  std::optional<std::string> machine_reason;          // why they were not measured

  static constexpr auto members() {
    using Own = RunLimits;
    return std::tuple{Member{"memory_bytes", &Own::memory_bytes},
                      Member{"memory_source", &Own::memory_source},
                      Member{"timeout_seconds", &Own::timeout_seconds},
                      Member{"case_budget_seconds", &Own::case_budget_seconds},
                      Member{"machine", &Own::machine, kNullWithReason},
                      Member{"machine_reason", &Own::machine_reason}};
  }
  bool says_why_missing(std::string_view member) const {
    return member == "machine" && machine_reason.has_value();
  }
};

// How the children's threads were to be placed (benches/threads/thread_settings.h).
struct ThreadFacts {
  std::optional<std::string> bind;
  std::optional<std::string> profile;
  std::optional<std::string> runtime;
  std::optional<std::map<std::string, std::string>> requested;   // variables, as published
  std::optional<std::map<std::string, std::string>> translated;  // and for this runtime
  std::optional<std::string> note;                               // where that is not exact
  std::optional<std::string> warning;

  static constexpr auto members() {
    return std::tuple{Member{"bind", &ThreadFacts::bind},
                      Member{"profile", &ThreadFacts::profile},
                      Member{"runtime", &ThreadFacts::runtime},
                      Member{"requested", &ThreadFacts::requested},
                      Member{"translated", &ThreadFacts::translated},
                      Member{"note", &ThreadFacts::note},
                      Member{"warning", &ThreadFacts::warning}};
  }
};

struct RunFacts {
  // What was asked for.
  std::optional<std::string> suite;                         // the file
  std::optional<std::map<std::string, std::string>> flags;  // of `run`, by key of a suite
  std::optional<std::string> reproduce;                     // "quick" or "full"
  std::optional<std::string> cases_sha256;                  // of what `reproduce` measures
  std::optional<double> budget_seconds;                     // of the run
  std::optional<std::int64_t> repeats;                      // processes of each case
  std::optional<std::uint64_t> order_seed;
  std::optional<std::int64_t> taint_repeats;  // tries more of a process that was disturbed, at most
  std::optional<std::string> baseline;        // the backend that speed-ups refer to
  std::optional<std::string> against_backend;
  std::optional<std::string> rerun_of;  // the report
  std::optional<bool> quickstart;
  std::optional<bool> noise;
  std::optional<ThreadFacts> thread_settings;
  // What was found.
  std::optional<Json> isa_programs;  // builds for other instruction sets: what each says of itself
  std::optional<std::string> busy_at_start;  // what else ran
  std::optional<Json> identity;              // benches/run/run_identity.h
  std::optional<Json> environment_changes;   // benches/machine/environment_changes.h
  std::optional<std::string> partial;        // why the report is not whole
  std::optional<Json> findings;              // results/claims/claims.h
  std::optional<Json> answer;                // results/claims/answer.h
  std::optional<double> wall_seconds;        // of all cases

  static constexpr auto members() {
    return std::tuple{Member{"suite", &RunFacts::suite},
                      Member{"flags", &RunFacts::flags},
                      Member{"reproduce", &RunFacts::reproduce},
                      Member{"cases_sha256", &RunFacts::cases_sha256},
                      Member{"budget_seconds", &RunFacts::budget_seconds},
                      Member{"repeats", &RunFacts::repeats},
                      Member{"order_seed", &RunFacts::order_seed},
                      Member{"taint_repeats", &RunFacts::taint_repeats},
                      Member{"baseline", &RunFacts::baseline},
                      Member{"against_backend", &RunFacts::against_backend},
                      Member{"rerun_of", &RunFacts::rerun_of},
                      Member{"quickstart", &RunFacts::quickstart},
                      Member{"noise", &RunFacts::noise},
                      Member{"thread_settings", &RunFacts::thread_settings},
                      Member{"isa_programs", &RunFacts::isa_programs},
                      Member{"busy_at_start", &RunFacts::busy_at_start},
                      Member{"identity", &RunFacts::identity},
                      Member{"environment_changes", &RunFacts::environment_changes},
                      Member{"partial", &RunFacts::partial},
                      Member{"findings", &RunFacts::findings},
                      Member{"answer", &RunFacts::answer},
                      Member{"wall_seconds", &RunFacts::wall_seconds}};
  }
};

}  // namespace voxmark
