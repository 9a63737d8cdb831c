#include "benches/run/sweep.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/number_text.h"
#include "base/overwrite.h"
#include "base/own_program.h"
#include "benches/machine/build_info.h"
#include "benches/machine/doctor.h"
#include "benches/machine/environment.h"
#include "benches/machine/environment_changes.h"
#include "benches/machine/redact.h"
#include "benches/process/child_process.h"
#include "benches/process/process_cpus.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/ranks/copy_places.h"
#include "benches/run/interleave.h"
#include "benches/run/other_build.h"
#include "benches/run/rank_model.h"
#include "benches/run/rank_network.h"
#include "benches/run/run_identity.h"
#include "benches/threads/thread_places.h"

namespace voxmark {
namespace {

// What `voxmark limits` says: in a process of its own, whose memory and threads are nobody else's.
std::vector<MachineLimits> measured_limits(const SweepOptions& options) {
  std::set<int> threads;
  for (const CaseSpec& spec : options.cases) {
    threads.insert(threads_here(spec, options.runner.child.ranks, allowed_cpus()));
  }
  constexpr double kPatienceSeconds = 300;  // several seconds per number of threads
  ChildProcess child(
      {own_program(), "limits", "--json", "--threads", fmt::format("{}", fmt::join(threads, ","))},
      options.runner.child.environment);
  child.close_input();
  std::string line;
  ChildProcess::Read read = child.read_line(line, kPatienceSeconds);
  while (read == ChildProcess::Read::interrupted) {
    // Seconds, and the journal's header needs them: who resumes the run has them from there.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    read = child.read_line(line, kPatienceSeconds);
  }
  if (read != ChildProcess::Read::line) {
    child.kill();
    throw_internal("limits of the machine: {}", child.last_error_line());
  }
  Json told = parse_json(line, "limits of the machine");
  std::vector<MachineLimits> limits;
  for (Json& own : told.at("limits")) {
    limits.push_back(take_members<MachineLimits>(own));
  }
  return limits;
}

void add_machine_limits(const SweepOptions& options, ReportHeader& header, RunObserver& observer) {
  std::string reason = "not asked for";
  if (options.measure_limits) {
    try {
      header.limits.machine = measured_limits(options);
      for (const MachineLimits& limits : *header.limits.machine) {
        const std::vector<std::string> none;
        for (const std::string& disturbance : limits.interference.value_or(none)) {
          observer.warn(fmt::format("limits of the machine on {} may be too low: {}",
                                    counted(limits.threads.value_or(0), "thread"), disturbance));
        }
      }
      return;
    } catch (const Error& error) {
      reason = error.what();
    }
  }
  header.limits.machine_reason = reason;
}

void add_rank_limits(const SweepOptions& options, ReportHeader& header, RunObserver& observer) {
  if (!options.measure_limits || !options.runner.child.ranks) {
    return;
  }
  for (const RankLimits& own : rank_limits_of(*options.runner.child.ranks, options.cases)) {
    if (own.reason) {
      observer.warn("no limits of ranks: " + *own.reason);
    }
    header.other_limits["ranks"].push_back(members_to_json(own));
  }
}

// Beside each measured step of several ranks.
void add_rank_models(Report& report) {
  std::vector<RankLimits> limits;
  for (Json own : report.header.other_limits.value("ranks", Json::array())) {
    limits.push_back(take_members<RankLimits>(own));
  }
  for (Record& record : report.records) {
    const std::optional<Probes>& probes = record.facts.probes;
    if (publishes_times(record.outcome) && probes && probes->ranks) {
      record.details["rank_model"] =
          members_to_json(rank_model(case_from_json(record.spec, "case"), *probes->ranks, limits));
    }
  }
}

ReportHeader header_of(const SweepOptions& options) {
  const MemoryRoom room = options.runner.room();
  ReportHeader header;
  header.created = iso_time(std::chrono::system_clock::now());
  header.voxmark = program_facts(binary_sha256());
  header.environment = probe_environment();
  header.limits.memory_bytes = room.bytes;
  header.limits.memory_source = room.source;
  header.limits.timeout_seconds = options.runner.child.patience_seconds;
  header.limits.case_budget_seconds = options.runner.case_budget_seconds;
  header.facts = options.facts;
  if (Json programs =
          isa_programs(options.cases, options.runner.child.command.front(), header.voxmark);
      !programs.empty()) {
    header.facts.isa_programs = std::move(programs);
  }
  return header;
}

// A folder, or a path into a folder that is not there, would only be found at the end.
void check_writable(const std::string& out) {
  std::error_code failure;
  if (out.empty() || std::filesystem::is_directory(out, failure)) {
    throw_bad_input("--out {}: expected the name of a file", out.empty() ? "\"\"" : out);
  }
  if (std::filesystem::exists(out, failure) && access(out.c_str(), W_OK) != 0) {
    throw_bad_input("--out {}: cannot be written", out);
  }
}

// A finished report, to be gone on from: of this run, and without what its end said of it.
Report begun_report(const std::string& out, const ReportHeader& now) {
  Report report = read_report(out);
  RunFacts& facts = report.header.facts;
  if (!facts.identity) {
    throw_bad_input(
        "{}: does not say what was run, so nothing can go on from it; --overwrite "
        "measures anew",
        out);
  }
  check_same_run(*facts.identity, *now.facts.identity, out);
  const Json system = report.header.environment.value("system", Json::object());
  if (system.value("host", Json()) == "redacted") {
    const bool names_files = std::ranges::any_of(report.records, [](const Record& record) {
      const std::string data = record.spec.value("data", std::string());
      return (data != "synthetic" && data != "phantom") ||
             kind_of(record.spec.value("backend", std::string())) == ContenderKind::program;
    });
    if (names_files) {
      throw_bad_input("{}: is redacted, so nothing can go on from it; --overwrite measures anew",
                      out);
    }
    report.header.environment = now.environment;
  }
  facts.environment_changes.reset();
  facts.findings.reset();
  facts.answer.reset();
  facts.wall_seconds.reset();
  facts.partial.reset();
  return report;
}

// A journal that was killed before its header was whole has nothing to go on with.
bool has_journal(const std::string& out) {
  std::ifstream file(journal_path(out));
  std::string line;
  return std::getline(file, line) && !file.eof();
}

// Whether there is a run to go on with.
bool has_run(const std::string& out) { return has_journal(out) || holds_something(out); }

std::unique_ptr<Journal> open_journal(const SweepOptions& options, const ReportHeader& header) {
  const std::string path = journal_path(options.out);
  if (!options.resume) {
    return std::make_unique<Journal>(path, header);
  }
  const bool is_finished = !has_journal(options.out);
  auto journal = is_finished ? std::make_unique<Journal>(path, begun_report(options.out, header))
                             : std::make_unique<Journal>(path);
  check_same_run(journal->report().header.facts.identity.value_or(Json::object()),
                 *header.facts.identity, path);
  journal->drop([](const Record& record) { return record.outcome == Outcome::skipped; });
  return journal;
}

// Of the other build. Its journal begins and ends after the first one's.
std::unique_ptr<Journal> open_against(const SweepOptions& options, const ReportHeader& header) {
  return !options.resume || has_run(options.out)
             ? open_journal(options, header)
             : std::make_unique<Journal>(journal_path(options.out), header);
}

Report redacted_report(const Report& report, const std::string& reproduce_flags) {
  const Json system = report.header.environment.value("system", Json::object());
  Json json = redacted(to_json(report), system.value("host", std::string()));
  for (Json& record : json["records"]) {  // said anew of the case as it is now
    record["reproduce"] =
        reproduce_command(case_from_json(record.at("case"), "case")) + reproduce_flags;
  }
  return report_from_json(json, "redacted report");
}

// One contender's processes, proofs, journal and report: this build, another one, or this build
// with another backend.
class Build {
 public:
  Build(const SweepOptions& options, std::unique_ptr<Journal> journal, const Json& identity,
        RunObserver& observer)
      : out_(options.out),
        redact_(options.redact),
        backend_(options.against_backend),
        reproduce_flags_(options.runner.reproduce_flags),
        journal_(std::move(journal)),
        verifier_(options.runner.child, identity, options.cache_folder),
        runner_(with_limits(options.runner, journal_->report()), verifier_, observer) {
    if (journal_->warning()) {
      observer.warn(*journal_->warning());
    }
  }

  ExitCode run(const std::vector<CaseSpec>& cases, std::span<const CaseSpec> later) {
    return runner_.run(own(cases), *journal_, own({later.begin(), later.end()}));
  }
  const Report& report() const { return journal_->report(); }

  // Of `cases`, one more process each of those that the rule wants to know better here.
  std::vector<CaseSpec> due(const StoppingRule& rule, const std::vector<CaseSpec>& cases) const {
    const std::vector<CaseSpec> found = next_processes(rule, own(cases), report().records);
    return backend_.empty() || found.empty() ? found : with_backend(found, cases.front().backend);
  }

  // `changes` of the environment since the run began; `partial`: why there is more to do, "" where
  // there is not.
  Report write(const Json& changes, const std::string& partial) const {
    Report report = journal_->report();
    report.header.facts.environment_changes = changes;
    if (!partial.empty()) {
      report.header.facts.partial = partial;
    }
    add_rank_models(report);
    if (redact_) {
      report = redacted_report(report, reproduce_flags_);
    }
    write_report(out_, report);
    return report;
  }

  void remove_journal() const {
    std::error_code ignored;
    std::filesystem::remove(journal_path(out_), ignored);
  }

 private:
  std::vector<CaseSpec> own(std::vector<CaseSpec> cases) const {
    return backend_.empty() ? cases : with_backend(std::move(cases), backend_);
  }
  static RunnerOptions with_limits(RunnerOptions options, const Report& report) {
    options.machine_limits = report.header.limits.machine.value_or(std::vector<MachineLimits>());
    return options;
  }

  std::string out_;
  bool redact_;
  std::string backend_;  // in place of the cases' own; "": theirs
  std::string reproduce_flags_;
  std::unique_ptr<Journal> journal_;
  Verifier verifier_;
  Runner runner_;
};

// Whether nothing is lost with a report: no step of it was timed, or the journal of its run, which
// was interrupted, is there.
bool can_be_spared(const std::string& out) {
  if (!holds_something(out)) {
    return true;
  }
  try {
    const Report report = read_report(out);
    const bool is_partial = report.header.facts.partial.has_value();
    return (is_partial && std::filesystem::exists(journal_path(out))) ||
           std::ranges::all_of(report.records,
                               [](const Record& record) { return record.samples.empty(); });
  } catch (const Error&) {
    return false;  // somebody's file, whatever it is
  }
}

bool is_interrupt(ExitCode code) {
  return code == ExitCode::interrupted || code == ExitCode::terminated;
}

using Builds = std::vector<std::unique_ptr<Build>>;
using Clock = std::chrono::steady_clock;

// Every build measures every case, in the order that the case's own toss of a coin says; none is
// begun after `end`.
ExitCode run_round(const Builds& builds, const std::vector<CaseSpec>& cases, std::uint64_t seed,
                   Clock::time_point end) {
  for (std::size_t i = 0; i < cases.size() && Clock::now() < end; ++i) {
    const bool in_order = first_build_comes_first(cases[i], seed);
    for (std::size_t j = 0; j < builds.size(); ++j) {
      Build& build = *builds[in_order ? j : builds.size() - 1 - j];
      const ExitCode code = build.run({cases[i]}, std::span(cases).subspan(i + 1));
      if (is_interrupt(code)) {
        return code;
      }
    }
  }
  ExitCode code = ExitCode::done;
  for (const auto& build : builds) {
    code = worse(code, build->run({}, {}));
  }
  return code;
}

// What any of the builds wants to know better is measured by all of them.
std::vector<CaseSpec> due_processes(const SweepOptions& options, const Builds& builds) {
  std::vector<CaseSpec> due;
  std::set<std::string> keys;
  for (const auto& build : builds) {
    for (CaseSpec& spec : build->due(options.stopping, options.cases)) {
      if (keys.insert(case_key(to_json(spec))).second) {
        due.push_back(std::move(spec));
      }
    }
  }
  return due;
}

// Tells what the journals have already.
void tell_resumed(const SweepOptions& options, const Builds& builds, RunObserver& observer) {
  std::set<std::string> announced;
  for (const CaseSpec& spec : options.cases) {
    announced.insert(case_key(to_json(spec)));
  }
  std::size_t recorded = 0;
  std::size_t more = 0;
  for (const auto& build : builds) {
    for (const Record& record : build->report().records) {
      ++recorded;
      Json spec = record.spec;
      if (!options.against_backend.empty()) {
        spec["backend"] = options.cases.front().backend;
      }
      if (!announced.contains(case_key(spec))) {
        ++more;
      }
    }
  }
  if (recorded > 0) {
    observer.resumed(recorded, more);
  }
}

Clock::time_point budget_end(const StoppingRule& rule) {
  return rule.time_budget_seconds
             ? Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                  std::chrono::duration<double>(*rule.time_budget_seconds))
             : Clock::time_point::max();
}

// What `run` says of them; the report has them in full.
void warn_of_changes(const Json& changes, RunObserver& observer) {
  for (const Json& change : changes) {
    observer.warn("changed while cases ran: " + change_text(change));
  }
}

}  // namespace

std::string journal_path(const std::string& out) { return out + ".journal"; }

void check_out(const std::string& out) {
  check_writable(out);
  const std::string folder = std::filesystem::path(out).parent_path();
  if (!folder.empty() && access(folder.c_str(), W_OK) != 0) {
    throw_bad_input("--out {}: {}: {}", out, folder, describe_errno(errno));
  }
}

void check_new(const std::string& out, bool is_comparison, bool overwrite) {
  std::vector<std::string> paths = {out};
  if (is_comparison) {
    paths.push_back(against_path(out));
  }
  for (const std::string& path : paths) {
    check_overwrite("--out", path, overwrite || can_be_spared(path),
                    "; --resume goes on from it where the same programs run the same cases");
  }
}

void place_threads(const ThreadSettings& settings, SweepOptions& sweep) {
  sweep.runner.child.environment = assignments(requested_variables(settings));
  sweep.runner.child.binding = binding_here(places_named(settings));
  sweep.runner.reproduce_flags = flags(settings);
  sweep.facts.thread_settings = facts_of(settings);
}

std::vector<std::string> check_before_start(const std::vector<CaseSpec>& cases, int cpus) {
  std::set<std::string> data, warnings;
  for (const CaseSpec& spec : cases) {
    if (is_of_build(spec.backend)) {
      find_backend(spec.backend);
    } else {
      contender_of(spec, {});  // one that is not installed is skipped
    }
    check_places(spec.threads);
    if (spec.copies > 1 && spec.ranks > 1) {
      throw_bad_input("--copies {} of --ranks {}: expected one of them to be 1", spec.copies,
                      spec.ranks);
    }
    check_cpus(spec.copies, spec.threads, cpus);
    if (data.insert(inputs_key(spec)).second) {
      const std::vector<std::string> found = check_data(spec);
      warnings.insert(found.begin(), found.end());
    }
  }
  return {warnings.begin(), warnings.end()};
}

std::string against_path(const std::string& out) {
  std::filesystem::path path(out);
  const std::string extension = path.extension();
  return path.replace_extension(".against" + extension);
}

namespace {

// `header`: of this program's report. `identity`: of its kernels.
std::unique_ptr<Build> other_contender(const SweepOptions& options, ReportHeader header,
                                       Json identity, RunObserver& observer) {
  SweepOptions other = options;
  other.out = against_path(options.out);
  check_writable(other.out);
  if (!options.against_backend.empty()) {
    if (const std::string warning = same_contenders_warning(
            options.runner.child, options.cases.front(), options.against_backend);
        !warning.empty()) {
      observer.warn(warning);
    }
    other.cases = with_backend(options.cases, options.against_backend);
    if (header.facts.baseline) {
      header.facts.baseline = options.against_backend;
    }
  } else {
    other.runner.child.command = other_child_command(options.against, options.runner.child.command);
    const ReportHeader ours = header;
    describe_other_build(options.against, header);
    if (const std::string warning = same_build_warning(options.against, ours, header);
        !warning.empty()) {
      observer.warn(warning);
    }
    // A script may start the same binary with other libraries, under other variables.
    identity["binary_sha256"] = header.voxmark["binary_sha256"];
    identity["libraries"] = header.environment.value("libraries", Json());
    identity["variables"] = header.environment.value("variables", Json());
  }
  header.facts.identity = run_identity(identity, other.runner.child, other.cases);
  return std::make_unique<Build>(other, open_against(other, header), identity, observer);
}

}  // namespace

SweepResult run_sweep(const SweepOptions& options, RunObserver& observer) {
  check_out(options.out);
  if (options.resume && !has_run(options.out)) {
    observer.warn(fmt::format("{}: nothing to resume, so the run begins", options.out));
    SweepOptions from_the_start = options;
    from_the_start.resume = false;
    return run_sweep(from_the_start, observer);
  }
  Json identity = kernel_identity();
  ReportHeader header = header_of(options);
  if (const auto busy = busy_machine()) {
    observer.warn(busy_warning(*busy));
    header.facts.busy_at_start = *busy;
  }
  header.facts.identity = run_identity(identity, options.runner.child, options.cases);
  const bool is_comparison = !options.against.empty() || !options.against_backend.empty();
  (*header.facts.identity)["--against or --against-backend"] = is_comparison;
  if (!options.resume) {
    add_machine_limits(options, header, observer);
    add_rank_limits(options, header, observer);
  }
  Builds builds;
  SweepOptions own = options;
  own.against_backend.clear();
  builds.push_back(std::make_unique<Build>(own, open_journal(options, header), identity, observer));
  const Report& first = builds.front()->report();
  if (is_comparison) {
    builds.push_back(other_contender(options, std::move(header), std::move(identity), observer));
  }

  tell_resumed(options, builds, observer);
  const Clock::time_point end = budget_end(options.stopping);
  std::mt19937_64 random(options.order_seed);
  SweepResult result;
  result.code = run_round(builds, options.cases, options.order_seed, Clock::time_point::max());
  while (!is_interrupt(result.code) && Clock::now() < end) {
    std::vector<CaseSpec> due = due_processes(options, builds);
    if (due.empty() && options.follow_up) {
      due = options.follow_up(first);
    }
    if (due.empty()) {
      break;
    }
    shuffle(due, random);
    observer.added(due.size() * builds.size());
    result.code = run_round(builds, due, options.order_seed, end);
  }
  observer.ended();

  // Of this machine by this program: the other build's words for a fact may be others.
  const Json changes = environment_changes(first.header.environment, probe_environment());
  warn_of_changes(changes, observer);
  const std::string partial = is_interrupt(result.code) ? "the run was interrupted" : "";
  result.report = builds.front()->write(changes, partial);
  if (builds.size() > 1) {
    result.against = builds.back()->write(changes, partial);
  }
  // The first one's first: once it is gone the run is over, whatever becomes of the other's.
  for (const auto& build : builds) {
    if (partial.empty()) {
      build->remove_journal();
    }
  }
  return result;
}

}  // namespace voxmark
