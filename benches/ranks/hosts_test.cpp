#include "benches/ranks/hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/refusal.h"

namespace voxmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal_of_file(const std::string& text) {
  return refusal_of([&] { parse_hosts(text, "hosts"); });
}

TEST(Hosts, AreWrittenAsOpenMpiOrAsMpichWritesThem) {
  EXPECT_THAT(
      parse_hosts("# mine\nnode1\n\n node2 slots=2 max_slots=4 # big\nnode3:3\r\n", "hosts"),
      ElementsAre(Host{"node1", 0}, Host{"node2", 2}, Host{"node3", 3}));
  EXPECT_THAT(parse_hosts("10.0.0.1:2\nfe80::1\nfe80::2 slots=2", "hosts"),
              ElementsAre(Host{"10.0.0.1", 2}, Host{"fe80::1", 0}, Host{"fe80::2", 2}));
}

TEST(Hosts, OnSeveralLinesHaveTheSlotsOfAll) {
  EXPECT_THAT(parse_hosts("a\na\nb\na:2", "hosts"), ElementsAre(Host{"a", 4}, Host{"b", 0}));
}

TEST(Hosts, ThatCannotBeReadAreRefusedByTheirLine) {
  for (const std::string line :
       {"node1 slots=0", "node1 slots=x", "node1:0", "node1:", "node1:two", "node1 2",
        "node1:2 slots=2", ":2", "-x", "a,b", "node1 slots=2 slots=3", "node1 slots=99999999999"}) {
    EXPECT_THAT(refusal_of_file("good\n" + line), HasSubstr("hosts: line 2: " + line));
  }
  EXPECT_THAT(refusal_of_file(""), HasSubstr("no host in it"));
  EXPECT_THAT(refusal_of_file("# a\n\n"), HasSubstr("no host in it"));
}

TEST(RanksByHost, FillAHostBeforeTheNext) {
  const std::vector<Host> hosts = {{"a", 2}, {"b", 2}, {"c", 2}};
  EXPECT_THAT(ranks_by_host(hosts, 1, false), ElementsAre(HostRanks{"a", 1}));
  EXPECT_THAT(ranks_by_host(hosts, 3, false), ElementsAre(HostRanks{"a", 2}, HostRanks{"b", 1}));
  EXPECT_THAT(ranks_by_host(hosts, 6, false),
              ElementsAre(HostRanks{"a", 2}, HostRanks{"b", 2}, HostRanks{"c", 2}));
  EXPECT_THAT(ranks_by_host({{"a", 0}, {"b", 2}}, 3, false),
              ElementsAre(HostRanks{"a", 1}, HostRanks{"b", 2}));
}

TEST(RanksByHost, AreDealtOutEvenlyWhereNoSlotsAreTold) {
  const std::vector<Host> hosts = {{"a"}, {"b"}};
  EXPECT_THAT(ranks_by_host(hosts, 1, false), ElementsAre(HostRanks{"a", 1}));
  EXPECT_THAT(ranks_by_host(hosts, 2, false), ElementsAre(HostRanks{"a", 1}, HostRanks{"b", 1}));
  EXPECT_THAT(ranks_by_host(hosts, 5, false), ElementsAre(HostRanks{"a", 3}, HostRanks{"b", 2}));
}

TEST(RanksByHost, MoreThanTheSlotsAreRefusedUnlessAskedFor) {
  const std::vector<Host> hosts = {{"a", 2}, {"b", 1}};
  const std::string refused = refusal_of([&] { ranks_by_host(hosts, 4, false); });
  EXPECT_THAT(refused, HasSubstr("ranks 4: the hosts take 3 (a: 2, b: 1)"));
  EXPECT_THAT(refused, HasSubstr("--oversubscribe"));
  EXPECT_THAT(ranks_by_host(hosts, 6, true), ElementsAre(HostRanks{"a", 4}, HostRanks{"b", 2}));
  EXPECT_THAT(refusal_of([&] { ranks_by_host({}, 4, true); }), HasSubstr("expected at least one"));
}

TEST(RanksByHost, AreDealtOutWhereSlotsAreMoreThanAnyMachineHas) {
  const std::vector<Host> hosts =
      parse_hosts("a slots=50000\nb slots=2147483647\nc:2000000000\nc slots=2000000000", "hosts");
  EXPECT_EQ(ranks_by_host(hosts, 60000, false).size(), 2U);
  EXPECT_THAT(ranks_by_host({{"a", 30000}, {"b", 30000}}, 65536, true),
              ElementsAre(HostRanks{"a", 32768}, HostRanks{"b", 32768}));
}

TEST(HostsOfTasks, AreReadAsSlurmWritesThem) {
  EXPECT_THAT(hosts_of_tasks("2(x2),1"), ElementsAre(Host{"", 2}, Host{"", 2}, Host{"", 1}));
  EXPECT_THAT(hosts_of_tasks("48"), ElementsAre(Host{"", 48}));
  for (const char* text : {"", "x", "2(x0)", "2(x", "2,,1", "0"}) {
    EXPECT_THAT(hosts_of_tasks(text), ElementsAre()) << text;
  }
}

}  // namespace
}  // namespace voxmark
