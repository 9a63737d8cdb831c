// voxmark run, rerun and validate from outside: flags, exit codes, interrupts, reports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "tools/tests/run_fixture.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(RunTest, DryRunListsAndCountsTheCasesAndStops) {
  const CommandResult result =
      run_voxmark({"run", "--backend", "naive,eigen", "--image", "32,96x96x64", "--batch", "1,2,4",
                   "--repeats", "3", "--threads", "1", "--dry-run", "--out", report_});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("naive 32x32x32 batch 1 fp32"));
  EXPECT_THAT(result.out, HasSubstr("eigen 96x96x64 batch 4 fp32"));
  EXPECT_THAT(result.out, HasSubstr("12 cases x 3 processes = 36 runs"));
  // 24 tests at once: 24 / (14 over 7) is below 0.01, 24 / (12 over 6) is not.
  EXPECT_THAT(result.out,
              HasSubstr("voxmark compare of 12 cases takes 7 or more processes of each"));
  EXPECT_THAT(result.out, HasSubstr("with 3 it can find no slower step; --repeats 7"));
  EXPECT_FALSE(std::filesystem::exists(report_));
}

TEST_F(RunTest, EndsInATableAndAReportThatIsValid) {
  const CommandResult result = run({"--backend", "naive,null", "--repeats", "2"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("naive"), HasSubstr("null"), HasSubstr("32x32x32")));
  EXPECT_THAT(result.out, HasSubstr("the harness alone: "));
  EXPECT_THAT(result.out, HasSubstr(" ms between two steps"));
  EXPECT_THAT(result.err, HasSubstr("[4/4]"));
  const Json report = read_json_file(report_);
  ASSERT_EQ(report.at("records").size(), 4U);
  EXPECT_EQ(report.at("records").at(2).at("case").at("backend"),
            report.at("records").at(1).at("case").at("backend"))
      << "ABBA";
  const CommandResult valid = run_voxmark({"validate", report_});
  EXPECT_EQ(valid.status, 0) << valid.out << valid.err;
}

TEST_F(RunTest, ADryRunCountsOnlyWhatWillRun) {
  const CommandResult result =
      run({"--backend", "naive", "--isa", "avx2", "--repeats", "2", "--dry-run"});
  EXPECT_EQ(result.status, 0) << result.err;
  if (std::filesystem::exists(std::filesystem::path(VOXMARK_BINARY).parent_path() /
                              "voxmark-avx2")) {
    GTEST_SKIP() << "ci/isa has built it";
  }
  EXPECT_THAT(result.out, AllOf(HasSubstr("will be skipped, "), HasSubstr("avx2"),
                                HasSubstr("0 cases x 2 processes = 0 runs"),
                                HasSubstr("; 1 more will be skipped")));
}

TEST_F(RunTest, OutsideProgramsComputeOnOneRank) {
  const CommandResult result = run(
      {"--backend", "naive,exec:/bin/false", "--ranks", "1,2", "--global-batch", "4", "--dry-run"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("naive 32x32x32 batch 4 fp32 channels"));
  EXPECT_THAT(result.out, HasSubstr("exec:/bin/false 32x32x32 batch 2 fp32 on 2 ranks"));
  EXPECT_THAT(result.out,
              HasSubstr(": will be skipped, exec:/bin/false computes on one rank only"));
}

TEST_F(RunTest, RerunIsJudgedAsCompareJudges) {
  ASSERT_EQ(run({"--backend", "naive"}).status, 0);
  const CommandResult result = run_voxmark({"rerun", report_, "--repeats", "2"});
  // One process against two tells nothing; 5: the tools that judge are not installed.
  EXPECT_THAT(result.status, testing::AnyOf(4, 5)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("voxmark compare"));
  const Json then = read_json_file(report_ + ".rerun.then.json");
  const Json now = read_json_file(report_ + ".rerun.json");
  EXPECT_EQ(then.at("records").size(), 1U);
  EXPECT_EQ(now.at("records").size(), 2U);
  EXPECT_EQ(now.at("records").at(1).at("case").at("backend"), "naive");
  EXPECT_EQ(run_voxmark({"rerun", report_, "--case", "2"}).status, 64);
  const CommandResult again = run_voxmark({"rerun", report_});
  EXPECT_EQ(again.status, 64);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
}

TEST_F(RunTest, AFinishedReportIsNotOverwrittenWithoutAWord) {
  Arguments command = tiny_run(report_, {"--backend", "null"});
  command.pop_back();  // --overwrite
  ASSERT_EQ(run_voxmark(command).status, 0);
  const Json before = read_json_file(report_);
  const CommandResult again = run_voxmark(command);
  EXPECT_EQ(again.status, 64);
  EXPECT_THAT(again.err, AllOf(HasSubstr(report_), HasSubstr("--overwrite")));
  command.emplace_back("--dry-run");
  EXPECT_EQ(run_voxmark(command).status, 0) << "it writes nothing";
  command.pop_back();
  EXPECT_EQ(read_json_file(report_), before);
  command.emplace_back("--overwrite");
  EXPECT_EQ(run_voxmark(command).status, 0);
  EXPECT_NE(read_json_file(report_), before);
  const std::string set = folder_.path() + "/set";
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "1", "--image", "16"}).status, 0);
  EXPECT_EQ(run_voxmark({"phantom", set, "--cases", "1", "--image", "16"}).status, 64);
  EXPECT_EQ(run_voxmark({"phantom", set, "--cases", "1", "--image", "16", "--overwrite"}).status,
            0);
}

TEST_F(RunTest, AFinishedReportIsGoneOnFrom) {
  ASSERT_EQ(run({"--backend", "null,naive", "--case-budget", "0.000001"}).status, 0);
  const Json before = read_json_file(report_);
  ASSERT_EQ(before.at("records").size(), 2U);
  const CommandResult more = run({"--backend", "null,naive", "--repeats", "2", "--resume"});
  ASSERT_EQ(more.status, 0) << more.err;
  const Json after = read_json_file(report_);
  EXPECT_EQ(after.at("records").size(), 4U);
  for (const Json& record : before.at("records")) {
    const bool was_measured = record.at("outcome") != "skipped";
    const auto& rows = after.at("records");
    EXPECT_EQ(std::ranges::find(rows, record) != rows.end(), was_measured)
        << "what was skipped is tried again, the rest is kept: " << record.at("case");
  }
  EXPECT_FALSE(std::filesystem::exists(report_ + ".journal"));
  EXPECT_EQ(run({"--backend", "example", "--resume"}).status, 64) << "another run";
  EXPECT_EQ(read_json_file(report_), after);
}

TEST_F(RunTest, ValidateFindsFiguresThatDoNotAgreeAndFilesThatAreNoReports) {
  ASSERT_EQ(run({"--backend", "naive"}).status, 0);
  Json report = read_json_file(report_);
  report["records"][0]["samples"][1]["step_seconds"] = 1000.0;
  std::ofstream(report_) << dump_json(report);
  const CommandResult inconsistent = run_voxmark({"validate", report_});
  EXPECT_EQ(inconsistent.status, 1);
  EXPECT_THAT(inconsistent.out, HasSubstr("record 0: step_seconds"));
  report["records"][0].erase("outcome");
  std::ofstream(report_) << dump_json(report);
  EXPECT_EQ(run_voxmark({"validate", report_}).status, 64);
  EXPECT_EQ(run_voxmark({"validate", folder_.path() + "/none.json"}).status, 64);
}

TEST_F(RunTest, WrongUseIsOneLineThatNamesTheThing) {
  const std::string suite = folder_.path() + "/suite.json";
  std::ofstream(suite) << R"({"schema": "voxmark.suite/1", "grids": [{"bakend": ["naive"]}]})";
  const std::vector<std::pair<Arguments, std::string>> wrong = {
      {{"--backend", "tensorflow"}, "tensorflow"},
      {{"--batch", "0"}, "--batch"},
      {{"--batch", "nan"}, "--batch"},
      {{"--batch", "2", "--global-batch", "2"}, "--global-batch"},
      {{"--ranks", "2,3", "--global-batch", "8"},
       "global batch 8: 3 ranks cannot share 8 images equally, expected a multiple of 3"},
      {{"--ranks", "0"}, "--ranks"},
      {{"--batch-norm", "none"}, "--batch-norm: expected global or local, found none"},
      {{"--precision", "fp16"}, "fp16"},
      {{"--classes", "-1"}, "--classes"},
      {{"--memory-limit", "lots"}, "--memory-limit"},
      {{"--case-budget", "-3"}, "--case-budget"},
      {{"--repeats", "0"}, "--repeats"},
      {{"--max-repeats", "9"}, "--time-budget"},
      {{"--max-repeats", "2", "--repeats", "3", "--time-budget", "9"}, "--max-repeats 2"},
      {{"--against", folder_.path() + "/nobody"}, "nobody"},
      {{"--steps", "1", "--steps", "2"}, "--steps"},
      {{"--baseline", "onednn", "--backend", "naive"}, "onednn"},
      {{"--data", folder_.path() + "/missing"}, "missing"},
      {{"--no-such-flag"}, "--no-such-flag"},
      {{suite},
       "grids[0]: key \"bakend\" is unknown, expected one of: affine_tolerance, backend, "},
      {{folder_.path() + "/none.json"}, "none.json"},
      {{"--out", folder_.path() + "/no/folder/report.json"}, "folder"}};
  for (const auto& [arguments, named] : wrong) {
    Arguments all = {"run", "--dry-run"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const CommandResult result = run_voxmark(all);
    EXPECT_EQ(result.status, 64) << named << result.err;
    const std::string last_line = result.err.substr(result.err.rfind("voxmark: "));
    EXPECT_THAT(last_line, HasSubstr(named));
    EXPECT_EQ(std::count(last_line.begin(), last_line.end(), '\n'), 1) << last_line;
  }
  const CommandResult dims = run_voxmark({"run", "--dry-run", "--image", "64x64x60"});
  EXPECT_EQ(dims.status, 64);
  EXPECT_EQ(dims.err,
            "voxmark: --image: expected one extent or three, multiples of 16, up to 65536, found "
            "64x64x60\n");
}

TEST_F(RunTest, AFailureInTheDataKeepsTheCasesThatFinished) {
  const CommandResult result =
      run({"--backend", "null", "--data", "synthetic,phantom", "--channels", "9"});
  EXPECT_EQ(result.status, 64);
  std::map<std::string, Json> by_data;  // the order of execution is drawn
  const Json report = read_json_file(report_);
  for (const Json& record : report.at("records")) {
    by_data[record.at("case").at("data").get<std::string>()] = record;
  }
  EXPECT_EQ(by_data.at("synthetic").at("outcome"), "overhead");
  EXPECT_EQ(by_data.at("phantom").at("outcome"), "failed");
  EXPECT_THAT(by_data.at("phantom").at("reason").get<std::string>(), HasSubstr("channels"));
}

TEST_F(RunTest, ImagesThatAreSmallerThanTheCropAreRefusedBeforeAnythingRuns) {
  const std::string set = folder_.path() + "/set";
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "2", "--image", "32"}).status, 0);
  for (const char* dry : {"--dry-run", "--no-cache"}) {
    const CommandResult result = run_voxmark({"run", "--backend", "naive", "--image", "32,32x48x32",
                                              "--data", set, "--out", report_, dry});
    EXPECT_EQ(result.status, 64);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, AllOf(StartsWith("voxmark: "), HasSubstr("PHANTOM_00"),
                                  HasSubstr("32x32x32"), HasSubstr("32x48x32")));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(std::filesystem::exists(report_));
  }
}

TEST_F(RunTest, ATruncatedImageCostsItsCaseAlone) {
  const std::string set = folder_.path() + "/set";
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "1", "--image", "32"}).status, 0);
  const std::string image = set + "/imagesTr/PHANTOM_000.nii.gz";
  std::filesystem::resize_file(image, std::filesystem::file_size(image) - 8);
  const CommandResult result = run({"--backend", "null", "--data", "synthetic," + set});
  EXPECT_EQ(result.status, 64);
  const Json report = read_json_file(report_);
  ASSERT_EQ(report.at("records").size(), 2U);
  for (const Json& record : report.at("records")) {
    if (record.at("case").at("data") == "synthetic") {
      EXPECT_EQ(record.at("outcome"), "overhead");
    } else {
      EXPECT_EQ(record.at("outcome"), "failed");
      EXPECT_THAT(record.at("reason").get<std::string>(), HasSubstr("PHANTOM_000.nii.gz"));
    }
  }
}

// What a library's own variables would change behind our back is fixed, or in the record.
class LibrarysVariables : public RunTest {
 protected:
  void SetUp() override {
    RunTest::SetUp();
    const Json backends = run_voxmark({"list", "backends", "--json"}).json().at("backends");
    for (const Json& backend : backends) {
      if (backend.at("name") == "onednn" && !backend.at("built")) {
        GTEST_SKIP() << "onednn is not built";
      }
    }
  }
  void TearDown() override {
    unsetenv("ONEDNN_DEFAULT_FPMATH_MODE");
    unsetenv("ONEDNN_MAX_CPU_ISA");
  }
  // Sixteen filters: blocked layouts and the kernels of the paper's model.
  Json record() {
    result_ = run_voxmark({"run", "--backend", "onednn", "--image", "32", "--steps", "2",
                           "--warmup", "0", "--threads", "1", "--no-limits", "--taint-repeats", "0",
                           "--overwrite", "--out", report_});
    EXPECT_EQ(result_.status, 0) << result_.err;
    const Json report = read_json_file(report_);
    return report.at("records").at(0);
  }
  CommandResult result_;
};

TEST_F(LibrarysVariables, DoNotLowerThePrecision) {
  const Json plain = record();
  setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16", 1);
  const Json with_variable = record();
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(plain.at("samples").at(i).at("loss"), with_variable.at("samples").at(i).at("loss"));
  }
  EXPECT_EQ(plain.at("verification").at("worst").at("error"),
            with_variable.at("verification").at("worst").at("error"));
}

TEST_F(LibrarysVariables, ThatLowerTheInstructionSetShowInTheStages) {
  setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
  const Json lowered = record();
  std::set<std::string> sets;
  std::string kernels;
  for (const Json& stage : lowered.at("stages")) {
    if (stage.at("implementation").get<std::string>().starts_with("jit:")) {  // not loops of ours
      sets.insert(stage.at("isa").get<std::string>());
    }
    kernels += stage.at("implementation").get<std::string>() + " ";
  }
  EXPECT_EQ(sets, std::set<std::string>{"avx2"});
  EXPECT_THAT(kernels, AllOf(HasSubstr("avx2"), testing::Not(HasSubstr("avx512"))));
}

TEST_F(LibrarysVariables, ThatLeaveSlowKernelsOnlyAreWarnedOf) {
  setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 1);
  const Json lowered = record();
  const Json& stages = lowered.at("stages");
  ASSERT_TRUE(std::any_of(stages.begin(), stages.end(),
                          [](const Json& stage) { return stage.at("slow").get<bool>(); }));
  EXPECT_THAT(result_.err, HasSubstr("Warning: onednn 32x32x32 batch 1 fp32: slow kernels: "));
}

TEST_F(RunTest, MoreProcessesFollowUntilTheTargetOrTheirNumberIsReached) {
  // Not null, whose processes are equal to the clock's tick now and then.
  const CommandResult result = run({"--backend", "naive", "--repeats", "2", "--precision-target",
                                    "0.000001", "--max-repeats", "7"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), 7U);
  const CommandResult in_time = run({"--backend", "null", "--repeats", "2", "--precision-target",
                                     "0.000001", "--time-budget", "0.001"});
  EXPECT_EQ(in_time.status, 0) << in_time.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), 2U);
  const CommandResult budget =
      run({"--backend", "null", "--time-budget", "600", "--max-repeats", "3"});
  EXPECT_EQ(budget.status, 0) << budget.err;
  EXPECT_EQ(read_json_file(report_).at("records").size(), 3U) << "the budget alone is filled";
}

// A program that knows neither sysinfo nor --counters, as builds before them.
TEST_F(RunTest, AnOldBuildIsMeasuredBesideThisOne) {
  const std::string old = folder_.path() + "/old_build";
  std::ofstream(old) << "#!/bin/sh\n"
                     << "test \"$1\" = sysinfo && exit 64\n"
                     << "test \"$1 $2\" = 'child --help' && echo 'Runs one case' && exit 0\n"
                     << "test \"$1\" = child && test $# != 1 && exit 64\n"
                     << "exec " << VOXMARK_BINARY << " \"$@\"\n";
  std::filesystem::permissions(old, std::filesystem::perms::owner_all);
  const CommandResult result = run({"--backend", "naive", "--repeats", "2", "--against", old});
  EXPECT_EQ(result.status, 0) << result.err;
  const Json theirs = read_json_file(folder_.path() + "/report.against.json");
  EXPECT_EQ(theirs.at("voxmark").at("reason"), "this build has no sysinfo");
  EXPECT_EQ(theirs.at("records").at(1).at("outcome"), "ok");
  for (const Json& change : theirs.at("details").at("environment_changes")) {
    EXPECT_THAT(change.at("fact").get<std::string>(),
                testing::Not(testing::AnyOf(StartsWith("voxmark"), StartsWith("build"),
                                            StartsWith("libraries"))))
        << "what another build says otherwise is no change of the machine";
  }
}

TEST_F(RunTest, AnotherBuildIsMeasuredBesideThisOne) {
  const std::string other = folder_.path() + "/other_build";
  std::filesystem::copy_file(VOXMARK_BINARY, other);
  std::ofstream(other, std::ios::app) << "another build";  // another hash, the same program
  const CommandResult result = run({"--backend", "naive", "--repeats", "2", "--against", other});
  EXPECT_EQ(result.status, 0) << result.err;
  const Json ours = read_json_file(report_);
  const Json theirs = read_json_file(folder_.path() + "/report.against.json");
  EXPECT_EQ(ours.at("records").size(), 2U);
  EXPECT_EQ(theirs.at("records").size(), 2U);
  EXPECT_NE(ours.at("voxmark").at("binary_sha256"), theirs.at("voxmark").at("binary_sha256"));
  EXPECT_EQ(ours.at("records").at(0).at("weights_sha256"),
            theirs.at("records").at(0).at("weights_sha256"));
  EXPECT_EQ(run({"--backend", "null", "--against", "/bin/true"}).status, 64);
}

TEST_F(RunTest, AProfileSaysWhereTheStepGoes) {
  const CommandResult result = run({"--backend", "naive,example", "--profile"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Where the step goes, 32x32x32 batch 1 fp32 1 thread,"));
  EXPECT_THAT(result.out, testing::ContainsRegex("convolution +backward_weights +[0-9]"));
  EXPECT_THAT(result.out, testing::ContainsRegex("update +update +[0-9]"));
  const CommandResult without = run({"--backend", "naive"});
  EXPECT_THAT(without.out, testing::Not(HasSubstr("Where the step goes")));
  const Json stages = read_json_file(report_).at("records").at(0).at("stages");
  EXPECT_TRUE(stages.at(0).at("seconds").is_number()) << "one step is always watched";
}

TEST_F(RunTest, AProfileIsOfStagesOrThePapersSettings) {
  EXPECT_EQ(run({"--backend", "null", "--profile", "--profile", "paper"}).status, 0);
  EXPECT_EQ(read_json_file(report_).at("details").at("thread_settings").at("profile"), "paper");
  const CommandResult wrong = run({"--backend", "null", "--profile", "suite.json"});
  EXPECT_EQ(wrong.status, 64);
  EXPECT_THAT(wrong.err, HasSubstr("--profile suite.json: expected stages"));
}

TEST_F(RunTest, ARecordTellsWhatWasCountedAndWhereItRan) {
  const CommandResult result = run({"--backend", "naive", "--bind", "cores", "--counters",
                                    "minor-faults", "--profile", "paper"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json_file(report_);
  const Json& details = report.at("records").at(0).at("details");
  const Json& events = details.at("probes").at("counters").at("events");
  for (const auto& event : events.items()) {
    EXPECT_TRUE(event.value().at("value").is_number() || event.value().contains("reason"))
        << event.key();
  }
  EXPECT_TRUE(events.contains("minor-faults"));
  EXPECT_TRUE(events.contains("task-clock"));
  EXPECT_GE(details.at("probes").at("threads").size(), 1U);
  EXPECT_GT(details.at("probes").at("harness_seconds_per_step").get<double>(), 0);
  EXPECT_TRUE(details.at("probes").at("threads").at(0).at("cpu").is_number());
  EXPECT_TRUE(details.at("interference").at("tainted").is_boolean());
  EXPECT_NE(details.at("execution").at("omp_proc_bind"), 0) << "requested, and in effect";
  EXPECT_EQ(details.at("execution").at("omp_num_places"), 1) << "one thread, one place";
  EXPECT_THAT(details.at("openmp_places").at(0).get<std::string>(), StartsWith("OMP_PLACES={"));
  const Json& settings = report.at("details").at("thread_settings");
  EXPECT_EQ(settings.at("requested").at("KMP_BLOCKTIME"), "1");
  EXPECT_EQ(settings.at("translated").at("OMP_PLACES"), "cores");
  EXPECT_THAT(settings.at("runtime").get<std::string>(),
              testing::AnyOf("libgomp", "libomp", "libiomp5"));
  EXPECT_THAT(report.at("records").at(0).at("reproduce").get<std::string>(),
              HasSubstr("--bind cores --profile paper"));
  EXPECT_TRUE(report.at("details").at("environment_changes").is_array());
  EXPECT_EQ(run({"--backend", "null", "--bind", "sockets"}).status, 64);
  EXPECT_EQ(run({"--backend", "null", "--counters", "no-such-event"}).status, 64);
}

TEST_F(RunTest, TheMachinesLimitsAndTheShareOfThemAreInTheReport) {
  setenv("DNNL_VERBOSE", "1", 1);  // its lines must not get among the answers of processes
  const CommandResult result =
      run_voxmark({"run", "--backend", "naive", "--image", "32", "--filters", "2", "--steps", "1",
                   "--warmup", "0", "--threads", "1", "--taint-repeats", "0", "--out", report_});
  unsetenv("DNNL_VERBOSE");
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json_file(report_);
  const Json& limits = report.at("limits").at("machine").at(0);
  EXPECT_EQ(limits.at("threads"), 1);
  EXPECT_GT(limits.at("fp32_flops_per_second").get<double>(), 0);
  for (const Json& reason : limits.at("interference")) {  // the report's words are those of the run
    EXPECT_THAT(result.err, HasSubstr(reason.get<std::string>()));
  }
  EXPECT_TRUE(limits.at("triad_bytes_per_second").is_number() ||
              limits.at("reasons").contains("triad_bytes_per_second"));
  EXPECT_TRUE(limits.at("bf16_flops_per_second").is_number() ||
              limits.at("reasons").contains("bf16_flops_per_second"));
  const Json& roofline = report.at("records").at(0).at("details").at("roofline");
  if (limits.at("triad_bytes_per_second").is_null()) {  // memory is scarce
    EXPECT_THAT(dump_json(roofline), HasSubstr("triad_bytes_per_second: "));
    return;
  }
  EXPECT_THAT(result.out, HasSubstr("of roofline"));
  EXPECT_GT(roofline.at("seconds").get<double>(), 0);
}

TEST_F(RunTest, ARedactedReportSaysNothingOfWhoseItIs) {
  const std::string set = folder_.path() + "/private_set";
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "1", "--image", "32"}).status, 0);
  const CommandResult result =
      run({"--backend", "null", "--channels", "4", "--classes", "3", "--data", set, "--redact"});
  ASSERT_EQ(result.status, 0) << result.err;
  const std::string text = dump_json(read_json_file(report_));
  EXPECT_EQ(text.find(folder_.path()), std::string::npos);
  EXPECT_THAT(text, HasSubstr("private_set"));
  EXPECT_THAT(text, HasSubstr("\"host\":\"redacted\""));
  EXPECT_EQ(run_voxmark({"validate", report_}).status, 0);
}

TEST_F(RunTest, NoiseTellsWhatAComparisonCanFind) {
  const CommandResult result = run_voxmark(
      {"noise",     "--backend", "naive",       "--image", "16",      "--filters", "2",
       "--threads", "1",         "--processes", "4",       "--steps", "2",         "--warmup",
       "0",         "--json",    "--out",       report_,   "--bind",  "cores",     "--redact"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json_file(report_);
  EXPECT_EQ(report.at("environment").at("system").at("host"), "redacted");
  EXPECT_EQ(report.at("details").at("thread_settings").at("bind"), "cores");
  EXPECT_THAT(report.at("records").at(0).at("reproduce").get<std::string>(),
              HasSubstr("--bind cores"));
  const Json answer = result.json();
  EXPECT_EQ(answer.at("processes"), 4);
  EXPECT_GE(answer.at("noise_floor").get<double>(), 0);
  EXPECT_TRUE(answer.at("minimum_detectable_effect").at("3").is_null());
  EXPECT_GE(answer.at("minimum_detectable_effect").at("5"),
            answer.at("minimum_detectable_effect").at("20"));
}

TEST(Machine, IsDescribedAsTextAsJsonAndRedacted) {
  const CommandResult text = run_voxmark({"sysinfo"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("Processor"), HasSubstr("microcode"), HasSubstr("Memory"),
                              HasSubstr("kernel"), HasSubstr("flags")));
  const Json facts = run_voxmark({"sysinfo", "--json"}).json();
  EXPECT_TRUE(facts.at("environment").at("cpu").at("topology").is_object());
  const CommandResult redacted = run_voxmark({"sysinfo", "--json", "--redact"});
  EXPECT_EQ(redacted.json().at("environment").at("system").at("host"), "redacted");
  EXPECT_EQ(redacted.out.find("/usr/lib"), std::string::npos);
}

TEST(Machine, ADoctorNamesWhatSpoilsAMeasurement) {
  const CommandResult result = run_voxmark({"doctor", "--json"});
  bool spoilt = false;
  const Json findings = result.json().at("findings");
  for (const Json& finding : findings) {
    const bool spoils = finding.at("health") == "spoils";
    const bool may_be_mended = spoils || finding.at("health") == "outside";
    EXPECT_EQ(finding.at("remedy").get<std::string>().empty(), !may_be_mended) << finding;
    spoilt = spoilt || spoils;
  }
  EXPECT_EQ(result.status, spoilt ? 1 : 0);
}

}  // namespace
}  // namespace voxmark
