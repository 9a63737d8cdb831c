// Copies on machines that hwloc makes up: two and four sockets, hyper-threads, uneven shares.
#include "benches/ranks/copy_places.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "base/testing/refusal.h"

namespace voxmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Cpus cpus_in(const CpuTopology& topology) {
  Cpus cpus;
  for (const Cpus& core : topology.cores) {
    cpus.insert(cpus.end(), core.begin(), core.end());
  }
  std::ranges::sort(cpus);
  return cpus;
}

std::vector<Cpus> shares(const std::string& machine, int copies, int threads,
                         const std::string& allowed = "") {
  std::vector<Cpus> found;
  for (const CpuTopology& own :
       topologies_of_copies(synthetic_topology(machine, allowed), copies, threads)) {
    found.push_back(cpus_in(own));
  }
  return found;
}

TEST(CopyPlaces, ACopyHasASocketOfItsOwn) {
  EXPECT_THAT(shares("pack:2 [numa] core:2 pu:1", 2, 2),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_THAT(shares("pack:4 [numa] core:2 pu:1", 2, 4),
              ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(4, 5, 6, 7)));
}

TEST(CopyPlaces, CopiesOfOneNodeDivideItsCores) {
  EXPECT_THAT(
      shares("pack:2 [numa] core:2 pu:2", 4, 2),
      ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4, 5), ElementsAre(6, 7)));
  EXPECT_THAT(shares("pack:1 [numa] core:4 pu:1", 2, 2),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
}

// By nodes a copy would have one CPU for its two threads.
TEST(CopyPlaces, EnoughCpusComeBeforeNodesOfOnesOwn) {
  EXPECT_THAT(shares("pack:2 [numa] core:3 pu:1", 3, 2),
              ElementsAre(ElementsAre(0, 1), ElementsAre(3, 4), ElementsAre(2, 5)));
}

TEST(CopyPlaces, MoreCopiesThanCoresGetHardwareThreads) {
  EXPECT_THAT(shares("pack:1 [numa] core:1 pu:2", 2, 1),
              ElementsAre(ElementsAre(0), ElementsAre(1)));
}

TEST(CopyPlaces, NoCpuIsInTwoCopies) {
  for (const char* machine :
       {"pack:1 [numa] core:7 pu:2", "pack:2 [numa] core:5 pu:1", "pack:3 [numa] core:2 pu:2"}) {
    const int cpus = static_cast<int>(cpus_in(synthetic_topology(machine)).size());
    for (int copies = 1; copies <= cpus; ++copies) {
      Cpus all;
      for (const Cpus& own : shares(machine, copies, cpus / copies)) {
        EXPECT_GE(static_cast<int>(own.size()), cpus / copies) << machine << ", " << copies;
        all.insert(all.end(), own.begin(), own.end());
      }
      std::ranges::sort(all);
      EXPECT_EQ(std::ranges::adjacent_find(all), all.end()) << machine << ", " << copies;
    }
  }
}

std::string refusal(int copies, int threads, int cpus) {
  return refusal_of([&] { check_cpus(copies, threads, cpus); });
}

TEST(CopyPlaces, RefusesMoreThreadsThanCpusAndNamesTheFlags) {
  EXPECT_EQ(refusal(2, 2, 4), "");
  EXPECT_THAT(refusal(1, 5, 4), HasSubstr("threads 5"));
  const std::string text = refusal(3, 2, 4);
  EXPECT_THAT(text, HasSubstr("--copies 3 of --threads 2"));
  EXPECT_THAT(text, HasSubstr("4 CPUs"));
}

TEST(CopyPlaces, RefusesOneListOfCpusForAllCopies) {
  setenv("OMP_PLACES", "{0},{1}", 1);
  EXPECT_EQ(refusal(1, 1, 2), "");
  EXPECT_THAT(refusal(2, 1, 2), HasSubstr("OMP_PLACES={0},{1}"));
  setenv("OMP_PLACES", "cores", 1);
  EXPECT_EQ(refusal(2, 1, 2), "");
  unsetenv("OMP_PLACES");
}

}  // namespace
}  // namespace voxmark
