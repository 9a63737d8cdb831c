#include "benches/exchange/rank_children.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "base/testing/refusal.h"
#include "base/testing/temporary_folder.h"
#include "benches/exchange/exchange.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

CaseSpec case_of(int ranks) {
  CaseSpec spec;
  spec.backend = "naive";
  spec.ranks = ranks;
  return spec;
}

RankSettings settings_of(std::vector<std::string> launcher) {
  RankSettings settings;
  settings.launcher = {{LauncherKind::open_mpi, "4.1.4"}, std::move(launcher), "", 0, 0};
  return settings;
}

std::vector<std::string> environment_of_ranks(const RankSettings& settings) {
  return started_as_ranks(settings, case_of(2), {{"voxmark"}, {}, ""}, {}).environment;
}

TEST(MostRanksOfHost, AreThoseOfTheFullestOne) {
  RankSettings settings = settings_of({"mpirun"});
  EXPECT_EQ(most_ranks_of_host(settings, 20), 20) << "this host alone";
  settings.allocation.assign(10, Host{"", 2});
  EXPECT_EQ(most_ranks_of_host(settings, 20), 2);
  EXPECT_EQ(most_ranks_of_host(settings, 1), 1);
  EXPECT_EQ(most_ranks_of_host(settings, 40), 4);
  settings.hosts = {{"a", 3}, {"b", 17}};
  EXPECT_EQ(most_ranks_of_host(settings, 20), 17);
  EXPECT_EQ(most_ranks_of_host(settings, 4), 3);
}

TEST(StartedAsRanks, DoNotPlaceThemselvesWhereTheLauncherBindsThem) {
  RankSettings settings = settings_of({"mpirun", "--bind-to", "core"});
  EXPECT_THAT(refusal_of([&] { environment_of_ranks(settings); }),
              AllOf(HasSubstr("--bind-to core"), HasSubstr("--place none")));
  settings.place = "none";
  EXPECT_THAT(environment_of_ranks(settings), Contains("VOXMARK_PLACE=none"));
}

TEST(StartedAsRanks, ShareCpusWhereNobodyPlacesThem) {
  RankSettings settings = settings_of({"mpirun"});
  EXPECT_THAT(environment_of_ranks(settings), Not(Contains(HasSubstr("VOXMARK_RANKS_SHARE_CPUS"))));
  settings.place = "none";
  EXPECT_THAT(environment_of_ranks(settings), Contains("VOXMARK_RANKS_SHARE_CPUS=others"));
  settings.oversubscribe = true;
  EXPECT_THAT(environment_of_ranks(settings), Contains("VOXMARK_RANKS_SHARE_CPUS=always"));
}

// --bind and --profile place the threads of one process: all ranks would take the same CPUs.
TEST(StartedAsRanks, DoNotTakeThePlacesOfOneProcess) {
  const TemporaryFolder folder;
  const std::string script = folder.path() + "/mpirun";
  std::ofstream(script) << "#!/bin/sh\nenv > " << folder.path() + "/environment" << "\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  ChildProgram program;
  program.command = {"voxmark", "child"};
  program.environment = {"OMP_PLACES={0},{1}", "OMP_PROC_BIND=close", "KMP_AFFINITY=compact",
                         "OMP_WAIT_POLICY=active"};
  program.ranks = settings_of({script});
  program.ranks->place = "none";
  Request request;
  request.mode = ChildMode::time;
  request.spec = case_of(2);
  exchange(program, request, [](const StepMessage&) {});
  const std::string environment = read_text_file(folder.path() + "/environment");
  EXPECT_THAT(environment, HasSubstr("OMP_WAIT_POLICY=active"));
  EXPECT_THAT(environment, Not(HasSubstr("OMP_PLACES")));
  EXPECT_THAT(environment, Not(HasSubstr("OMP_PROC_BIND")));
  EXPECT_THAT(environment, Not(HasSubstr("KMP_AFFINITY")));
}

std::string text_of(std::string_view text) {
  const auto end = rank_end(text);
  return end ? end->text() : "";
}

std::optional<Outcome> outcome_of(std::string_view text) {
  const auto end = rank_end(text);
  return end ? std::optional(end->outcome()) : std::nullopt;
}

constexpr std::string_view kTwoRanks =
    "voxmark: rank 0 on a: is process 7\nvoxmark: rank 1 on a: is process 8\n";

std::string after_start(std::string_view text) {
  return std::string(kTwoRanks) + std::string(text);
}

TEST(RankEnd, IsNamedByOpenMpi) {
  const std::string text = after_start(
      "--------\nmpirun noticed that process rank 1 with PID 0 on node b exited on signal 9 "
      "(Killed).\n--------\n");
  EXPECT_EQ(text_of(text), "rank 1 on b: SIGKILL");
  EXPECT_EQ(outcome_of(text), Outcome::crashed);
}

std::string hydra(std::string_view process, std::string_view code) {
  return fmt::format(
      "{{\"type\": \"st\n=====\n=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
      "=   PID {} RUNNING AT a\n=   EXIT CODE: {}\n=   CLEANING UP REMAINING PROCESSES\n",
      process, code);
}

TEST(RankEnd, IsNamedByMpichThroughItsProcess) {
  EXPECT_EQ(text_of(after_start(hydra("8", "11"))), "rank 1 on a: SIGSEGV");
  EXPECT_EQ(text_of(after_start(hydra("7", "9"))), "rank 0 on a: SIGKILL");
  EXPECT_EQ(outcome_of(after_start(hydra("8", "11"))), Outcome::crashed);
}

TEST(RankEnd, IsTheSignalWhereMemoryWasDumped) {
  EXPECT_EQ(text_of(after_start(hydra("8", "139"))), "rank 1 on a: SIGSEGV");
  EXPECT_EQ(text_of(after_start(hydra("8", "134"))), "rank 1 on a: SIGABRT");
}

// A killed rank whose neighbour copied from its memory, and ends for want of it.
TEST(RankEnd, IsThatOfTheRankWhoseNeighbourMissesIt) {
  const std::string text = after_start(
      "[a:7:0:9]      cma_ep.c:81   process_vm_readv(pid=8 {0x7f09,176}-->{0x55c5,176}) returned "
      "-1: No such process\n==== backtrace (tid:      9) ====\n");
  EXPECT_EQ(text_of(text + hydra("7", "134")), "rank 1 on a: is gone");
  EXPECT_EQ(outcome_of(text + hydra("7", "134")), Outcome::crashed);
  EXPECT_EQ(text_of(text + hydra("8", "9")), "rank 1 on a: SIGKILL");
}

TEST(RankEnd, IsTheStatusOfARankThatExits) {
  EXPECT_EQ(text_of(after_start(hydra("8", "1280"))), "rank 1 on a: exit status 5");
  EXPECT_EQ(outcome_of(after_start(hydra("8", "1280"))), Outcome::failed);
}

TEST(RankEnd, IsFoundByItsHostToo) {
  EXPECT_EQ(text_of("voxmark: rank 0 on b: is process 8\nvoxmark: rank 1 on a: is process 8\n" +
                    hydra("8", "9")),
            "rank 1 on a: SIGKILL");
  EXPECT_EQ(text_of("voxmark: rank 4 on a.of.us: is process 8\n" + hydra("8", "9")),
            "rank 4 on a: SIGKILL");
  EXPECT_EQ(text_of("voxmark: rank 0 on b: is process 8\nvoxmark: rank 1 on c: is process 8\n" +
                    hydra("8", "9")),
            "a rank on a: SIGKILL");
}

std::string intel(int rank, std::string_view end) {
  return fmt::format(
      "=====\n=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
      "=   RANK {} PID 900{} RUNNING AT node{}\n=   {}\n=====\n",
      rank, rank, rank, end);
}

TEST(RankEnd, IsNamedByIntelMpi) {
  EXPECT_EQ(text_of(after_start(intel(1, "KILLED BY SIGNAL: 9 (Killed)"))),
            "rank 1 on node1: SIGKILL");
  EXPECT_EQ(text_of(after_start(intel(3, "EXIT STATUS: 255"))), "rank 3 on node3: exit status 255");
}

TEST(RankEnd, IsNotThatOfRanksThatTheLauncherEnded) {
  const std::string others = intel(0, "KILLED BY SIGNAL: 9 (Killed)");
  EXPECT_EQ(text_of(after_start(others + intel(1, "KILLED BY SIGNAL: 11 (Segmentation fault)") +
                                intel(2, "KILLED BY SIGNAL: 9 (Killed)"))),
            "rank 1 on node1: SIGSEGV");
  EXPECT_EQ(text_of(after_start(others + intel(1, "KILLED BY SIGNAL: 9 (Killed)"))),
            "a rank: SIGKILL");
}

TEST(RankEnd, IsNamedBySrun) {
  const auto srun = [](std::string_view text) {
    return after_start(fmt::format("srun: error: node7: {}\n", text));
  };
  for (const auto& [said, text, outcome] :
       {std::tuple("task 3: Killed", "rank 3 on node7: SIGKILL", Outcome::crashed),
        std::tuple("tasks 1-3: Killed", "ranks 1-3 on node7: SIGKILL", Outcome::crashed),
        std::tuple("task 3: Segmentation fault (core dumped)", "rank 3 on node7: SIGSEGV",
                   Outcome::crashed),
        std::tuple("task 3: Aborted", "rank 3 on node7: SIGABRT", Outcome::crashed),
        std::tuple("task 3: Exited with exit code 2", "rank 3 on node7: Exited with exit code 2",
                   Outcome::failed),
        std::tuple("task 3: Out Of Memory",
                   "rank 3 on node7: SIGKILL: killed by the kernel for want of memory",
                   Outcome::oom)}) {
    EXPECT_EQ(text_of(srun(said)), text);
    EXPECT_EQ(outcome_of(srun(said)), outcome) << said;
  }
}

TEST(RankEnd, IsWantOfMemoryWhereSlurmSaysSo) {
  EXPECT_EQ(outcome_of(after_start("slurmstepd: error: Detected 1 oom_kill event in StepId=12.0. "
                                   "Some of the step tasks have been OOM Killed.\n"
                                   "srun: error: node7: task 3: Killed\n")),
            Outcome::oom);
}

TEST(RankEnd, IsThatOfWhomSrunDidNotEnd) {
  EXPECT_EQ(text_of(after_start("srun: error: node7: tasks 0-2: Terminated\n"
                                "srun: error: node7: task 3: Bus error\n"
                                "srun: error: node8: tasks 4-7: Killed\n")),
            "rank 3 on node7: SIGBUS");
}

TEST(RankEnd, IsToldByTheRankItselfWhateverTheLauncherSaysAfterIt) {
  const auto end = rank_end(
      "voxmark: rank 2 on b: is process 9\n"
      "voxmark: rank 2 on b: failed (bad_input): no such file\n"
      "voxmark: rank 3 on b: failed (internal): and this came later\n"
      "MPI_ABORT was invoked on rank 2 in communicator MPI_COMM_WORLD\n"
      "with errorcode 70.\n"
      "mpirun noticed that process rank 1 with PID 0 on node b exited on signal 9 (Killed).\n");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->text(), "rank 2 on b: no such file");
  EXPECT_EQ(end->outcome(), Outcome::failed);
  EXPECT_EQ(end->code(), ExitCode::bad_input);
}

// As of one process, whichever rank it is.
TEST(RankEnd, HasTheOutcomeAndTheFaultThatTheRankNames) {
  for (const auto& [failure, outcome, code] :
       {std::tuple(RankFailure::internal, Outcome::failed, ExitCode::internal),
        std::tuple(RankFailure::bad_input, Outcome::failed, ExitCode::bad_input),
        std::tuple(RankFailure::out_of_memory, Outcome::oom, ExitCode::internal),
        std::tuple(RankFailure::cannot_here, Outcome::failed, ExitCode::cannot_here)}) {
    for (const std::optional<int> rank :
         {std::optional(0), std::optional(1), std::optional<int>()}) {
      const auto end = rank_end(to_text({rank, "a", RankWord::failed, 0, failure, "why"}));
      ASSERT_TRUE(end);
      EXPECT_EQ(end->outcome(), outcome);
      EXPECT_EQ(end->code(), code);
    }
  }
}

TEST(RankEnd, IsToldByWhoeverDidNotBecomeARank) {
  EXPECT_EQ(text_of("voxmark: child: no such CPU\n-----\nPrimary job terminated normally, but 1 "
                    "process returned\n"),
            "a rank: child: no such CPU");
  EXPECT_EQ(text_of("voxmark: child: no such CPU\n" + hydra("8", "9")),
            "a rank: child: no such CPU");
}

TEST(RankEnd, IsNotAWarningOfARank) {
  EXPECT_EQ(text_of("voxmark: OMP_PLACES is unusual\n" + after_start(hydra("8", "11"))),
            "rank 1 on a: SIGSEGV");
  EXPECT_EQ(text_of(after_start("voxmark: warning: slow\nsrun: error: a: task 1: Killed\n")),
            "rank 1 on a: SIGKILL");
}

TEST(RankEnd, IsAHostThatNoLongerAnswers) {
  const std::string lost =
      "ORTE has lost communication with a remote daemon.\n\n"
      "  HNP daemon   : [[1,0],0] on node a\n"
      "  Remote daemon: [[1,0],1] on node b\n";
  EXPECT_EQ(text_of(lost), "a rank on b: its host no longer answers");
  const auto end =
      rank_end("voxmark: rank 0 on a: is process 7\nvoxmark: rank 1 on b: is process 7\n" + lost);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->text(), "rank 1 on b: its host no longer answers");
  EXPECT_EQ(end->outcome(), Outcome::crashed);
}

TEST(RankEnd, IsNothingWhereNobodyIsNamed) {
  EXPECT_EQ(text_of(after_start("something else\n")), "");
}

TEST(RanksThatHang, AreThoseThatDoNotWait) {
  EXPECT_EQ(ranks_that_hang("voxmark: rank 0 on a: is process 7\n"
                            "voxmark: rank 1 on b: is process 7\n"
                            "voxmark: rank 2 on b: is process 8\n"
                            "voxmark: rank 0 on a: waits for the others\n"
                            "voxmark: rank 2 on b: waits for the others\n"),
            "rank 1 on b did not come where the others wait");
  EXPECT_EQ(ranks_that_hang(kTwoRanks), "");
  EXPECT_EQ(ranks_that_hang(""), "");
}

TEST(RanksThatHang, AreNotThoseOfWhichNothingIsKnown) {
  EXPECT_EQ(ranks_that_hang("voxmark: rank 5 on a: waits for the others\n"), "");
}

}  // namespace
}  // namespace voxmark
