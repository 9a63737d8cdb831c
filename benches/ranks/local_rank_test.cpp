#include "benches/ranks/local_rank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/testing/refusal.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(LocalRank, IsTakenFromTheLauncherThatStartedIt) {
  EXPECT_EQ(local_rank({{"OMPI_COMM_WORLD_LOCAL_RANK", "1"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}}),
            (LocalRank{1, 2}));
  EXPECT_EQ(local_rank({{"MPI_LOCALRANKID", "3"}, {"MPI_LOCALNRANKS", "4"}}), (LocalRank{3, 4}));
  EXPECT_EQ(local_rank({{"HOME", "/"}}), std::nullopt);
}

TEST(LocalRank, OfSlurmIsThatOfItsStep) {
  const auto of_node = [](const char* tasks, const char* node, const char* rank) {
    return local_rank(
        {{"SLURM_LOCALID", rank}, {"SLURM_NODEID", node}, {"SLURM_STEP_TASKS_PER_NODE", tasks}});
  };
  EXPECT_EQ(of_node("2", "0", "1"), (LocalRank{1, 2}));
  EXPECT_EQ(of_node("4(x3),2,1(x2)", "2", "3"), (LocalRank{3, 4}));
  EXPECT_EQ(of_node("4(x3),2,1(x2)", "3", "1"), (LocalRank{1, 2}));
  EXPECT_EQ(of_node("4(x3),2,1(x2)", "5", "0"), (LocalRank{0, 1}));
  EXPECT_NE(refusal_of([&] { of_node("2", "1", "0"); }), "");
  EXPECT_NE(refusal_of([&] { of_node("2(x", "0", "0"); }), "");
  // A batch script is no rank, nor is one that its mpirun starts Slurm's.
  EXPECT_EQ(local_rank({{"SLURM_LOCALID", "0"}, {"SLURM_NODEID", "0"}}), std::nullopt);
  EXPECT_EQ(local_rank({{"SLURM_LOCALID", "0"},
                        {"SLURM_NODEID", "0"},
                        {"SLURM_STEP_TASKS_PER_NODE", "1"},
                        {"MPI_LOCALRANKID", "1"},
                        {"MPI_LOCALNRANKS", "2"}}),
            (LocalRank{1, 2}));
}

TEST(LocalRank, ThatIsHalfSetIsRefusedByItsVariables) {
  const std::string half = refusal_of([] { local_rank({{"OMPI_COMM_WORLD_LOCAL_RANK", "0"}}); });
  EXPECT_THAT(half, AllOf(HasSubstr("OMPI_COMM_WORLD_LOCAL_RANK=0"),
                          HasSubstr("OMPI_COMM_WORLD_LOCAL_SIZE not set")));
  EXPECT_NE(refusal_of([] { local_rank({{"MPI_LOCALNRANKS", "2"}}); }), "");
  EXPECT_NE(refusal_of([] { local_rank({{"MPI_LOCALRANKID", "2"}, {"MPI_LOCALNRANKS", "2"}}); }),
            "");
  EXPECT_NE(refusal_of([] { local_rank({{"MPI_LOCALRANKID", "x"}, {"MPI_LOCALNRANKS", "2"}}); }),
            "");
}

}  // namespace
}  // namespace voxmark
