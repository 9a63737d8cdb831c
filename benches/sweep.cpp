#include "benches/sweep.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "backends/registry.h"
#include "base/error.h"
#include "base/sha256.h"
#include "benches/build_info.h"
#include "benches/child_process.h"
#include "benches/environment.h"
#include "benches/interleave.h"
#include "benches/isa.h"
#include "benches/redact.h"

namespace voxmark {
namespace {

// What `voxmark limits` says: in a process of its own, whose memory and threads are nobody else's.
Json measured_limits(const std::vector<CaseSpec>& cases) {
  std::set<int> threads;
  for (const CaseSpec& spec : cases) {
    threads.insert(spec.threads);
  }
  constexpr double kPatienceSeconds = 300;  // several seconds per number of threads
  ChildProcess child({"/proc/self/exe", "limits", "--json", "--threads",
                      fmt::format("{}", fmt::join(threads, ","))},
                     {});
  child.close_input();
  std::string line;
  if (child.read_line(line, kPatienceSeconds) != ChildProcess::Read::line) {
    child.kill();
    throw_internal("limits of the machine: {}", child.last_error_line());
  }
  return parse_json(line, "limits of the machine").at("limits");
}

void add_machine_limits(const SweepOptions& options, ReportHeader& header) {
  std::string reason = "not asked for";
  if (options.measure_limits) {
    try {
      header.limits["machine"] = measured_limits(options.cases);
      return;
    } catch (const Error& error) {
      reason = error.what();
    }
  }
  header.limits["machine"] = nullptr;
  header.limits["machine_reason"] = reason;
}

// One line that a program prints; "" when it prints none and exits, as one does that is not asked
// what it understands.
std::string first_line_of(const std::vector<std::string>& command) {
  constexpr double kPatienceSeconds = 60;
  ChildProcess child(command, {});
  child.close_input();
  std::string line;
  return child.read_line(line, kPatienceSeconds) == ChildProcess::Read::line ? line : "";
}

// What another build says of itself; an old one cannot say much.
void describe_other_build(const std::string& program, ReportHeader& header) {
  const std::string facts = first_line_of({program, "sysinfo", "--json"});
  if (!facts.empty()) {
    const Json json = parse_json(facts, program + " sysinfo");
    header.voxmark = json.at("voxmark");
    header.environment = json.at("environment");
    return;
  }
  const std::string version = first_line_of({program, "--version"});
  if (version.empty() || version.find_first_not_of("0123456789.") != std::string::npos) {
    throw_bad_input("--against {}: does not answer --version as voxmark does", program);
  }
  header.voxmark = {{"version", version},
                    {"commit", nullptr},
                    {"dirty", nullptr},
                    {"binary_sha256", sha256_file(program)},
                    {"reason", "this build has no sysinfo"}};
}

// The builds for other instruction sets (ci/isa) that cases run, by name: what they say of
// themselves. One of another version or commit would be compared with this one in silence.
Json isa_programs(const std::vector<CaseSpec>& cases, const Json& own) {
  Json programs = Json::object();
  for (const CaseSpec& spec : cases) {
    const Isa* isa = find_isa(spec.isa);
    if (isa == nullptr || is_external(spec) || programs.contains(isa->name) ||
        isa_missing(*isa, true)) {
      continue;
    }
    const std::string facts = first_line_of({isa_program(*isa), "sysinfo", "--json"});
    const Json found =
        facts.empty() ? Json::object() : parse_json(facts, isa_program(*isa)).at("voxmark");
    for (const char* key : {"version", "commit", "dirty"}) {
      if (found.value(key, Json()) != own.at(key)) {
        throw_bad_input("isa {}: {}: {} is {}, this program's is {}; ci/isa builds it anew",
                        isa->name, isa_program(*isa), key, dump_json(found.value(key, Json())),
                        dump_json(own.at(key)));
      }
    }
    programs[isa->name] = found;
  }
  return programs;
}

ReportHeader header_of(const SweepOptions& options) {
  const MemoryRoom room = options.runner.room();
  ReportHeader header;
  header.created = iso_time(std::chrono::system_clock::now());
  header.voxmark = program_facts(binary_sha256());
  header.environment = probe_environment();
  header.limits = {{"memory_bytes", room.bytes},
                   {"memory_source", room.source},
                   {"timeout_seconds", options.runner.child.patience_seconds}};
  if (options.runner.case_budget_seconds) {
    header.limits["case_budget_seconds"] = *options.runner.case_budget_seconds;
  }
  header.details = options.details;
  if (Json programs = isa_programs(options.cases, header.voxmark); !programs.empty()) {
    header.details["isa_programs"] = std::move(programs);
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

std::unique_ptr<Journal> open_journal(const SweepOptions& options, ReportHeader header) {
  const std::string path = journal_path(options.out);
  if (!options.resume) {
    return std::make_unique<Journal>(path, header);
  }
  auto journal = std::make_unique<Journal>(path);
  const Json& measured_by = journal->report().header.voxmark["binary_sha256"];
  if (measured_by != header.voxmark["binary_sha256"]) {
    throw_bad_input("--resume {}: written by another build of voxmark; measure anew", path);
  }
  return journal;
}

Report redacted_report(const Report& report) {
  const Json system = report.header.environment.value("system", Json::object());
  Json json = redacted(to_json(report), system.value("host", std::string()));
  for (Json& record : json["records"]) {  // said anew of the case as it is now
    record["reproduce"] = reproduce_command(case_from_json(record.at("case"), "case"));
  }
  return report_from_json(json, "redacted report");
}

// One program's processes, proofs, journal and report.
class Build {
 public:
  Build(const SweepOptions& options, ReportHeader header, const Json& identity,
        RunObserver& observer)
      : out_(options.out),
        redact_(options.redact),
        journal_(open_journal(options, std::move(header))),
        verifier_(options.runner.child, identity, options.cache_folder),
        runner_(with_limits(options.runner, journal_->report()), verifier_, observer) {}

  ExitCode run(const std::vector<CaseSpec>& cases) { return runner_.run(cases, *journal_); }
  const Report& report() const { return journal_->report(); }

  // The journal, closed. Kept beside the report where there is more to do.
  Report close(bool is_done) {
    Report report = journal_->report();
    report.header.details["environment_changes"] =
        environment_changes(report.header.environment, probe_environment());
    if (redact_) {
      report = redacted_report(report);
    }
    write_report(out_, report);
    if (is_done) {
      std::error_code ignored;
      std::filesystem::remove(journal_path(out_), ignored);
    }
    return report;
  }

 private:
  static RunnerOptions with_limits(RunnerOptions options, const Report& report) {
    options.machine_limits = report.header.limits.value("machine", Json());
    return options;
  }

  std::string out_;
  bool redact_;
  std::unique_ptr<Journal> journal_;
  Verifier verifier_;
  Runner runner_;
};

bool is_interrupt(ExitCode code) {
  return code == ExitCode::interrupted || code == ExitCode::terminated;
}

// The worse of two, and an interrupt before all.
ExitCode worse(ExitCode left, ExitCode right) {
  return static_cast<int>(left) > static_cast<int>(right) ? left : right;
}

// Every case by every build, which build first by the toss of a coin: neither is favoured.
ExitCode run_all(std::vector<std::unique_ptr<Build>>& builds, const std::vector<CaseSpec>& cases,
                 std::mt19937_64& random) {
  if (builds.size() == 1) {
    return builds.front()->run(cases);
  }
  ExitCode code = ExitCode::done;
  std::vector<Build*> order;
  order.reserve(builds.size());
  for (const auto& build : builds) {
    order.push_back(build.get());
  }
  for (const CaseSpec& spec : cases) {
    // Process 2k in a drawn order, 2k + 1 in the reverse: balanced.
    if (spec.process % 2 == 0) {
      shuffle(order, random);
    } else {
      std::ranges::reverse(order);
    }
    for (Build* build : order) {
      code = worse(code, build->run({spec}));
      if (is_interrupt(code)) {
        return code;
      }
    }
  }
  return code;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::string journal_path(const std::string& out) { return out + ".journal"; }

void check_before_start(const std::vector<CaseSpec>& cases, int cpus) {
  std::set<std::string> data;
  for (const CaseSpec& spec : cases) {
    if (is_external(spec)) {
      child_command({}, spec);  // one that is not installed is skipped
    } else {
      find_backend(spec.backend);
    }
    if (spec.threads > cpus) {
      throw_bad_input("threads {}: this process may run on {} CPUs", spec.threads, cpus);
    }
    const std::string batch =
        fmt::format("{} {} {} {} {} {}", spec.data, spec.seed, to_string(spec.image), spec.batch,
                    spec.network.input_channels, spec.network.classes);
    if (data.insert(batch).second) {
      check_data(spec);
    }
  }
}

std::string against_path(const std::string& out) {
  std::filesystem::path path(out);
  const std::string extension = path.extension();
  return path.replace_extension(".against" + extension);
}

SweepResult run_sweep(const SweepOptions& options, RunObserver& observer) {
  check_writable(options.out);
  ReportHeader header = header_of(options);
  if (!options.resume) {
    add_machine_limits(options, header);
  }
  std::vector<std::unique_ptr<Build>> builds;
  builds.push_back(std::make_unique<Build>(options, header, kernel_identity(), observer));
  if (!options.against.empty()) {
    SweepOptions other = options;
    other.out = against_path(options.out);
    check_writable(other.out);
    other.runner.child.command.front() = options.against;
    describe_other_build(options.against, header);
    Json identity = kernel_identity();
    identity["binary_sha256"] = header.voxmark["binary_sha256"];
    builds.push_back(std::make_unique<Build>(other, header, identity, observer));
  }

  const auto start = std::chrono::steady_clock::now();
  std::mt19937_64 random(options.order_seed);
  SweepResult result;
  std::vector<CaseSpec> due = options.cases;
  while (true) {
    result.code = run_all(builds, due, random);
    const bool in_time =
        seconds_since(start) < options.stopping.time_budget_seconds.value_or(INFINITY);
    if (is_interrupt(result.code) || !in_time) {
      break;
    }
    due = next_processes(options.stopping, options.cases, builds.front()->report().records);
    if (due.empty() && options.follow_up) {
      due = options.follow_up(builds.front()->report());
    }
    if (due.empty()) {
      break;
    }
    shuffle(due, random);
  }
  const bool is_done = !is_interrupt(result.code);
  result.report = builds.front()->close(is_done);
  if (builds.size() > 1) {
    result.against = builds.back()->close(is_done);
  }
  return result;
}

}  // namespace voxmark
