#include "benches/exchange/rank_children.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

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
