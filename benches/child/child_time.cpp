#include <malloc.h>
#include <omp.h>
#include <xmmintrin.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <vector>

#include "backends/interpreter/executable_weights.h"
#include "base/error.h"
#include "benches/child/child_modes.h"
#include "benches/child/rank_batch.h"
#include "benches/child/rank_times.h"
#include "benches/child/rehearsal.h"
#include "benches/probes/counter_passes.h"
#include "benches/probes/energy.h"
#include "benches/probes/frequency.h"
#include "benches/probes/readings.h"
#include "benches/process/process_status.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/stages_json.h"
#include "benches/threads/thread_placement.h"
#include "benches/threads/thread_team.h"
#include "results/record_facts.h"
#include "workloads/network/cost.h"
#include "workloads/network/weights.h"
#include "workloads/network/work.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRehearsedSteps = 5;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// The high-water mark of what the backend does, without what the harness does beside it.
class PeakMeter {
 public:
  std::optional<std::int64_t> earlier_bytes() const { return earlier_bytes_; }

  // Before the harness allocates for itself: keeps the mark reached so far.
  void pause() { paused_at_ = process_bytes(0, "VmHWM"); }

  // After the harness has freed it all: the mark starts again from what is resident. Where the
  // kernel does not let us, the harness's own memory stays in the peak.
  void resume() {
    malloc_trim(0);
    if (reset_peak() && paused_at_) {
      earlier_bytes_ = std::max(earlier_bytes_.value_or(0), *paused_at_);
    }
  }

 private:
  std::optional<std::int64_t> paused_at_;
  std::optional<std::int64_t> earlier_bytes_;
};

// Returns the hash of what it set.
std::string set_initial_weights(const Program& program, std::uint64_t seed,
                                Executable& executable) {
  const Weights weights = initial_weights(program, seed);
  set_weights(executable, program, weights);
  return sha256_hex(program, weights);
}

std::map<std::string, double> gradient_norms(const Program& program, const Executable& executable) {
  std::map<std::string, double> norms;
  for (std::size_t id = 0; id < program.tensors.size(); ++id) {
    const TensorInfo& tensor = program.tensors[id];
    if (tensor.role == TensorRole::parameter_gradient) {
      double sum = 0;
      for (const double value : read_tensor(executable, program, static_cast<TensorId>(id))) {
        sum += value * value;
      }
      norms[tensor.name] = std::sqrt(sum);
    }
  }
  return norms;
}

// What the arithmetic ran under: set by the backend's compile, so asked after it.
Execution execution_settings() {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  const unsigned mxcsr = _mm_getcsr();
  Execution found;
  found.mxcsr = mxcsr;
  found.flush_to_zero = (mxcsr & kFlushToZero) != 0;
  found.denormals_are_zero = (mxcsr & kDenormalsAreZero) != 0;
  found.omp_max_threads = omp_get_max_threads();
  found.omp_dynamic = omp_get_dynamic() != 0;
  found.omp_proc_bind = static_cast<int>(omp_get_proc_bind());
  found.omp_num_places = omp_get_num_places();
  found.omp_num_procs = omp_get_num_procs();
  return found;
}

// Where the time of a step goes: stages with a convolution in them (and what is fused with it), and
// all others with the update.
class KindsOfWork : public StageObserver {
 public:
  KindsOfWork(const Program& program, const Executable& executable) {
    for (const Stage& stage : executable.stages()) {
      is_convolution_.push_back(std::any_of(stage.ops.begin(), stage.ops.end(), [&](OpId id) {
        const Op& op = program.ops.at(static_cast<std::size_t>(id));
        return op_name(op).find("convolution") != std::string::npos;
      }));
    }
  }
  void stage(std::size_t index, double seconds) override {
    convolution_seconds_ += is_convolution_.at(index) ? seconds : 0.0;
  }
  double convolution_seconds() const { return convolution_seconds_; }

 private:
  std::vector<bool> is_convolution_;
  double convolution_seconds_ = 0;
};

// One more step, that is watched, and no sample.
ObservedStep observed_step(const Program& program, Executable& executable) {
  KindsOfWork kinds(program, executable);
  const Clock::time_point start = Clock::now();
  executable.run(&kinds);
  executable.update();
  const double seconds = seconds_between(start, Clock::now());
  return {kinds.convolution_seconds(), seconds - kinds.convolution_seconds()};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Seconds of every stage in every step that is watched.
class StageClock final : public StageObserver {
 public:
  explicit StageClock(std::size_t stages) : seconds_(stages) {}
  void stage(std::size_t index, double seconds) override { seconds_.at(index).push_back(seconds); }

  // Nothing for stages that run() leaves out: those of the update.
  std::vector<std::optional<double>> medians() const {
    std::vector<std::optional<double>> found;
    for (const std::vector<double>& own : seconds_) {
      found.push_back(own.empty() ? std::nullopt : std::optional(median(own)));
    }
    return found;
  }

 private:
  std::vector<std::vector<double>> seconds_;
};

std::vector<std::optional<double>> watch(Executable& executable, int steps) {
  StageClock clock(executable.stages().size());
  for (int i = 0; i < steps; ++i) {
    executable.run(&clock);
    executable.update();
  }
  return clock.medians();
}

// The part of compile_seconds that was the first touch of memory; the rest made primitives.
FirstTouch first_touch(const Executable& executable) {
  FirstTouch found{executable.touch_seconds(), {}};
  if (!found.seconds) {
    found.reason = "the backend does not tell";
  }
  return found;
}

// Of the timed steps, loading their batches included.
Energy energy_per_image(Energy energy, const CaseSpec& spec) {
  if (energy.joules) {
    energy.joules_per_image =
        *energy.joules / static_cast<double>(spec.batch * std::int64_t{spec.steps});
  }
  return energy;
}

// The process of a case, from the program to its last word.
class TimedCase {
 public:
  TimedCase(const Backend& backend, const CaseSpec& spec, const Extras& extras, RankGroup* group,
            const SendMessage& send)
      : backend_(backend), spec_(spec), extras_(extras), group_(group), send_(send) {}

  void run(const std::function<void()>& await_start) {
    prepare();
    compile();
    await_start();
    sample();
    count_and_watch();
    tell_the_rest();
  }

 private:
  void prepare() {
    check_team(spec_.threads, group_ != nullptr && cpu_sharing() == CpuSharing::always);
    program_ = training_program(spec_);
    if (group_ != nullptr) {
      RankBatch batch = batch_of_rank(spec_, *group_);
      batch_ = std::move(batch.own);
      ready_.batch_sha256 = std::move(batch.sha256);
    } else {
      batch_ = case_batch(spec_);
      ready_.batch_sha256 = sha256_hex(batch_);
    }
    malloc_trim(0);
    ready_.base_bytes = process_bytes(0, "VmRSS");
  }

  void compile() {
    const Clock::time_point start = Clock::now();
    CompileOptions options = compile_options(spec_);
    options.collectives = group_ == nullptr ? nullptr : &rehearsal_.emplace(group_->collectives());
    executable_ = backend_.compile(program_, options);
    ready_.compile_seconds = seconds_between(start, Clock::now());
    ready_.allocated_bytes = executable_->plan().total_bytes();
    peak_.pause();
    ready_.weights_sha256 = set_initial_weights(program_, spec_.seed, *executable_);
    peak_.resume();
    if (group_ != nullptr) {
      expect_equal(&group_->collectives(), "set of weights", ready_.weights_sha256);
    }
    ready_.stages = stages_to_json(program_, *executable_);
    ready_.execution = members_to_json(execution_settings());
    send_(ready_);
  }

  void sample() {
    ReadingsProbe probe(extras_.count);
    const int steps = spec_.warmup + spec_.steps;
    harness_seconds_.reserve(static_cast<std::size_t>(steps));  // nothing is allocated in a step
    EnergyMeter energy;
    for (int i = 0; i < steps; ++i) {
      if (i == spec_.warmup) {
        energy.start();
      }
      StepMessage step = timed_step(probe);
      step.warmup = i < spec_.warmup;
      if (group_ != nullptr) {
        rank_times_.take(step, *group_);
      }
      if (i == 0) {
        peak_.pause();
        step.gradient_norms = gradient_norms(program_, *executable_);
        peak_.resume();
        last_update_.reset();  // this took longer than what stands between other steps
      }
      send_(step);
    }
    probes_.energy = energy_per_image(energy.stop(), spec_);
    if (group_ != nullptr) {
      probes_.energy->joules_per_image.reset();  // the package computes for all ranks of this host
    }
    probes_.missing_readings = probe.missing();
  }

  StepMessage timed_step(ReadingsProbe& probe) {
    StepMessage step;
    const Clock::time_point start = Clock::now();
    executable_->load(batch_);
    const Clock::time_point loaded = Clock::now();
    if (group_ != nullptr) {
      group_->start_together();
    }
    frequency_.start();
    probe.start();  // last, and stopped first: it counts allocations
    const Clock::time_point step_start = Clock::now();
    step.loss = executable_->run().loss;
    const Clock::time_point ran = Clock::now();
    if (last_update_ && group_ == nullptr) {  // ranks meet there
      harness_seconds_.push_back(seconds_between(*last_update_, start) +
                                 seconds_between(loaded, step_start));
    }
    step.load_seconds = seconds_between(start, loaded);
    step.forward_backward_seconds = seconds_between(step_start, ran);
    executable_->update();
    const Clock::time_point updated = Clock::now();
    step.update_seconds = seconds_between(ran, updated);
    step.step_seconds = step.forward_backward_seconds + step.update_seconds;
    step.readings = probe.stop();
    if (const std::optional<double> hertz = frequency_.stop()) {
      step.readings["frequency_hz"] = *hertz;
    }
    last_update_ = updated;
    return step;
  }

  // In steps that are no samples.
  void count_and_watch() {
    probes_.observed_step = observed_step(program_, *executable_);
    if (group_ ==
        nullptr) {  // ranks may have other counters, and would wait for each other's steps
      probes_.counters = passes_.run(
          [this] {
            executable_->run();
            executable_->update();
          },
          static_cast<double>(flops(program_)));
    }
    stage_seconds_ = watch(*executable_, extras_.watched_steps);
    if (group_ != nullptr) {  // last: what it leaves is no training
      rehearsed_ = rehearsed(*rehearsal_, *group_, std::min(spec_.steps, kRehearsedSteps), [this] {
        executable_->run();
        executable_->update();
      });
    }
  }

  void tell_the_rest() {
    if (!harness_seconds_.empty()) {
      probes_.harness_seconds_per_step = median(harness_seconds_);
    }
    probes_.frequency = frequency_.source();
    probes_.first_touch = first_touch(*executable_);
    probes_.threads = thread_placement();
    DoneMessage done;
    done.earlier_peak_bytes = peak_.earlier_bytes();
    if (group_ != nullptr) {
      tell_of_ranks(done);
    }
    done.stage_seconds = stage_seconds_;
    done.probes = members_to_json(probes_);
    send_(done);
  }

  // The peak of a case of ranks is that of the largest of them.
  void tell_of_ranks(DoneMessage& done) {
    const std::int64_t peak =
        std::max(done.earlier_peak_bytes.value_or(0), process_bytes(0, "VmHWM").value_or(0));
    Json own = rank_facts(spec_.threads);
    own.erase("kernels");
    own["peak_bytes"] = peak;
    own["placement"] = std::move(*probes_.threads);
    own["times"] = rank_times_.of_rank();
    probes_.threads.reset();
    std::vector<Json> all = group_->json_of_all(own);
    for (const Json& of_rank : all) {
      done.earlier_peak_bytes = std::max(done.earlier_peak_bytes.value_or(0),
                                         of_rank.at("peak_bytes").get<std::int64_t>());
    }
    Json& ranks = probes_.ranks.emplace();
    ranks["library"] = group_->library();
    if (!conflict_of_cpus(all, CpuSharing::nothing).empty()) {
      ranks["oversubscribed"] = true;
    }
    ranks["each"] = std::move(all);
    ranks["slowest"] = rank_times_.slowest();
    ranks["rehearsal"] = std::move(rehearsed_);
  }

  const Backend& backend_;
  const CaseSpec& spec_;
  const Extras& extras_;
  RankGroup* group_;  // null: one rank
  const SendMessage& send_;
  // Both are made before OpenMP's threads are.
  CounterPasses passes_{counter_groups(extras_.counters)};
  FrequencyMeter frequency_{extras_.counters != "none"};
  Program program_;
  Batch batch_;
  ReadyMessage ready_;
  PeakMeter peak_;
  std::optional<Rehearsal> rehearsal_;  // of ranks; outlives the executable
  std::unique_ptr<Executable> executable_;
  std::vector<double> harness_seconds_;  // all that stands between two steps but loading
  std::optional<Clock::time_point> last_update_;
  Probes probes_;
  std::vector<std::optional<double>> stage_seconds_;
  RankTimes rank_times_;
  Json rehearsed_;
};

}  // namespace

void time_case(const Backend& backend, const CaseSpec& spec, const Extras& extras, RankGroup* group,
               const std::function<void()>& await_start, const SendMessage& send) {
  TimedCase(backend, spec, extras, group, send).run(await_start);
}

void plan_case(const Backend& backend, const CaseSpec& spec, const SendMessage& send) {
  const MemoryPlan plan = backend.plan(training_program(spec), compile_options(spec));
  Json by_purpose = Json::object();
  for (const auto& [purpose, bytes] : plan.bytes) {
    by_purpose[purpose] = bytes;
  }
  send(PlannedMessage{plan.total_bytes(), plan.exact, std::move(by_purpose)});
}

}  // namespace voxmark
