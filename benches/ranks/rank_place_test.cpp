#include "benches/ranks/rank_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/testing/refusal.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Places = std::vector<std::vector<Cpus>>;

// hwloc numbers hardware threads package by package, a core's beside each other: core c has the
// hardware threads 2c and 2c+1.
constexpr const char* kTwoSockets = "pack:2 [numa] core:24 pu:2";
constexpr const char* kFourNodes = "pack:2 numa:2 core:8 pu:1";

Places places(const std::string& machine, int ranks, int threads, const std::string& place = "numa",
              bool oversubscribe = false, const std::string& allowed = "") {
  return rank_places(synthetic_topology(machine, allowed), {place, ranks, threads, oversubscribe});
}

std::set<int> cpus_of(const std::vector<Cpus>& rank) {
  std::set<int> all;
  for (const Cpus& thread : rank) {
    all.insert(thread.begin(), thread.end());
  }
  return all;
}

// The nodes that hold a rank's CPUs.
std::set<std::size_t> nodes_of(const CpuTopology& topology, const std::vector<Cpus>& rank) {
  std::set<std::size_t> nodes;
  for (const int cpu : cpus_of(rank)) {
    for (std::size_t node = 0; node < topology.nodes.size(); ++node) {
      if (std::ranges::find(topology.nodes[node], cpu) != topology.nodes[node].end()) {
        nodes.insert(node);
      }
    }
  }
  return nodes;
}

// How many cores a rank runs on.
std::size_t cores_of(const CpuTopology& topology, const std::vector<Cpus>& rank) {
  const std::set<int> own = cpus_of(rank);
  return static_cast<std::size_t>(std::ranges::count_if(topology.cores, [&](const Cpus& core) {
    return std::ranges::any_of(core, [&](int cpu) { return own.contains(cpu); });
  }));
}

std::vector<int> counted(int first, int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST(RankPlaces, OneRankOfAllCoresHasBothSockets) {
  const Places found = places(kTwoSockets, 1, 48);
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].size(), 48U);
  for (int core = 0; core < 48; ++core) {
    EXPECT_THAT(found[0][static_cast<std::size_t>(core)], ElementsAre(2 * core, 2 * core + 1));
  }
}

TEST(RankPlaces, OneRankStaysInASocketWhereItHasRoom) {
  const CpuTopology topology = synthetic_topology(kTwoSockets);
  EXPECT_EQ(nodes_of(topology, places(kTwoSockets, 1, 24)[0]), (std::set<std::size_t>{0}));
  // 30 cores rather than 24 with 6 of their second hardware threads.
  const auto more = places(kTwoSockets, 1, 30)[0];
  EXPECT_EQ(cores_of(topology, more), 30U);
  EXPECT_EQ(nodes_of(topology, more).size(), 2U);
}

TEST(RankPlaces, TwoRanksHaveASocketEach) {
  const CpuTopology topology = synthetic_topology(kTwoSockets);
  for (const std::string place : {"numa", "socket"}) {
    for (const int threads : {1, 24}) {  // whole cores
      const Places found = places(kTwoSockets, 2, threads, place);
      for (std::size_t rank = 0; rank < 2; ++rank) {
        EXPECT_EQ(found[rank].size(), static_cast<std::size_t>(threads));
        EXPECT_EQ(nodes_of(topology, found[rank]), (std::set<std::size_t>{rank}));
        EXPECT_EQ(cores_of(topology, found[rank]), static_cast<std::size_t>(threads));
        EXPECT_EQ(found[rank][0].size(), 2U);  // with both hardware threads of a core
      }
    }
  }
}

TEST(RankPlaces, ARankHasAllCoresBeforeSecondHardwareThreads) {
  const CpuTopology topology = synthetic_topology(kTwoSockets);
  const Places found = places(kTwoSockets, 2, 30);  // 60 threads on 48 cores
  for (std::size_t rank = 0; rank < 2; ++rank) {
    EXPECT_EQ(found[rank].size(), 30U);
    EXPECT_EQ(cpus_of(found[rank]).size(), 30U);
    EXPECT_EQ(cores_of(topology, found[rank]), 24U);
    EXPECT_EQ(nodes_of(topology, found[rank]), (std::set<std::size_t>{rank}));
  }
}

TEST(RankPlaces, FourAndSixRanksShareSocketsEvenly) {
  const CpuTopology topology = synthetic_topology(kTwoSockets);
  for (const int ranks : {4, 6}) {
    const int cores = 48 / ranks;
    for (const int threads : {cores, 2 * cores}) {
      const Places found = places(kTwoSockets, ranks, threads);
      for (int rank = 0; rank < ranks; ++rank) {
        const auto& own = found[static_cast<std::size_t>(rank)];
        EXPECT_THAT(cpus_of(own), testing::ElementsAreArray(counted(rank * cores * 2, cores * 2)));
        EXPECT_EQ(own.size(), static_cast<std::size_t>(threads));
        EXPECT_EQ(cores_of(topology, own), static_cast<std::size_t>(cores));
      }
    }
  }
}

TEST(RankPlaces, OfFewThreadsLeaveTheRestOfTheirPartFree) {
  const Places found = places(kTwoSockets, 4, 2);
  EXPECT_THAT(found[0], ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_THAT(found[1], ElementsAre(ElementsAre(24, 25), ElementsAre(26, 27)));
  EXPECT_THAT(found[2], ElementsAre(ElementsAre(48, 49), ElementsAre(50, 51)));
  EXPECT_THAT(found[3], ElementsAre(ElementsAre(72, 73), ElementsAre(74, 75)));
}

TEST(RankPlaces, ThreeRanksOfTwoSocketsHaveWholeCoresOfTheirOwn) {
  const CpuTopology topology = synthetic_topology(kTwoSockets);
  const Places found = places(kTwoSockets, 3, 16);
  std::set<int> all;
  for (const auto& own : found) {
    EXPECT_EQ(cores_of(topology, own), 16U);
    all.merge(cpus_of(own));
  }
  EXPECT_EQ(all.size(), 96U);
  EXPECT_EQ(nodes_of(topology, found[0]).size(), 1U);
  EXPECT_EQ(nodes_of(topology, found[1]).size(), 1U);
  EXPECT_EQ(nodes_of(topology, found[2]).size(), 2U);  // 8 cores are left on each
}

TEST(RankPlaces, TwoCoresAreForTwoRanksOrTwoThreads) {
  for (const std::string machine : {"pack:1 [numa] core:2 pu:1", "core:2 pu:1"}) {
    EXPECT_THAT(places(machine, 2, 1), ElementsAre(ElementsAre(Cpus{0}), ElementsAre(Cpus{1})));
    EXPECT_THAT(places(machine, 1, 2), ElementsAre(ElementsAre(Cpus{0}, Cpus{1})));
    EXPECT_THAT(places(machine, 1, 1), ElementsAre(ElementsAre(Cpus{0})));
  }
  EXPECT_THAT(places("core:1 pu:2", 2, 1), ElementsAre(ElementsAre(Cpus{0}), ElementsAre(Cpus{1})));
}

TEST(RankPlaces, FourNodesAreDealtOut) {
  const CpuTopology topology = synthetic_topology(kFourNodes);
  const auto nodes = [&](int ranks, int threads, const std::string& place) {
    std::vector<std::set<std::size_t>> found;
    for (const auto& own : places(kFourNodes, ranks, threads, place)) {
      found.push_back(nodes_of(topology, own));
    }
    return found;
  };
  using Nodes = std::set<std::size_t>;
  ASSERT_EQ(topology.nodes.size(), 4U);
  EXPECT_THAT(nodes(4, 8, "numa"), ElementsAre(Nodes{0}, Nodes{1}, Nodes{2}, Nodes{3}));
  EXPECT_THAT(nodes(2, 8, "numa"), ElementsAre(Nodes{0}, Nodes{2}));
  EXPECT_THAT(nodes(2, 16, "numa"), ElementsAre(Nodes{0, 1}, Nodes{2, 3}));
  EXPECT_THAT(nodes(2, 16, "socket"), ElementsAre(Nodes{0, 1}, Nodes{2, 3}));
  EXPECT_THAT(nodes(8, 4, "numa"), ElementsAre(Nodes{0}, Nodes{0}, Nodes{1}, Nodes{1}, Nodes{2},
                                               Nodes{2}, Nodes{3}, Nodes{3}));
  // A fifth rank beside four: 5 of 6 cores do not go into a node twice.
  EXPECT_THAT(nodes(5, 5, "numa"),
              ElementsAre(Nodes{0}, Nodes{1}, Nodes{2}, Nodes{3}, Nodes{0, 1}));
}

TEST(RankPlaces, AreOfTheCpusThatThisProcessMayUse) {
  // One hardware thread of core 0, both of core 1, one of core 2; on the other socket one of each
  // of two cores.
  const std::string allowed = "1-4,49,51";
  const CpuTopology topology = synthetic_topology(kTwoSockets, allowed);
  EXPECT_THAT(places(kTwoSockets, 2, 2, "numa", false, allowed),
              ElementsAre(ElementsAre(Cpus{1}, Cpus{2, 3}), ElementsAre(Cpus{49}, Cpus{51})));
  // 5 threads on 5 cores.
  EXPECT_THAT(places(kTwoSockets, 1, 5, "numa", false, allowed),
              ElementsAre(ElementsAre(Cpus{1}, Cpus{2, 3}, Cpus{4}, Cpus{49}, Cpus{51})));
  // Two ranks of 3 threads: no socket but the first has 3, and each hardware thread has one.
  const Places uneven = places(kTwoSockets, 2, 3, "numa", false, allowed);
  std::set<int> all;
  for (const auto& own : uneven) {
    EXPECT_EQ(own.size(), 3U);
    all.merge(cpus_of(own));
  }
  EXPECT_EQ(all, (std::set<int>{1, 2, 3, 4, 49, 51}));
}

// Whatever the machine and the numbers: each thread has a place, no two threads share a hardware
// thread, and no core is shared before all are in use.
TEST(RankPlaces, NeverShareACpuWhereThereAreEnough) {
  for (const std::string machine : {"pack:2 [numa] core:3 pu:2", "pack:4 [numa] core:5 pu:1",
                                    "pack:1 numa:3 core:2 pu:4", "core:7 pu:2"}) {
    for (const std::string allowed : {"", "1,3-6", "0-2,5,9-11", "0,7-13"}) {
      const CpuTopology topology = synthetic_topology(machine, allowed);
      std::size_t there = 0;
      for (const Cpus& core : topology.cores) {
        there += core.size();
      }
      for (std::size_t ranks = 1; ranks <= there; ++ranks) {
        for (std::size_t threads = 1; ranks * threads <= there; ++threads) {
          SCOPED_TRACE(testing::Message() << machine << " CPUs " << allowed << ": " << ranks
                                          << " ranks of " << threads);
          for (const std::string place : {"numa", "socket"}) {
            const Places found =
                rank_places(topology, {place, static_cast<int>(ranks), static_cast<int>(threads)});
            ASSERT_EQ(found.size(), ranks);
            std::multiset<int> used;
            std::size_t cores = 0;
            for (const auto& own : found) {
              ASSERT_EQ(own.size(), threads);
              for (const Cpus& cpus : own) {
                ASSERT_FALSE(cpus.empty());
                used.insert(cpus.begin(), cpus.end());
              }
              cores += cores_of(topology, own);
            }
            EXPECT_EQ(used.size(), std::set<int>(used.begin(), used.end()).size());
            if (ranks * threads <= topology.cores.size()) {
              EXPECT_EQ(cores, ranks * threads);
            }
          }
        }
      }
    }
  }
}

TEST(RankPlaces, TooFewCpusAreRefusedUnlessSharingIsAskedFor) {
  const auto refused = [](int ranks, int threads) {
    return refusal_of([&] { places("core:2 pu:1", ranks, threads); });
  };
  EXPECT_THAT(refused(2, 2), AllOf(HasSubstr("2 ranks of 2 threads on a host need 4 CPUs, and "
                                             "there are 2"),
                                   HasSubstr("--threads"), HasSubstr("--ranks"),
                                   HasSubstr("--oversubscribe"), HasSubstr("--place none")));
  EXPECT_NE(refused(3, 1), "");
  EXPECT_THAT(places("core:2 pu:1", 2, 2, "numa", true),
              ElementsAre(ElementsAre(Cpus{0}, Cpus{0}), ElementsAre(Cpus{1}, Cpus{1})));
  EXPECT_THAT(places("core:2 pu:1", 4, 1, "socket", true),
              ElementsAre(ElementsAre(Cpus{0}), ElementsAre(Cpus{0}), ElementsAre(Cpus{1}),
                          ElementsAre(Cpus{1})));
  // Where there are enough, none is shared all the same.
  EXPECT_THAT(places("core:2 pu:1", 2, 1, "numa", true),
              ElementsAre(ElementsAre(Cpus{0}), ElementsAre(Cpus{1})));
}

TEST(RankPlaces, OfNoneAreTheLaunchers) {
  EXPECT_THAT(places("core:2 pu:1", 3, 4, "none"),
              ElementsAre(std::vector<Cpus>{}, std::vector<Cpus>{}, std::vector<Cpus>{}));
}

TEST(RankPlaces, OfAnotherWordOrNoThreadsAreRefused) {
  EXPECT_THAT(refusal_of([] { places("core:2 pu:1", 1, 1, "core"); }),
              HasSubstr("--place core: expected numa, socket or none"));
  EXPECT_NE(refusal_of([] { places("core:2 pu:1", 1, 0); }), "");
  EXPECT_NE(refusal_of([] { places("core:2 pu:1", 0, 1); }), "");
}

TEST(PlaceVariables, TellARankWhatItNeeds) {
  EXPECT_THAT(place_variables({"socket", 2, 24, true}),
              ElementsAre("VOXMARK_PLACE=socket", "VOXMARK_PLACE_THREADS=24",
                          "VOXMARK_PLACE_OVERSUBSCRIBE=1"));
}

}  // namespace
}  // namespace voxmark
