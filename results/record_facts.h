// What a run says of a process beside its samples: the members of a record's "details" that voxmark
// itself knows. results/report.schema.json describes each; units are in the names. A member that is
// nothing was not had, or the report is older than it.
#pragma once

#include "results/members.h"

namespace voxmark {

// The least time of a step by the machine's measured limits (benches/run/roofline.h).
struct Roofline {
  std::optional<double> seconds;
  std::optional<double> flops_per_second;  // the limits that it was reckoned with
  std::optional<double> bytes_per_second;
  std::optional<std::string> reason;  // why there is none

  static constexpr auto members() {
    return std::tuple{Member{"seconds", &Roofline::seconds, kNullWithReason},
                      Member{"flops_per_second", &Roofline::flops_per_second},
                      Member{"bytes_per_second", &Roofline::bytes_per_second},
                      Member{"reason", &Roofline::reason}};
  }
};

// Whether warm-up was over when the timed steps began (benches/run/warm_up.h).
struct WarmUp {
  std::optional<bool> over;
  std::optional<std::int64_t> steps;   // of warm-up
  std::optional<std::int64_t> needed;  // steps until the first that was as fast as the later ones
  std::optional<std::string> reason;   // why it cannot be told

  static constexpr auto members() {
    return std::tuple{Member{"over", &WarmUp::over, kNullWithReason},
                      Member{"steps", &WarmUp::steps}, Member{"needed", &WarmUp::needed},
                      Member{"reason", &WarmUp::reason}};
  }
};

// What disturbed a process while it was timed (benches/probes/interference.h).
struct Disturbance {
  std::optional<bool> tainted;  // too much for its times to count
  std::optional<std::int64_t> tainted_steps;
  std::optional<double> lost_fraction;  // of its time, by all that is seen
  std::optional<std::vector<std::string>> reasons;
  std::optional<double> canary_seconds;  // of a fixed piece of work, the slower of two

  static constexpr auto members() {
    return std::tuple{Member{"tainted", &Disturbance::tainted},
                      Member{"tainted_steps", &Disturbance::tainted_steps},
                      Member{"lost_fraction", &Disturbance::lost_fraction},
                      Member{"reasons", &Disturbance::reasons},
                      Member{"canary_seconds", &Disturbance::canary_seconds}};
  }
};

// A try of the same process that another one was preferred to.
struct DiscardedTry : Disturbance {
  std::optional<std::vector<double>> step_seconds;  // of the timed steps

  static constexpr auto members() {
    return std::tuple_cat(Disturbance::members(),
                          std::tuple{Member{"step_seconds", &DiscardedTry::step_seconds}});
  }
};

struct Interference : Disturbance {
  std::optional<std::vector<DiscardedTry>> discarded;
  std::optional<std::string> not_repeated;  // why a disturbed process was not run again

  static constexpr auto members() {
    return std::tuple_cat(Disturbance::members(),
                          std::tuple{Member{"discarded", &Interference::discarded},
                                     Member{"not_repeated", &Interference::not_repeated}});
  }
};

// A process that took more than it was allowed to plan with.
struct BeyondMemoryLimit {
  std::optional<std::int64_t> taken_bytes;
  std::optional<std::int64_t> limit_bytes;

  static constexpr auto members() {
    return std::tuple{Member{"taken_bytes", &BeyondMemoryLimit::taken_bytes},
                      Member{"limit_bytes", &BeyondMemoryLimit::limit_bytes}};
  }
};

// More threads than the CPUs that a control group grants: all of them stop at times.
struct BeyondCpuQuota {
  std::optional<std::int64_t> threads;
  std::optional<double> cpus;

  static constexpr auto members() {
    return std::tuple{Member{"threads", &BeyondCpuQuota::threads},
                      Member{"cpus", &BeyondCpuQuota::cpus}};
  }
};

// One of several processes that did the case at once.
struct CopyFacts {
  std::optional<std::string> cpus;     // that it was held on: "0-3"
  std::optional<std::int64_t> steps;   // timed, that ran while all others ran steps
  std::optional<double> step_seconds;  // the median of them
  std::optional<std::int64_t> peak_bytes;
  std::optional<double> compile_seconds;
  std::optional<Json> threads;  // benches/threads/thread_placement.h

  static constexpr auto members() {
    return std::tuple{Member{"cpus", &CopyFacts::cpus},
                      Member{"steps", &CopyFacts::steps},
                      Member{"step_seconds", &CopyFacts::step_seconds},
                      Member{"peak_bytes", &CopyFacts::peak_bytes},
                      Member{"compile_seconds", &CopyFacts::compile_seconds},
                      Member{"threads", &CopyFacts::threads}};
  }
};

struct Copies {
  std::optional<std::vector<CopyFacts>> each;
  // Why no step of a copy ran while all others ran theirs: then all timed steps count.
  std::optional<std::string> apart;

  static constexpr auto members() {
    return std::tuple{Member{"each", &Copies::each}, Member{"apart", &Copies::apart}};
  }
};

// What the arithmetic ran under, asked when the backend had compiled. Programs of others may say
// more.
struct Execution {
  std::optional<std::int64_t> mxcsr;  // the register of SSE's control bits
  std::optional<bool> flush_to_zero;
  std::optional<bool> denormals_are_zero;
  std::optional<std::int64_t> omp_max_threads;
  std::optional<bool> omp_dynamic;
  std::optional<std::int64_t> omp_proc_bind;  // OpenMP's number: 0 false, 1 true, 2 master, ...
  std::optional<std::int64_t> omp_num_places;
  std::optional<std::int64_t> omp_num_procs;

  static constexpr auto members() {
    return std::tuple{Member{"mxcsr", &Execution::mxcsr},
                      Member{"flush_to_zero", &Execution::flush_to_zero},
                      Member{"denormals_are_zero", &Execution::denormals_are_zero},
                      Member{"omp_max_threads", &Execution::omp_max_threads},
                      Member{"omp_dynamic", &Execution::omp_dynamic},
                      Member{"omp_proc_bind", &Execution::omp_proc_bind},
                      Member{"omp_num_places", &Execution::omp_num_places},
                      Member{"omp_num_procs", &Execution::omp_num_procs}};
  }
};

// A program of somebody else's: what was started, and the contents of every file that it names.
struct ProgramFile {
  std::optional<std::string> path;
  std::optional<std::string> sha256;

  static constexpr auto members() {
    return std::tuple{Member{"path", &ProgramFile::path}, Member{"sha256", &ProgramFile::sha256}};
  }
  bool operator==(const ProgramFile&) const = default;
};

struct OutsideProgramFacts {
  std::optional<std::string> command;
  std::optional<std::vector<ProgramFile>> files;

  static constexpr auto members() {
    return std::tuple{Member{"command", &OutsideProgramFacts::command},
                      Member{"files", &OutsideProgramFacts::files}};
  }
};

// ---- What the child measured beside the steps ----

struct Energy {
  std::optional<double> joules;  // of the timed steps, loading included
  std::optional<double> joules_per_image;
  std::optional<std::map<std::string, double>> domains;  // joules of each, by RAPL's name
  std::optional<std::string> reason;

  static constexpr auto members() {
    return std::tuple{Member{"joules", &Energy::joules, kNullWithReason},
                      Member{"reason", &Energy::reason}, Member{"domains", &Energy::domains},
                      Member{"joules_per_image", &Energy::joules_per_image}};
  }
};

// Where the time of one more step goes, that is watched and no sample.
struct ObservedStep {
  std::optional<double> convolution_seconds;
  std::optional<double> other_seconds;

  static constexpr auto members() {
    return std::tuple{Member{"convolution_seconds", &ObservedStep::convolution_seconds},
                      Member{"other_seconds", &ObservedStep::other_seconds}};
  }
};

// Where readings of frequency_hz come from.
struct FrequencySource {
  std::optional<std::string> source;
  std::optional<std::string> reason;

  static constexpr auto members() {
    return std::tuple{Member{"source", &FrequencySource::source, kNullWithReason},
                      Member{"reason", &FrequencySource::reason}};
  }
};

// The part of compile_seconds in which memory was touched for the first time.
struct FirstTouch {
  std::optional<double> seconds;
  std::optional<std::string> reason;

  static constexpr auto members() {
    return std::tuple{Member{"seconds", &FirstTouch::seconds, kNullWithReason},
                      Member{"reason", &FirstTouch::reason}};
  }
};

struct Probes {
  std::optional<Energy> energy;
  std::optional<ObservedStep> observed_step;
  std::optional<Json> counters;                    // benches/probes/counter_passes.h
  std::optional<double> harness_seconds_per_step;  // between two steps, without loading
  std::optional<FrequencySource> frequency;
  std::optional<FirstTouch> first_touch;
  std::optional<Json> threads;  // benches/threads/thread_placement.h
  std::optional<Json> ranks;    // `library` of MPI; `each`: benches/child/rank_times.h
  std::optional<std::map<std::string, std::string>> missing_readings;  // name to reason

  static constexpr auto members() {
    return std::tuple{Member{"energy", &Probes::energy},
                      Member{"observed_step", &Probes::observed_step},
                      Member{"counters", &Probes::counters},
                      Member{"harness_seconds_per_step", &Probes::harness_seconds_per_step},
                      Member{"frequency", &Probes::frequency},
                      Member{"first_touch", &Probes::first_touch},
                      Member{"threads", &Probes::threads},
                      Member{"ranks", &Probes::ranks},
                      Member{"missing_readings", &Probes::missing_readings}};
  }
};

// ---- All of it ----

struct RecordFacts {
  std::optional<OutsideProgramFacts> program;
  std::optional<BeyondCpuQuota> beyond_cpu_quota;
  std::optional<bool> plan_exact;                    // false: planned_bytes is an estimate
  std::optional<std::int64_t> predicted_peak_bytes;  // by what it took at other sizes
  std::optional<Probes> probes;
  std::optional<BeyondMemoryLimit> beyond_memory_limit;
  std::optional<Execution> execution;
  std::optional<Copies> copies;                           // of a case of several
  std::optional<std::vector<std::string>> openmp_places;  // asked for; probes tell what came of it
  std::optional<Interference> interference;
  std::optional<WarmUp> warmup;
  std::optional<Roofline> roofline;
  std::optional<bool> beyond_budget;   // skipped for lack of time
  std::optional<bool> bad_input;       // the case failed by what the user gave it
  std::optional<bool> cannot_here;     // by what the machine refused it
  std::optional<double> wall_seconds;  // of the case, its verification included

  static constexpr auto members() {
    return std::tuple{Member{"program", &RecordFacts::program},
                      Member{"beyond_cpu_quota", &RecordFacts::beyond_cpu_quota},
                      Member{"plan_exact", &RecordFacts::plan_exact},
                      Member{"predicted_peak_bytes", &RecordFacts::predicted_peak_bytes},
                      Member{"probes", &RecordFacts::probes},
                      Member{"beyond_memory_limit", &RecordFacts::beyond_memory_limit},
                      Member{"execution", &RecordFacts::execution},
                      Member{"copies", &RecordFacts::copies},
                      Member{"openmp_places", &RecordFacts::openmp_places},
                      Member{"interference", &RecordFacts::interference},
                      Member{"warmup", &RecordFacts::warmup},
                      Member{"roofline", &RecordFacts::roofline},
                      Member{"beyond_budget", &RecordFacts::beyond_budget},
                      Member{"bad_input", &RecordFacts::bad_input},
                      Member{"cannot_here", &RecordFacts::cannot_here},
                      Member{"wall_seconds", &RecordFacts::wall_seconds}};
  }
};

// ---- Of a verification ----

// The timed step itself, against another verified backend's at the same shape.
struct TimedShapeCheck {
  std::optional<std::string> against;  // its backend
  std::optional<std::string> tensor;   // the worst
  std::optional<Json> error;           // of it: a number, or "NaN", "Infinity" (number_to_json)
  std::optional<double> tolerance;
  std::optional<std::string> reason;  // why there was none

  static constexpr auto members() {
    return std::tuple{Member{"against", &TimedShapeCheck::against, kNullWithReason},
                      Member{"tensor", &TimedShapeCheck::tensor},
                      Member{"error", &TimedShapeCheck::error},
                      Member{"tolerance", &TimedShapeCheck::tolerance},
                      Member{"reason", &TimedShapeCheck::reason}};
  }
};

struct VerificationFacts {
  std::optional<std::int64_t> batch;                      // images in it
  std::optional<std::int64_t> checks;                     // numbers of tensors compared
  std::optional<bool> cached;                             // proven by an earlier run
  std::optional<std::vector<std::string>> other_kernels;  // "op: verified -> timed"
  std::optional<TimedShapeCheck> timed_shape;

  static constexpr auto members() {
    return std::tuple{Member{"batch", &VerificationFacts::batch},
                      Member{"checks", &VerificationFacts::checks},
                      Member{"cached", &VerificationFacts::cached},
                      Member{"other_kernels", &VerificationFacts::other_kernels},
                      Member{"timed_shape", &VerificationFacts::timed_shape}};
  }
};

}  // namespace voxmark
