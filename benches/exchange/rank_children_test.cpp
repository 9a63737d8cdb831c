#include "benches/exchange/rank_children.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/json.h"
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
  try {
    environment_of_ranks(settings);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--bind-to core"), HasSubstr("--place none")));
  }
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

std::string text_of(std::string_view error_text) {
  const auto end = rank_end(error_text);
  return end ? end->text() : "";
}

TEST(RankEnd, IsNamedByOpenMpi) {
  EXPECT_EQ(text_of("voxmark: rank 0 on a: is process 7\n"
                    "--------\n"
                    "mpirun noticed that process rank 1 with PID 0 on node b exited on signal 9 "
                    "(Killed).\n--------\n"),
            "rank 1 on b: SIGKILL");
}

TEST(RankEnd, IsNamedByHydraThroughItsProcess) {
  EXPECT_EQ(text_of("voxmark: rank 0 on a: is process 7\nvoxmark: rank 1 on a: is process 8\n"
                    "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
                    "=   PID 8 RUNNING AT a\n=   EXIT CODE: 11\n=   CLEANING UP REMAINING\n"),
            "rank 1 on a: SIGSEGV");
}

TEST(RankEnd, IsNamedBySrun) {
  EXPECT_EQ(text_of("srun: error: node7: task 3: Killed\n"), "rank 3 on node7: Killed");
}

TEST(RankEnd, IsToldByTheRankItselfWhateverTheLauncherSaysAfterIt) {
  EXPECT_EQ(text_of("voxmark: rank 2 on b: is process 9\n"
                    "voxmark: rank 2 on b: failed: no room for 3 GiB\n"
                    "MPI_ABORT was invoked on rank 2 in communicator MPI_COMM_WORLD\n"
                    "with errorcode 70.\n"),
            "rank 2 on b: no room for 3 GiB");
}

TEST(RankEnd, IsToldByWhoeverDidNotBecomeARank) {
  EXPECT_EQ(text_of("voxmark: child: no such CPU\n-----\nPrimary job terminated normally, but 1 "
                    "process returned\n"),
            "a rank: child: no such CPU");
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
  EXPECT_TRUE(end->said.empty());  // so that the case is crashed, and not failed
}

TEST(RankEnd, IsNothingWhereNobodyIsNamed) {
  EXPECT_EQ(text_of("voxmark: rank 0 on a: is process 7\nsomething else\n"), "");
}

TEST(RanksThatHang, AreThoseThatDoNotWait) {
  EXPECT_EQ(ranks_that_hang("voxmark: rank 0 on a: is process 7\n"
                            "voxmark: rank 1 on b: is process 7\n"
                            "voxmark: rank 2 on b: is process 8\n"
                            "voxmark: rank 0 on a: waits for the others\n"
                            "voxmark: rank 2 on b: waits for the others\n",
                            3),
            "rank 1 on b did not come where the others wait");
  EXPECT_EQ(ranks_that_hang("", 3), "");
  EXPECT_EQ(ranks_that_hang("voxmark: rank 0 on a: waits for the others\n", 1), "");
}

}  // namespace
}  // namespace voxmark
