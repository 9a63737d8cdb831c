#include "benches/child/rank_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace voxmark {
namespace {

using testing::HasSubstr;

Json facts(const char* host, std::vector<int> cpus, int threads) {
  return {{"host", host},
          {"cpus", std::move(cpus)},
          {"threads", threads},
          {"kernels",
           {{"binary_sha256", "a"}, {"libraries", {}}, {"cpu_flags", "avx2"}, {"variables", {}}}}};
}

std::string conflict(std::vector<Json> ranks, CpuSharing sharing = CpuSharing::nothing) {
  return conflict_of_ranks(ranks, sharing);
}

TEST(ConflictOfRanks, IsNoneWhereEachHasItsOwnCpus) {
  EXPECT_EQ(conflict({facts("a", {0, 1}, 2), facts("a", {2, 3}, 2), facts("b", {0, 1}, 2)}), "");
}

TEST(ConflictOfRanks, IsACpuThatTwoRanksShare) {
  EXPECT_EQ(conflict({facts("a", {0, 1}, 1), facts("a", {1, 2}, 1)}),
            "ranks 0 and 1 on a share CPU 1: --place numa gives each its own, --oversubscribe lets "
            "them share");
  const std::vector<Json> shared = {facts("a", {0, 1}, 1), facts("a", {1, 2}, 1)};
  EXPECT_EQ(conflict(shared, CpuSharing::always), "");
  EXPECT_EQ(conflict(shared, CpuSharing::with_other_ranks), "");
}

TEST(ConflictOfRanks, IsARankWithFewerCpusThanThreads) {
  const std::vector<Json> few = {facts("a", {0, 1}, 2), facts("b", {0}, 2)};
  for (const CpuSharing sharing : {CpuSharing::nothing, CpuSharing::with_other_ranks}) {
    EXPECT_EQ(
        conflict(few, sharing),
        "rank 1 on b may use 1 of the CPUs, for 2 threads: --threads 1, or a --launcher that does "
        "not bind");
  }
  EXPECT_EQ(conflict(few, CpuSharing::always), "");
}

TEST(ConflictOfRanks, IsAnotherBuildOrMachineOrSetting) {
  for (const auto& [member, words] :
       {std::pair("binary_sha256", "another build"), std::pair("libraries", "other libraries"),
        std::pair("cpu_flags", "other instruction sets"),
        std::pair("variables", "other variables")}) {
    Json other = facts("b", {0}, 1);
    other["kernels"][member] = "another";
    const std::string text = conflict({facts("a", {0}, 1), other}, CpuSharing::always);
    EXPECT_THAT(text, HasSubstr(words));
    EXPECT_THAT(text, HasSubstr("rank 1 on b"));
  }
}

}  // namespace
}  // namespace voxmark
