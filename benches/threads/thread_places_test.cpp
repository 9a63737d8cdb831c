#include "benches/threads/thread_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"

namespace voxmark {
namespace {

using testing::ElementsAre;

// The white paper's server: 4 sockets of 20 cores. hwloc numbers hardware threads package by
// package, a core's beside each other.
constexpr const char* kFourSockets = "pack:4 [numa] l3:1 core:20 pu:2";
constexpr int kCores = 80, kCoresOfNode = 20, kPusOfNode = 40;

ThreadBinding bound(const std::string& bind, const std::string& machine,
                    const std::string& allowed = "") {
  return {synthetic_topology(machine, allowed), bind};
}

// How many threads have each set of CPUs.
std::map<Cpus, int> counts(const std::vector<Cpus>& cpus) {
  std::map<Cpus, int> found;
  for (const Cpus& own : cpus) {
    ++found[own];
  }
  return found;
}

std::set<int> nodes_of(const std::vector<Cpus>& cpus) {
  std::set<int> nodes;
  for (const Cpus& own : cpus) {
    for (const int cpu : own) {
      nodes.insert(cpu / kPusOfNode);
    }
  }
  return nodes;
}

TEST(Topology, OfASyntheticMachineHasItsCoresAndNodes) {
  const CpuTopology topology = synthetic_topology(kFourSockets);
  ASSERT_EQ(topology.cores.size(), 80U);
  EXPECT_THAT(topology.cores[0], ElementsAre(0, 1));
  EXPECT_THAT(topology.cores[79], ElementsAre(158, 159));
  ASSERT_EQ(topology.nodes.size(), 4U);
  EXPECT_EQ(topology.nodes[1].front(), kPusOfNode);
  EXPECT_EQ(topology.nodes[1].size(), static_cast<std::size_t>(kPusOfNode));
  EXPECT_THROW(synthetic_topology("sock:1"), Error);
  EXPECT_THROW(synthetic_topology("pack:1 core:2", "7"), Error);
}

TEST(Topology, MemoryWithoutCpusOfItsOwnIsNoSecondNode) {
  EXPECT_EQ(synthetic_topology("pack:2 [numa] [numa] core:2 pu:1").nodes.size(), 2U);
}

TEST(Topology, OfThisMachineHasTheCpusOfThisProcess) {
  const auto topology = cpu_topology();
  if (!topology) {
    GTEST_SKIP() << "hwloc cannot tell";
  }
  ASSERT_FALSE(topology->cores.empty());
  ASSERT_FALSE(topology->nodes.empty());
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int count = 0;
  for (const Cpus& core : topology->cores) {
    for (const int cpu : core) {
      EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) << cpu;
      ++count;
    }
  }
  EXPECT_EQ(count, CPU_COUNT(&allowed));
}

TEST(ThreadPlaces, NoCoreHasTwoThreadsBeforeEveryCoreHasOne) {
  const ThreadBinding cores = bound("cores", kFourSockets);
  for (int threads = 1; threads <= 3 * kCores; ++threads) {
    const std::map<Cpus, int> found = counts(cpus_of_threads(cores, threads));
    EXPECT_EQ(found.size(), static_cast<std::size_t>(std::min(threads, kCores))) << threads;
    const auto [least, most] =
        std::ranges::minmax_element(found, {}, [](const auto& place) { return place.second; });
    EXPECT_LE(most->second - least->second, 1) << threads;
  }
}

TEST(ThreadPlaces, CoresFillOneSocketAfterTheOther) {
  const ThreadBinding cores = bound("cores", kFourSockets);
  EXPECT_THAT(nodes_of(cpus_of_threads(cores, kCoresOfNode)), ElementsAre(0));
  EXPECT_THAT(nodes_of(cpus_of_threads(cores, kCoresOfNode + 1)), ElementsAre(0, 1));
}

TEST(ThreadPlaces, ThreadsFillOneCoreAfterTheOther) {
  const ThreadBinding threads = bound("threads", kFourSockets);
  EXPECT_THAT(cpus_of_threads(threads, 3), ElementsAre(Cpus{0}, Cpus{1}, Cpus{2}));
  EXPECT_EQ(counts(cpus_of_threads(threads, 2 * kCores)).size(), 160U) << "each its own";
}

TEST(ThreadPlaces, EveryNodeHasItsShareOfThreads) {
  const ThreadBinding numa = bound("numa", kFourSockets);
  for (int threads = 4; threads <= 2 * kCores; ++threads) {
    const std::map<Cpus, int> found = counts(cpus_of_threads(numa, threads));
    EXPECT_EQ(found.size(), 4U) << threads;
    for (const auto& [cpus, count] : found) {
      EXPECT_EQ(cpus.size(), static_cast<std::size_t>(kPusOfNode));
      EXPECT_TRUE(count == threads / 4 || count == threads / 4 + 1) << threads << ": " << count;
    }
  }
  EXPECT_THAT(nodes_of(cpus_of_threads(numa, 2)), ElementsAre(0, 2)) << "spread";
  const std::vector<Cpus> eight = cpus_of_threads(numa, 8);
  EXPECT_EQ(eight[0], eight[1]) << "neighbours share a node";
  EXPECT_NE(eight[1], eight[2]);
}

TEST(ThreadPlaces, OneSocketIsOneNode) {
  const std::string desk = "pack:1 [numa] core:4 pu:2";
  EXPECT_EQ(counts(cpus_of_threads(bound("numa", desk), 4)).size(), 1U);
  EXPECT_THAT(cpus_of_threads(bound("cores", desk), 2), ElementsAre(Cpus{0, 1}, Cpus{2, 3}));
}

TEST(ThreadPlaces, CpusThatAreNotAllowedAreNotUsed) {
  // Half of core 0, core 1, and one core of the third node.
  const std::string allowed = "1-3,80-81";
  EXPECT_THAT(cpus_of_threads(bound("cores", kFourSockets, allowed), 3),
              ElementsAre(Cpus{1}, Cpus{2, 3}, Cpus{80, 81}));
  EXPECT_THAT(cpus_of_threads(bound("threads", kFourSockets, allowed), 2),
              ElementsAre(Cpus{1}, Cpus{2}));
  EXPECT_THAT(cpus_of_threads(bound("numa", kFourSockets, allowed), 2),
              ElementsAre(Cpus{1, 2, 3}, Cpus{80, 81}));
}

TEST(ThreadPlaces, AreAskedForAsOpenMpReadsThem) {
  const std::vector<Cpus> cpus = {{0, 1, 2, 40, 41}, {7}, {3, 5}};
  EXPECT_THAT(openmp_places(cpus),
              ElementsAre("OMP_PLACES={0:3,40:2},{7},{3,5}", "OMP_PROC_BIND=close"));
}

}  // namespace
}  // namespace voxmark
