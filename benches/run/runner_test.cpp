// Every outcome through the same runner: real children, and one that breaks in each way.
#include "benches/run/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "backends/plan/memory_trade.h"
#include "backends/registry/registry.h"
#include "base/json.h"
#include "base/number_text.h"
#include "base/testing/temporary_folder.h"
#include "benches/exchange/report_check.h"
#include "benches/probes/readings.h"
#include "benches/process/cgroup.h"
#include "benches/protocol/case_work.h"
#include "benches/run/sweep.h"
#include "benches/testing/cpu_hog.h"
#include "results/tables/case_table.h"

namespace voxmark {
namespace {

// Forgets everything; the tests read the report.
class Silent : public RunObserver {
 public:
  void verifying(const CaseSpec& /*spec*/) override { ++verifications; }
  void timing(const CaseSpec& /*spec*/, std::optional<double> /*predicted*/) override {}
  void step(const CaseSpec& /*spec*/, const StepMessage& /*step*/) override {}
  void finished(const CaseSpec& /*spec*/, const Record& /*record*/,
                std::optional<double> /*seconds_left*/) override {}
  void warn(const std::string& text) override { warnings.push_back(text); }
  void resumed(std::size_t processes, std::size_t /*more*/) override {
    resumed_processes = processes;
  }
  std::vector<std::string> warnings;
  int verifications = 0;
  std::size_t resumed_processes = 0;
};

// As the report has them.
Json details_of(const Record& record) { return to_json(record).at("details"); }

class RunnerTest : public testing::Test {
 protected:
  static CaseSpec small_case(const std::string& backend) {
    CaseSpec spec;
    spec.backend = backend;
    spec.image = {32, 32, 32};
    spec.network.filters = 2;
    spec.steps = 2;
    spec.warmup = 1;
    return spec;
  }

  static CaseSpec faulty(const std::string& fault) {
    return small_case("exec:" FAULTY_CHILD " " + fault);
  }

  SweepResult run(std::vector<CaseSpec> cases) {
    SweepOptions options;
    options.cases = std::move(cases);
    options.out = folder_.path() + "/report.json";
    options.cache_folder = folder_.path() + "/cache";
    options.runner.child.command = {VOXMARK_PROGRAM, "child"};
    options.runner.child.environment = environment_;
    options.runner.child.binding = binding_;
    options.runner.child.patience_seconds = patience_seconds_;
    options.runner.case_budget_seconds = case_budget_seconds_;
    options.runner.taint_repeats = taint_repeats_;
    options.runner.cpu_quota = cpu_quota_;
    options.runner.no_ranks = no_ranks_;
    options.runner.child.ranks = ranks_;
    if (room_) {
      options.runner.room = room_;
    }
    return run_sweep(options, observer_);
  }

  Record run_one(const CaseSpec& spec) {
    const SweepResult result = run({spec});
    EXPECT_EQ(result.report.records.size(), 1U);
    code_ = result.code;
    return result.report.records.front();
  }

  TemporaryFolder folder_;
  Silent observer_;
  std::vector<std::string> environment_;
  std::optional<ThreadBinding> binding_;
  double patience_seconds_ = 120;
  std::function<MemoryRoom()> room_;            // the machine's own where empty
  std::string no_ranks_ = "built without MPI";  // why none can be started; "": they can
  std::optional<RankSettings> ranks_;
  std::optional<double> case_budget_seconds_;
  std::optional<double> cpu_quota_;
  int taint_repeats_ = 0;
  ExitCode code_ = ExitCode::done;
};

TEST_F(RunnerTest, MarksMoreThreadsThanTheCpuQuotaHas) {
  cpu_quota_ = 0.5;
  const SweepResult result = run({small_case("null")});
  EXPECT_EQ(details_of(result.report.records.at(0)).at("beyond_cpu_quota"),
            Json({{"threads", 1}, {"cpus", 0.5}}));
  cpu_quota_ = 1;
  EXPECT_FALSE(run({small_case("null")}).report.records.at(0).facts.beyond_cpu_quota);
}

// Of two disturbed tries the one that waited less, though more of its steps did.
TEST_F(RunnerTest, TheLeastDisturbedTryCountsAndConstantLoadStopsTheTries) {
  environment_ = {"VOXMARK_TEST_TRIES=" + folder_.path() + "/tries"};
  taint_repeats_ = 1;
  std::vector<CaseSpec> cases;
  for (int process = 0; process < 4; ++process) {
    cases.push_back(faulty("waits-longer-each-time"));
    cases.back().process = process;
  }
  const std::vector<Record> records = run(cases).report.records;
  ASSERT_EQ(records.size(), 4U);
  const Json first = details_of(records[0]).at("interference");
  EXPECT_EQ(first.at("tainted"), true);
  EXPECT_EQ(first.at("tainted_steps"), 2) << "the first try, of which less was taken away";
  ASSERT_EQ(first.at("discarded").size(), 1U);
  EXPECT_GT(first.at("discarded").at(0).at("lost_fraction").get<double>(),
            first.at("lost_fraction").get<double>());
  EXPECT_TRUE(details_of(records[1]).at("interference").contains("discarded"));
  for (const std::size_t later : {2U, 3U}) {
    const Json interference = details_of(records[later]).at("interference");
    EXPECT_FALSE(interference.contains("discarded")) << later;
    EXPECT_TRUE(interference.contains("not_repeated")) << later;
  }
}

TEST_F(RunnerTest, MeasuresAVerifiedCase) {
  const Record record = run_one(small_case("naive"));
  EXPECT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
  EXPECT_EQ(code_, ExitCode::done);
  ASSERT_TRUE(record.verification);
  EXPECT_TRUE(record.verification->verified);
  EXPECT_EQ(record.verification->image, (std::vector<std::int64_t>{32, 32, 32}));
  ASSERT_EQ(record.samples.size(), 3U);
  EXPECT_TRUE(record.samples[0].warmup);
  EXPECT_GT(record.samples[1].times->step_seconds, 0);
  const Json& readings = record.samples[1].readings;
  EXPECT_GT(readings.at("user_seconds").get<double>() + readings.at("system_seconds").get<double>(),
            0);
  for (const char* name : kCountReadings) {  // counted, or told why not
    EXPECT_NE(record.samples[1].readings.contains(name),
              details_of(record).at("probes").at("missing_readings").contains(name))
        << name;
  }
  EXPECT_EQ(record.samples[1].readings.value("thread_starts", 0), 0);
  EXPECT_LT(record.samples[2].loss, record.samples[0].loss) << "training does not train";
  EXPECT_TRUE(details_of(record).at("warmup").at("over").is_null()) << "two steps tell nothing";
  EXPECT_EQ(details_of(record).at("warmup").at("steps"), 1);
  const Json probes = details_of(record).at("probes");
  const double touch = probes.at("first_touch").at("seconds").get<double>();
  EXPECT_GT(touch, 0);
  EXPECT_LT(touch, *record.compile_seconds);
  if (readings.contains("frequency_hz")) {  // a step may be too short for it
    EXPECT_TRUE(probes.at("frequency").at("source").is_string());
  }
  EXPECT_EQ(details_of(record).at("execution").at("flush_to_zero"), true);
  EXPECT_EQ(details_of(record).at("execution").at("denormals_are_zero"), true);
  ASSERT_FALSE(record.stages.empty());
  double stages = 0;
  for (const StageRecord& stage : record.stages) {
    EXPECT_EQ(stage.seconds.has_value(), stage.direction != "update") << stage.ops.front();
    EXPECT_FALSE(stage.kind.empty());
    stages += stage.seconds.value_or(0);
  }
  EXPECT_GT(stages, 0);
  EXPECT_TRUE(inconsistencies(read_report(folder_.path() + "/report.json")).empty());
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/report.json.journal"));
}

// The band: all that is allocated is touched, and beside it there are a few MiB of libraries' and
// threads' state (measured: 1 to 6 MiB), none of them the harness's weights or norms.
TEST_F(RunnerTest, ThePeakIsWhatIsAllocatedInEveryBackend) {
  std::vector<CaseSpec> cases;
  for (const RegisteredBackend& registered : registered_backends()) {
    CaseSpec spec = small_case(registered.name);
    spec.network.filters = 8;
    cases.push_back(spec);
  }
  for (const Record& record : run(cases).report.records) {
    if (record.outcome == Outcome::overhead || record.outcome == Outcome::skipped) {
      continue;  // null allocates nothing, others may not be built
    }
    ASSERT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
    const MemoryRecord& memory = record.memory;
    const std::string backend = record.spec.at("backend");
    EXPECT_EQ(memory.planned_bytes, memory.allocated_bytes) << backend;
    EXPECT_GE(*memory.peak_bytes, *memory.base_bytes + *memory.allocated_bytes * 9 / 10) << backend;
    EXPECT_LE(*memory.peak_bytes, *memory.base_bytes + *memory.allocated_bytes + (32 << 20))
        << backend;
  }
}

TEST_F(RunnerTest, ComparesBackendsAtTheTimedShapeAndRemembersProofs) {
  const SweepResult first = run({small_case("naive"), small_case("example")});
  ASSERT_EQ(first.report.records.size(), 2U);
  const Json check =
      to_json(first.report.records[1]).at("verification").at("details").at("timed_shape");
  EXPECT_EQ(check.at("against"), "naive");
  EXPECT_EQ(first.report.records[0].input_sha256, first.report.records[1].input_sha256);
  EXPECT_EQ(first.report.records[0].weights_sha256, first.report.records[1].weights_sha256);
  EXPECT_EQ(observer_.verifications, 2);
  run({small_case("naive"), small_case("example")});
  EXPECT_EQ(observer_.verifications, 2) << "proofs are cached between runs";
}

TEST_F(RunnerTest, NullIsOverheadAndNoResult) {
  const Record record = run_one(small_case("null"));
  EXPECT_EQ(record.outcome, Outcome::overhead);
  EXPECT_FALSE(record.verification);
  EXPECT_TRUE(record.samples.at(1).times);
  EXPECT_EQ(record.samples.at(1).readings.value("heap_allocations", 0), 0) << "what is counted";
}

TEST_F(RunnerTest, ThreadsAreHeldWhereTheBindingSays) {
  binding_ = binding_here("cores");
  if (!binding_ || binding_->topology.cores.size() < 2) {
    GTEST_SKIP() << "needs two cores";
  }
  CaseSpec spec = small_case("naive");
  spec.threads = 2;
  const Record record = run_one(spec);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
  EXPECT_EQ(details_of(record).at("execution").at("omp_num_places"), 2);
  const Json threads = details_of(record).at("probes").at("threads");
  ASSERT_EQ(threads.size(), 2U) << threads;
  for (std::size_t i = 0; i < 2; ++i) {
    const Cpus& core = binding_->topology.cores[i];
    EXPECT_EQ(std::ranges::count(core, threads.at(i).at("cpu").get<int>()), 1) << threads;
  }
}

TEST_F(RunnerTest, ATeamThatIsHeldOnOneCpuIsNotTimed) {
  if (std::thread::hardware_concurrency() < 2) {
    GTEST_SKIP() << "one CPU";
  }
  environment_ = {fmt::format("OMP_PLACES={{{}}}", first_cpu()), "OMP_PROC_BIND=close"};
  CaseSpec spec = small_case("null");
  spec.threads = 2;
  const Record record = run_one(spec);
  EXPECT_EQ(record.outcome, Outcome::failed);
  EXPECT_NE(record.reason->find("held on 1 CPU"), std::string::npos) << *record.reason;
  EXPECT_EQ(code_, ExitCode::bad_input);
}

TEST_F(RunnerTest, SkipsWhatABackendDoesNotSupport) {
  CaseSpec spec = small_case("naive");
  spec.precision = Precision::bf16;
  const Record record = run_one(spec);
  EXPECT_EQ(record.outcome, Outcome::skipped);
  EXPECT_NE(record.reason->find("bf16"), std::string::npos) << *record.reason;
  EXPECT_EQ(code_, ExitCode::cannot_here);
  EXPECT_EQ(*run_one(faulty("cannot")).reason, "it is Monday");
}

TEST_F(RunnerTest, SkipsWhatIsPredictedToTakeLongerThanItsBudget) {
  case_budget_seconds_ = 10;
  const Record record = run_one(faulty("slow"));
  EXPECT_EQ(record.outcome, Outcome::skipped);
  EXPECT_EQ(*record.reason, "would take about 3000 s, the budget of a case is 10 s");
}

TEST_F(RunnerTest, DoesNotStartWhatDoesNotFit) {
  room_ = [] { return MemoryRoom{std::int64_t{4} << 30, "test"}; };
  EXPECT_EQ(run_one(faulty("huge")).outcome, Outcome::infeasible);
  CaseSpec spec = small_case("naive");
  spec.memory_limit_bytes = 1000;
  const Record limited = run_one(spec);
  EXPECT_EQ(limited.outcome, Outcome::infeasible);
  EXPECT_TRUE(limited.samples.empty());
  EXPECT_GT(*limited.memory.planned_bytes, 1000U);
  // A terabyte is planned and refused; the sweep goes on.
  CaseSpec paper = small_case("naive");
  paper.image = {240, 240, 144};
  paper.batch = 64;
  paper.network.filters = 16;
  const SweepResult result = run({paper, small_case("null")});
  EXPECT_EQ(result.report.records[0].outcome, Outcome::infeasible);
  EXPECT_EQ(result.report.records[0].reason->find("--memory-limit"), std::string::npos)
      << "naive has nothing to trade";
  EXPECT_EQ(result.report.records[1].outcome, Outcome::overhead);
}

// Hosts as this one: each has its own memory and CPUs.
TEST_F(RunnerTest, AHostHoldsItsOwnRanksAlone) {
  CaseSpec spec = small_case("naive");
  spec.ranks = 20;
  no_ranks_ = "";
  ranks_ = RankSettings{};
  ranks_->hosts.assign(10, Host{"", 2});
  cpu_quota_ = 1;
  room_ = [] { return MemoryRoom{1 << 20, "test"}; };
  const Record record = run_one(spec);
  ASSERT_EQ(record.outcome, Outcome::infeasible) << *record.reason;
  EXPECT_EQ(record.reason->find("2 ranks of a host need "), 0U) << *record.reason;
  EXPECT_EQ(details_of(record).at("beyond_cpu_quota"), Json({{"threads", 2}, {"cpus", 1.0}}));
}

TEST_F(RunnerTest, SaysUnderWhichLimitACaseFits) {
  CaseSpec spec = small_case("onednn");
  const RegisteredBackend& entry = find_backend(spec.backend);
  if (entry.backend == nullptr) {
    GTEST_SKIP() << "needs " << entry.missing;
  }
  spec.image = {64, 64, 64};
  spec.network.filters = 16;
  const Program program = training_program(spec);
  const std::int64_t least =
      memory_trade_off(*entry.backend, program, compile_options(spec)).back().total_bytes();
  const std::int64_t usual = entry.backend->plan(program, compile_options(spec)).total_bytes();
  const std::int64_t between = (least + usual) / 2 + harness_bytes(spec);
  room_ = [between] { return MemoryRoom{between, "test"}; };
  const Record record = run_one(spec);
  ASSERT_EQ(record.outcome, Outcome::infeasible);
  const std::string hint = "; it fits with --memory-limit ";
  ASSERT_NE(record.reason->find(hint), std::string::npos) << *record.reason;
  spec.memory_limit_bytes =
      parse_bytes(record.reason->substr(record.reason->find(hint) + hint.size()), "limit");
  EXPECT_LE(*spec.memory_limit_bytes, between);
  EXPECT_EQ(run_one(spec).outcome, Outcome::ok);
}

TEST_F(RunnerTest, SkipsRanksThatNobodyCanStart) {
  CaseSpec spec = small_case("naive");
  spec.ranks = 2;
  const Record own = run_one(spec);
  EXPECT_EQ(own.outcome, Outcome::skipped);
  EXPECT_EQ(own.reason, "built without MPI");
  EXPECT_FALSE(own.memory.planned_bytes) << "no child was started";
  spec = faulty("none");
  spec.ranks = 2;
  const Record outside = run_one(spec);
  EXPECT_EQ(outside.outcome, Outcome::skipped);
  EXPECT_EQ(outside.reason, spec.backend + " computes on one rank only");
  EXPECT_FALSE(outside.memory.planned_bytes);
  EXPECT_EQ(observer_.verifications, 0);
}

TEST_F(RunnerTest, CountsTheMemoryAndTheThreadsOfAllRanks) {
  no_ranks_ = "";
  CaseSpec spec = small_case("naive");
  spec.ranks = 3;
  const Backend& naive = *find_backend("naive").backend;
  const std::int64_t of_rank =
      naive.plan(training_program(spec), compile_options(spec)).total_bytes() + harness_bytes(spec);
  room_ = [of_rank] { return MemoryRoom{3 * of_rank - 1, "test"}; };
  cpu_quota_ = 2.5;
  const Record record = run_one(spec);
  EXPECT_EQ(record.outcome, Outcome::infeasible);
  EXPECT_EQ(record.reason,
            fmt::format("3 ranks need {} ({} each), there are {} (test)", bytes_text(3 * of_rank),
                        bytes_text(of_rank), bytes_text(3 * of_rank - 1)));
  EXPECT_EQ(details_of(record).at("beyond_cpu_quota"), Json({{"threads", 3}, {"cpus", 2.5}}));
  EXPECT_EQ(*record.memory.planned_bytes,
            static_cast<std::uint64_t>(of_rank - harness_bytes(spec)));
  EXPECT_TRUE(record.memory.plan_by_purpose.contains("exchange"));
  EXPECT_EQ(record.flops_per_step, flops_of_all_ranks(spec, training_program(spec)));
  // A limit is each rank's.
  room_ = [of_rank] { return MemoryRoom{4 * of_rank, "test"}; };
  spec.memory_limit_bytes = of_rank - 1;
  EXPECT_EQ(run_one(spec).reason, fmt::format("needs {}, the memory limit is {}",
                                              bytes_text(of_rank), bytes_text(of_rank - 1)));
}

TEST_F(RunnerTest, PublishesNoTimeForWrongNumbers) {
  const Record record = run_one(faulty("wrong"));
  EXPECT_EQ(record.outcome, Outcome::invalid);
  EXPECT_EQ(code_, ExitCode::answer_is_no);
  EXPECT_TRUE(record.samples.empty());
  const Json json = read_json_file(folder_.path() + "/report.json");
  EXPECT_TRUE(json.at("records").at(0).at("compile_seconds").is_null());
}

TEST_F(RunnerTest, VerifiesAnExternalProgramByWhatItComputed) {
  const Record record = run_one(faulty("none"));
  EXPECT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
  ASSERT_TRUE(record.verification);
  EXPECT_TRUE(record.verification->verified);
  EXPECT_EQ(record.verification->against, "naive fp64");
  // Two losses, 82 gradients, 82 updated parameters, 36 moving statistics.
  EXPECT_EQ(record.verification->facts.checks, 2 + 82 + 82 + 36);
  for (const char* name : kCountReadings) {
    EXPECT_EQ(details_of(record).at("probes").at("missing_readings").at(name),
              "the child does not count them");
  }
}

TEST_F(RunnerTest, SeesWhatAnExternalProgramComputesWrongly) {
  for (const auto& [fault, tensor] : {std::pair{"wrong", "encodeC_conv1/kernel"},
                                      {"nan-gradient", "gradient/encodeC_conv1/kernel"},
                                      {"lies-about-loss", "loss"},
                                      {"nan-loss", "loss"},
                                      {"never-updates", "updated/encodeC_conv1/kernel"}}) {
    const Record record = run_one(faulty(fault));
    EXPECT_EQ(record.outcome, Outcome::invalid) << fault;
    EXPECT_NE(record.verification->worst->tensor.find(tensor), std::string::npos)
        << fault << ": " << record.verification->worst->tensor;
    EXPECT_EQ(code_, ExitCode::answer_is_no) << fault;
    EXPECT_TRUE(record.samples.empty()) << fault;
  }
  EXPECT_EQ(run_one(faulty("zeros")).outcome, Outcome::invalid);
}

// From the numbers to what a person reads: the row stays, without a time and without a speed-up.
TEST_F(RunnerTest, ADroppedBiasGradientLeavesNoSpeedUpInTheTable) {
  for (const auto& [fault, tensor] :
       {std::pair{"drops-transposed-bias-gradient", "gradient/transconvB/bias"},
        {"drops-prediction-bias-gradient", "gradient/PredictionMask/bias"}}) {
    const SweepResult result = run({small_case("naive"), faulty(fault)});
    EXPECT_EQ(result.code, ExitCode::answer_is_no);
    EXPECT_EQ(result.report.records[1].outcome, Outcome::invalid);
    const std::vector<CaseSummary> cases = summarise(result.report.records);
    ASSERT_EQ(cases.size(), 2U);
    EXPECT_FALSE(speed_up(cases[0], cases[1]));
    std::istringstream table(render_text(case_table(cases, "naive")));
    std::string header, line, row;
    std::getline(table, header);
    while (std::getline(table, line)) {
      row = line.find("faulty_child") == std::string::npos ? row : line;
    }
    EXPECT_NE(row.find(std::string("invalid: wrong numbers at 32x32x32: ") + tensor),
              std::string::npos)
        << row;
    // Between the batch and the note there is no figure but the memory that was planned.
    const std::string figures =
        row.substr(header.find("step s"), header.find("planned") - header.find("step s"));
    EXPECT_EQ(figures.find_first_of("0123456789"), std::string::npos) << row;
    const std::size_t speed_up_column = header.find("fwd+bwd vs naive");
    ASSERT_NE(speed_up_column, std::string::npos) << header;
    EXPECT_EQ(row.substr(speed_up_column, 2), "- ") << row;
  }
}

TEST_F(RunnerTest, AnExternalProgramIsNotAskedWhetherItIsRight) {
  const Record record = run_one(faulty("verifies-itself"));
  EXPECT_EQ(record.outcome, Outcome::failed);
  EXPECT_EQ(*record.reason,
            "verification: child protocol: a \"verified\" that was not due, expected \"computed\"");
}

TEST_F(RunnerTest, SecondsOfStagesThatThereAreNotFailTheCase) {
  const Record record = run_one(faulty("stages-of-another"));
  EXPECT_EQ(record.outcome, Outcome::failed);
  EXPECT_EQ(*record.reason, "child protocol: stage_seconds: expected one per stage (0), found 2");
}

TEST_F(RunnerTest, AnExternalProgramMustLeaveEveryTensor) {
  const auto reason = [this](const std::string& fault) {
    const Record record = run_one(faulty(fault));
    EXPECT_EQ(record.outcome, Outcome::failed) << fault;
    EXPECT_TRUE(record.samples.empty()) << fault;
    return record.reason.value_or("");
  };
  EXPECT_NE(reason("misses-a-gradient").find("no tensor \"gradient/encodeC_conv1/kernel\""),
            std::string::npos);
  EXPECT_NE(reason("flattens").find("shape"), std::string::npos) << reason("flattens");
  EXPECT_NE(reason("writes-garbage").find("safetensors"), std::string::npos);
  EXPECT_NE(reason("writes-nothing").find("cannot be opened"), std::string::npos);
}

TEST_F(RunnerTest, AnExternalProgramMayBreakInEveryMode) {
  for (const std::string when : {"planned", "verified"}) {
    patience_seconds_ = 120;
    const Record died = run_one(faulty("dies-when-" + when));
    EXPECT_EQ(died.outcome, Outcome::crashed) << when;
    EXPECT_NE(died.reason->find("SIGSEGV"), std::string::npos) << *died.reason;
    const Record babbled = run_one(faulty("babbles-when-" + when));
    EXPECT_EQ(babbled.outcome, Outcome::failed) << when;
    EXPECT_NE(babbled.reason->find("child protocol"), std::string::npos) << *babbled.reason;
    patience_seconds_ = when == "planned" ? 1 : 10;  // it has to be planned before
    const Record hung = run_one(faulty("hangs-when-" + when));
    EXPECT_EQ(hung.outcome, Outcome::timeout) << when;
    EXPECT_EQ(hung.reason, std::string(when == "planned" ? "" : "verification: ") +
                               fmt::format("no message for {} s", patience_seconds_));
  }
}

TEST_F(RunnerTest, SecondsAreComparedWithTheRunnersOwn) {
  const Record more = run_one(faulty("tells-too-much-time"));
  EXPECT_EQ(more.outcome, Outcome::failed);
  EXPECT_NE(more.reason->find("went by"), std::string::npos) << *more.reason;
  CaseSpec spec = faulty("tells-too-little-time");
  spec.steps = 1;
  const Record less = run_one(spec);
  EXPECT_EQ(less.outcome, Outcome::failed);
  EXPECT_NE(less.reason->find("by the runner's clock"), std::string::npos) << *less.reason;
  const Record parts = run_one(faulty("tells-parts-of-another-step"));
  EXPECT_EQ(parts.outcome, Outcome::failed);
  EXPECT_NE(parts.reason->find("is not forward_backward_seconds + update_seconds"),
            std::string::npos)
      << *parts.reason;
}

TEST_F(RunnerTest, AnExternalProgramMayTalkOnAfterItIsDone) {
  for (const char* fault : {"talks-on-in-errors", "talks-on"}) {
    const Record record = run_one(faulty(fault));
    EXPECT_EQ(record.outcome, Outcome::ok) << fault << ": " << record.reason.value_or("");
  }
}

TEST_F(RunnerTest, AnExternalProgramMustPlanToBeHeldToAMemoryLimit) {
  CaseSpec spec = faulty("none");
  spec.memory_limit_bytes = std::int64_t{8} << 30;
  const Record unplanned = run_one(spec);
  EXPECT_EQ(unplanned.outcome, Outcome::skipped);
  EXPECT_NE(unplanned.reason->find("cannot be held to a memory limit"), std::string::npos)
      << *unplanned.reason;
  spec = faulty("plans-too-little");
  spec.memory_limit_bytes = std::int64_t{1} << 20;
  const Record record = run_one(spec);
  EXPECT_EQ(record.outcome, Outcome::ok) << record.reason.value_or("");
  ASSERT_TRUE(details_of(record).contains("beyond_memory_limit"));
  EXPECT_EQ(details_of(record).at("beyond_memory_limit").at("taken_bytes"),
            *record.memory.peak_bytes);
}

TEST_F(RunnerTest, AChildThatDoesNotExitIsEnded) {
  SweepOptions options;
  options.cases = {faulty("never-exits")};
  options.out = folder_.path() + "/report.json";
  options.runner.child.command = {VOXMARK_PROGRAM, "child"};
  options.runner.child.exit_patience_seconds = 10;
  const Record record = run_sweep(options, observer_).report.records.front();
  EXPECT_EQ(record.outcome, Outcome::timeout);
  EXPECT_TRUE(record.verification) << "the children before it did exit";
  EXPECT_NE(record.reason->find("did not exit after the end of its input"), std::string::npos)
      << *record.reason;
}

TEST_F(RunnerTest, DoesNotBeginWhatItHasNoTimeForTwice) {
  SweepOptions options;
  CaseSpec longer = small_case("naive");
  longer.image = {48, 32, 32};
  longer.steps = 1'000'000;
  CaseSpec second_process = longer;
  second_process.process = 1;
  options.cases = {small_case("naive"), longer, second_process};
  options.out = folder_.path() + "/report.json";
  options.runner.child.command = {VOXMARK_PROGRAM, "child"};
  options.runner.run_budget_seconds = 100;
  options.runner.processes_per_case = 2;
  const std::vector<Record> records = run_sweep(options, observer_).report.records;
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].outcome, Outcome::ok);
  EXPECT_FALSE(records[0].facts.beyond_budget);
  for (const std::size_t i : {1U, 2U}) {  // nor does the second process run alone
    EXPECT_EQ(records[i].outcome, Outcome::skipped);
    EXPECT_TRUE(records[i].reason->starts_with("it and what is begun would take about"))
        << *records[i].reason;
    EXPECT_FALSE(records[i].verification) << "nothing of it was begun";
    EXPECT_EQ(records[i].facts.beyond_budget, true);
  }
}

TEST_F(RunnerTest, KeepsToTheBudgetOfARun) {
  SweepOptions options;
  options.cases = {small_case("naive"), small_case("null")};
  options.out = folder_.path() + "/report.json";
  options.runner.child.command = {VOXMARK_PROGRAM, "child"};
  options.runner.run_budget_seconds = 1e-9;
  const std::vector<Record> records = run_sweep(options, observer_).report.records;
  ASSERT_EQ(records.size(), 2U);
  EXPECT_GT(details_of(records[0]).at("wall_seconds").get<double>(), 0);
  EXPECT_EQ(records[1].outcome, Outcome::skipped);
  EXPECT_NE(records[1].reason->find("budget"), std::string::npos) << *records[1].reason;
}

TEST_F(RunnerTest, AsksWhatElseIsToBeMeasured) {
  SweepOptions options;
  options.cases = {small_case("null")};
  options.out = folder_.path() + "/report.json";
  options.runner.child.command = {VOXMARK_PROGRAM, "child"};
  options.follow_up = [](const Report& report) {
    CaseSpec next = small_case("null");
    next.image = {48, 48, 48};
    return report.records.size() == 1 ? std::vector{next} : std::vector<CaseSpec>{};
  };
  const std::vector<Record> records = run_sweep(options, observer_).report.records;
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].spec.at("image"), Json({48, 48, 48}));
}

TEST_F(RunnerTest, AnExternalProgramThatLiesWhenTimedIsSeen) {
  // Verified, and then another loss: a constant.
  const Record alone = run_one(faulty("constant-loss"));
  EXPECT_EQ(alone.outcome, Outcome::invalid);
  EXPECT_NE(alone.reason->find("loss differs from onednn's"), std::string::npos) << *alone.reason;
  const SweepResult result = run({small_case("naive"), faulty("constant-loss")});
  EXPECT_EQ(result.report.records[0].outcome, Outcome::ok);
  EXPECT_EQ(result.report.records[1].outcome, Outcome::invalid);
  EXPECT_NE(result.report.records[1].reason->find("loss differs from naive's"), std::string::npos)
      << *result.report.records[1].reason;
  // Nor can it make ours look wrong by being first.
  EXPECT_EQ(run({faulty("constant-loss"), small_case("naive")}).report.records[1].outcome,
            Outcome::ok);
}

TEST_F(RunnerTest, AnInstructionSetThatIsNotBuiltIsSkipped) {
  CaseSpec spec = small_case("naive");
  spec.isa = "avx";  // no voxmark-avx stands beside this test
  const Record record = run_one(spec);
  EXPECT_EQ(record.outcome, Outcome::skipped);
  EXPECT_EQ(*record.reason, "not built for avx (ci/isa)");
  EXPECT_EQ(case_from_json(record.spec, "record").isa, "avx");
  spec.isa = "mmx";
  EXPECT_THROW(check(spec), Error);
}

TEST_F(RunnerTest, APeerThatIsNotInstalledIsSkipped) {
  setenv("VOXMARK_PEERS", folder_.path().c_str(), 1);
  const Record record = run_one(small_case("tensorflow-onednn"));
  unsetenv("VOXMARK_PEERS");
  EXPECT_EQ(record.outcome, Outcome::skipped);
  EXPECT_EQ(*record.reason, "not installed (ci/peers)");
}

TEST_F(RunnerTest, SaysWhatWasNotVerified) {
  const Record record = run_one(faulty("unverified"));
  EXPECT_EQ(record.outcome, Outcome::ok);
  EXPECT_FALSE(record.verification->verified);
  EXPECT_EQ(*record.verification->reason, "does not verify");
}

TEST_F(RunnerTest, ALossThatIsNotFiniteIsDiverged) {
  const Record record = run_one(faulty("diverge"));
  EXPECT_EQ(record.outcome, Outcome::diverged);
  EXPECT_EQ(code_, ExitCode::answer_is_no);
  const Json json = read_json_file(folder_.path() + "/report.json");
  EXPECT_EQ(json.at("records").at(0).at("samples").at(1).at("loss"), "NaN");
}

TEST_F(RunnerTest, RunningOutOfMemoryIsOom) {
  EXPECT_EQ(run_one(faulty("out-of-memory")).outcome, Outcome::oom);
}

// A control group of 64 MiB below our own; removed in the end, when nobody is in it.
class SmallMemoryGroup {
 public:
  SmallMemoryGroup() {
    const std::string own = cgroup_file("memory", "memory.limit_in_bytes");
    if (own.empty()) {
      why_not_ = "no memory controller of cgroup v1";
      return;
    }
    path_ = std::filesystem::path(own).parent_path().string() + "/voxmark-test-" +
            std::to_string(getpid());
    std::error_code failure;
    if (!std::filesystem::create_directory(path_, failure) ||
        !(std::ofstream(path_ + "/memory.limit_in_bytes") << (64 << 20) << std::flush)) {
      why_not_ = path_ + " cannot be made";
    }
    std::ofstream(path_ + "/memory.swappiness") << 0;
  }
  ~SmallMemoryGroup() {
    if (!path_.empty()) {
      rmdir(path_.c_str());
    }
  }
  SmallMemoryGroup(const SmallMemoryGroup&) = delete;
  SmallMemoryGroup& operator=(const SmallMemoryGroup&) = delete;

  const std::string& path() const { return path_; }
  const std::string& why_not() const { return why_not_; }

 private:
  std::string path_;
  std::string why_not_;
};

// The kernel's killer counts its kills in one place, whether a control group or the machine has run
// out of memory; a machine that has is nothing for a test.
TEST_F(RunnerTest, WhatTheKernelKillsForMemoryIsOomAndTheNextCaseRuns) {
  const SmallMemoryGroup group;
  if (!group.why_not().empty()) {
    GTEST_SKIP() << group.why_not();
  }
  const std::string script = folder_.path() + "/filler";
  std::ofstream(script) << "#!/bin/sh\necho $$ > " << group.path()
                        << "/cgroup.procs\nexec " FAULTY_CHILD " fills-memory\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const SweepResult result = run({small_case("exec:" + script), small_case("null")});
  ASSERT_EQ(result.report.records.size(), 2U);
  EXPECT_EQ(result.report.records[0].outcome, Outcome::oom);
  EXPECT_EQ(result.report.records[0].reason, "killed by the kernel for want of memory");
  EXPECT_TRUE(result.report.records[0].samples.empty());
  EXPECT_EQ(result.report.records[1].outcome, Outcome::overhead);
}

TEST_F(RunnerTest, AnArenaThatTheSystemRefusesIsOom) {
  // The child's address space holds the program, and not the arena.
  const std::string script = folder_.path() + "/limited";
  std::ofstream(script)
      << "#!/bin/sh\nread line\ncase $line in *plan*) ;; *time*) ulimit -v 200000 ;;"
         " esac\n{ echo \"$line\"; cat; } | exec " VOXMARK_PROGRAM " child\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  CaseSpec spec = small_case("naive");  // plans 500 MB
  spec.image = {128, 128, 16};
  spec.batch = 16;
  SweepOptions options;
  options.cases = {spec};
  options.out = folder_.path() + "/report.json";
  options.runner.child.command = {script};
  options.runner.room = [] { return MemoryRoom{std::int64_t{1} << 40, "test"}; };
  const SweepResult result = run_sweep(options, observer_);
  EXPECT_EQ(result.report.records.at(0).outcome, Outcome::oom)
      << result.report.records.at(0).reason.value_or("");
}

// Of the whole machine: another test's may be among them.
int oom_kills() {
  std::ifstream file("/proc/vmstat");
  std::string name;
  int kills = 0;
  while (file >> name >> kills && name != "oom_kill") {
  }
  return kills;
}

TEST_F(RunnerTest, ACrashNamesTheSignal) {
  for (const auto& [fault, signal] :
       {std::pair{"segv", "SIGSEGV"}, {"abort", "SIGABRT"}, {"kill", "SIGKILL"}}) {
    const int kills_before = oom_kills();
    const Record record = run_one(faulty(fault));
    if (record.outcome == Outcome::oom && oom_kills() > kills_before) {
      continue;  // that of another program, which the runner cannot tell from its child's
    }
    EXPECT_EQ(record.outcome, Outcome::crashed) << fault;
    EXPECT_EQ(record.reason->rfind(signal, 0), 0U) << *record.reason;
    EXPECT_EQ(code_, ExitCode::answer_is_no) << "it is no fault of ours";
  }
}

TEST_F(RunnerTest, ACrashOfOurOwnChildIsAFaultOfOurs) {
  SweepOptions options;
  options.cases = {small_case("naive")};
  options.out = folder_.path() + "/report.json";
  options.runner.child.command = {"/bin/sh", "-c", "kill -SEGV $$"};
  const SweepResult result = run_sweep(options, observer_);
  EXPECT_EQ(result.report.records.at(0).outcome, Outcome::crashed);
  EXPECT_EQ(result.code, ExitCode::internal);
}

TEST_F(RunnerTest, AChildThatHangsTimesOut) {
  patience_seconds_ = 20;  // also of the plan and of both verifications before
  const Record record = run_one(faulty("hang"));
  EXPECT_EQ(record.outcome, Outcome::timeout);
  EXPECT_EQ(record.reason, "no message for 20 s");
  EXPECT_TRUE(record.verification) << "it hangs when it is timed";
}

TEST_F(RunnerTest, BreachesOfTheProtocolAreFailuresWithTheirReason) {
  const auto reason = [this](const std::string& fault) {
    const Record record = run_one(faulty(fault));
    EXPECT_EQ(record.outcome, Outcome::failed) << fault;
    return record.reason.value_or("");
  };
  EXPECT_NE(reason("garbage").find("child protocol"), std::string::npos);
  EXPECT_EQ(reason("endless-line"), "child protocol: a line without end");
  EXPECT_EQ(reason("step-before-ready"),
            "child protocol: a \"step\" that was not due, expected \"ready\"");
  EXPECT_EQ(reason("silent-exit"),
            "exit status 3 before it said \"step\" 1 of 3: could not load libmystery.so");
  EXPECT_EQ(
      reason("reads-less-than-nothing"),
      "child protocol: step: readings.user_seconds: expected a number of 0 or more, found -1");
  EXPECT_EQ(reason("exit-status"), "exit status 7 after it was done");
}

TEST_F(RunnerTest, AProgramThatIsNotThereIsBadInput) {
  const Record record = run_one(small_case("exec:/no/such/program"));
  EXPECT_EQ(record.outcome, Outcome::failed);
  EXPECT_EQ(code_, ExitCode::bad_input);
}

TEST_F(RunnerTest, KeepsWhatFinishedBesideWhatFailed) {
  CaseSpec missing_data = small_case("naive");
  missing_data.network.input_channels = 9;  // the phantom has four
  missing_data.data = "phantom";
  const SweepResult result = run({small_case("null"), missing_data, faulty("segv")});
  EXPECT_EQ(result.report.records[0].outcome, Outcome::overhead);
  EXPECT_EQ(result.report.records[1].outcome, Outcome::failed);
  EXPECT_EQ(result.report.records[2].outcome, Outcome::crashed);
  EXPECT_EQ(result.code, ExitCode::bad_input);
}

TEST_F(RunnerTest, ResumesWhereAStoppedRunEnded) {
  const CaseSpec done = small_case("null");
  CaseSpec open = done;
  open.process = 1;
  SweepOptions options;
  options.out = folder_.path() + "/report.json";
  options.runner.child.command = {VOXMARK_PROGRAM, "child"};
  options.cases = {done};
  const Report first = run_sweep(options, observer_).report;
  {
    Journal stopped(journal_path(options.out), first.header);
    stopped.append(first.records.front());
  }
  options.cases = {done, open};
  options.resume = true;
  const Report resumed = run_sweep(options, observer_).report;
  EXPECT_EQ(observer_.resumed_processes, 1U);
  ASSERT_EQ(resumed.records.size(), 2U);
  EXPECT_EQ(resumed.records[0].samples[1].times->step_seconds,
            first.records[0].samples[1].times->step_seconds)
      << "what was measured is not measured again";
}

TEST_F(RunnerTest, RefusesAnOutputThatCannotBeWrittenBeforeTheFirstCase) {
  SweepOptions options;
  options.cases = {small_case("null")};
  options.runner.child.command = {"/no/such/program"};  // would fail, were it started
  for (const std::string& out : {folder_.path() + "/missing/report.json", folder_.path()}) {
    options.out = out;
    try {
      run_sweep(options, observer_);
      FAIL() << out;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
    }
  }
}

}  // namespace
}  // namespace voxmark
