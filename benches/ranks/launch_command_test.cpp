#include "benches/ranks/launch_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/testing/refusal.h"

namespace voxmark {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kProgram = {"voxmark", "child"};
const std::vector<std::string> kVariables = {"VOXMARK_PLACE=numa", "OMP_PLACES={0,1},{2:2}"};

Launcher launcher(LauncherKind kind, std::vector<std::string> words,
                  const std::string& version = "4.1.4") {
  return {{kind, version}, std::move(words), "", 0, 0};
}

std::vector<std::string> words(const Launcher& launcher, const LaunchRequest& request) {
  return launch_command(launcher, request, kProgram).words;
}

TEST(LaunchCommand, OfOpenMpi) {
  const Launcher mpirun = launcher(LauncherKind::open_mpi, {"mpirun", "--mca", "btl", "tcp,self"});
  EXPECT_THAT(words(mpirun, {.ranks = 2, .environment = kVariables}),
              ElementsAre("mpirun", "--mca", "btl", "tcp,self", "-n", "2", "--use-hwthread-cpus",
                          "--map-by", "slot", "--bind-to", "none", "-x", "VOXMARK_PLACE=numa", "-x",
                          "OMP_PLACES={0,1},{2:2}", "voxmark", "child"));
  EXPECT_EQ(launch_command(mpirun, {.ranks = 2, .environment = kVariables}, kProgram).environment,
            kVariables);
  EXPECT_THAT(words(launcher(LauncherKind::open_mpi, {"mpirun"}),
                    {.ranks = 3, .hosts = {{"a", 2}, {"b", 1}}, .as_root = true}),
              ElementsAre("mpirun", "--allow-run-as-root", "-n", "3", "--host", "a:2,b:1", "--mca",
                          "oob_tcp_keepalive_time", "10", "--mca", "oob_tcp_keepalive_intvl", "5",
                          "--mca", "oob_tcp_keepalive_probes", "2", "--map-by", "slot", "--bind-to",
                          "none", "voxmark", "child"));
  EXPECT_THAT(
      words(launcher(LauncherKind::open_mpi, {"mpirun", "--mca", "oob_tcp_keepalive_time", "60"}),
            {.ranks = 2, .hosts = {{"a", 2}}}),
      Not(Contains("10")));
}

TEST(LaunchCommand, SetsTheLastOfAVariableThatIsNamedTwice) {
  const auto command = launch_command(
      launcher(LauncherKind::mpich, {"mpirun"}),
      {.ranks = 1, .environment = {"A=1", "AB=2", "VOXMARK_PLACE=none", "A=3"}}, kProgram);
  EXPECT_THAT(command.environment, ElementsAre("AB=2", "VOXMARK_PLACE=none", "A=3"));
  EXPECT_THAT(command.words,
              ElementsAre("mpirun", "-n", "1", "-bind-to", "none", "-genv", "AB", "2", "-genv",
                          "VOXMARK_PLACE", "none", "-genv", "A", "3", "voxmark", "child"));
}

TEST(LaunchCommand, OfOpenMpiSharesCpusWhereThatIsAskedFor) {
  const auto shared =
      words(launcher(LauncherKind::open_mpi, {"mpirun"}), {.ranks = 9, .oversubscribe = true});
  EXPECT_THAT(shared, Contains("slot:OVERSUBSCRIBE"));
  EXPECT_THAT(shared, Contains("mpi_yield_when_idle"));
}

TEST(LaunchCommand, OfOpenMpi5HasNoWordsThatItCallsOld) {
  EXPECT_THAT(words(launcher(LauncherKind::open_mpi, {"mpirun"}, "5.0.3"), {.ranks = 2}),
              Not(Contains("--use-hwthread-cpus")));
}

TEST(LaunchCommand, OfMpichAndOfIntel) {
  const LaunchRequest request{
      .ranks = 3, .hosts = {{"a", 2}, {"b", 1}}, .environment = kVariables, .as_root = true};
  EXPECT_THAT(words(launcher(LauncherKind::mpich, {"mpirun.mpich"}), request),
              ElementsAre("mpirun.mpich", "-n", "3", "-hosts", "a:2,b:1", "-bind-to", "none",
                          "-genv", "VOXMARK_PLACE", "numa", "-genv", "OMP_PLACES", "{0,1},{2:2}",
                          "voxmark", "child"));
  EXPECT_THAT(words(launcher(LauncherKind::intel, {"mpirun"}), {.ranks = 2}),
              ElementsAre("mpirun", "-n", "2", "-genv", "I_MPI_PIN", "off", "voxmark", "child"));
}

TEST(LaunchCommand, OfIntelTellsHostsAndNumbersApart) {
  const auto hosts = [](std::vector<HostRanks> list) {
    const auto all =
        words(launcher(LauncherKind::intel, {"mpirun"}), {.ranks = 3, .hosts = std::move(list)});
    return std::vector<std::string>(all.begin() + 3, all.begin() + 7);
  };
  EXPECT_THAT(hosts({{"a", 2}, {"b", 1}}), ElementsAre("-hosts", "a,b", "-ppn", "2"));
  EXPECT_THAT(hosts({{"a", 3}}), ElementsAre("-hosts", "a", "-ppn", "3"));
  EXPECT_THAT(hosts({{"a", 1}, {"b", 2}}), ElementsAre("-hosts", "a,b,b", "-ppn", "1"));
}

TEST(LaunchCommand, OfSrun) {
  Launcher srun = launcher(LauncherKind::srun, {"srun"}, "22.05.8");
  srun.pmi = "pmix";
  const auto command = launch_command(
      srun, {.ranks = 3, .hosts = {{"a", 2}, {"b", 1}}, .environment = kVariables}, kProgram);
  EXPECT_THAT(command.words,
              ElementsAre("srun", "--ntasks=3", "--input=0", "--kill-on-bad-exit=1", "--mpi=pmix",
                          "--nodelist=a,b", "--nodes=2", "--distribution=plane=2",
                          "--cpu-bind=none", "--overlap", "--export=ALL", "voxmark", "child"));
  EXPECT_EQ(command.environment, kVariables);
  EXPECT_THAT(words(srun, {.ranks = 9, .oversubscribe = true}), Contains("--overcommit"));
  EXPECT_THROW(words(srun, {.ranks = 3, .hosts = {{"a", 1}, {"b", 2}}}), Error);
  EXPECT_THROW(words(srun, {.ranks = 5, .hosts = {{"a", 2}, {"b", 1}, {"c", 2}}}), Error);
}

TEST(LaunchCommand, OfSrunFillsHostsAsTheAllocationIsMeant) {
  Launcher srun = launcher(LauncherKind::srun, {"srun"});
  srun.ranks_per_host = 2;
  EXPECT_THAT(words(srun, {.ranks = 3}), Contains("--nodes=2"));
  EXPECT_THAT(words(srun, {.ranks = 2}), Contains("--nodes=1"));
  EXPECT_THAT(words(srun, {.ranks = 3}), Contains("--distribution=plane=2"));
  srun.hosts = 1;
  const auto more = words(srun, {.ranks = 3, .oversubscribe = true});
  EXPECT_THAT(more, Not(Contains("--nodes=2")));
  EXPECT_THAT(more, Contains("--distribution=plane=3"));
}

// "block" would give each host one rank, and all others to the first.
TEST(LaunchCommand, OfSrunGivesHostsAsManyRanksWhereTheAllocationDoesNotSay) {
  Launcher srun = launcher(LauncherKind::srun, {"srun"});
  srun.hosts = 3;
  const auto seven = words(srun, {.ranks = 7});
  EXPECT_THAT(seven, Contains("--nodes=3"));
  EXPECT_THAT(seven, Contains("--distribution=plane=3"));
  const auto two = words(srun, {.ranks = 2});
  EXPECT_THAT(two, Contains("--nodes=2"));
  EXPECT_THAT(two, Contains("--distribution=plane=1"));
  srun.ranks_per_host = 2;  // meant for six
  EXPECT_THAT(words(srun, {.ranks = 8}), Contains("--distribution=plane=3"));
  srun.hosts = 0;
  srun.ranks_per_host = 0;
  EXPECT_THAT(words(srun, {.ranks = 2}), Contains("--distribution=block"));
}

TEST(LaunchCommand, LeavesBindingToTheUserWhoAsksForIt) {
  const auto own = words(
      launcher(LauncherKind::open_mpi, {"mpirun", "-bind-to", "core", "--map-by", "ppr:1:socket"}),
      {.ranks = 2});
  EXPECT_THAT(own, Not(Contains("none")));
  EXPECT_THAT(own, Not(Contains("slot")));
  EXPECT_THAT(words(launcher(LauncherKind::srun, {"srun", "--cpu-bind=cores"}), {.ranks = 2}),
              Not(Contains("--cpu-bind=none")));
  EXPECT_THAT(words(launcher(LauncherKind::mpich, {"mpirun", "-bind-to", "core"}), {.ranks = 2}),
              Not(Contains("none")));
}

std::string refusal(LauncherKind kind, std::vector<std::string> own) {
  return refusal_of([&] { words(launcher(kind, std::move(own)), {.ranks = 2}); });
}

TEST(LaunchCommand, RefusesWhatRanksAndHostsSay) {
  EXPECT_THAT(refusal(LauncherKind::open_mpi, {"mpirun", "-np", "2"}), HasSubstr("by --ranks"));
  EXPECT_THAT(refusal(LauncherKind::srun, {"srun", "--ntasks=2"}), HasSubstr("by --ranks"));
  EXPECT_THAT(refusal(LauncherKind::mpich, {"mpirun", "-f", "x"}), HasSubstr("by --hosts"));
  EXPECT_THAT(refusal(LauncherKind::mpich, {"mpirun", "-hosts", "x"}), HasSubstr("by --hosts"));
  EXPECT_THAT(refusal(LauncherKind::open_mpi, {"mpirun", "--hostfile", "x"}),
              HasSubstr("--launcher: --hostfile among its words: say it by --hosts"));
  EXPECT_EQ(refusal(LauncherKind::srun, {"srun", "-c", "4"}), "");
}

TEST(LaunchCommand, NamesNoVariableThatTheUserNames) {
  const LaunchRequest request{.ranks = 2,
                              .environment = {"LD_LIBRARY_PATH=/a", "A=1", "OMP_NUM_THREADS=2"}};
  EXPECT_THAT(words(launcher(LauncherKind::open_mpi, {"mpirun", "-x", "LD_LIBRARY_PATH", "-x",
                                                      "A=2", "-x", "OMP_NUM_THREADS"}),
                    request),
              ElementsAre("mpirun", "-x", "LD_LIBRARY_PATH", "-x", "A=2", "-x", "OMP_NUM_THREADS",
                          "-n", "2", "--use-hwthread-cpus", "--map-by", "slot", "--bind-to", "none",
                          "voxmark", "child"));
  EXPECT_THAT(words(launcher(LauncherKind::mpich,
                             {"mpirun", "-genv", "A", "2", "-genvlist", "LD_LIBRARY_PATH,B"}),
                    request),
              ElementsAre("mpirun", "-genv", "A", "2", "-genvlist", "LD_LIBRARY_PATH,B", "-n", "2",
                          "-bind-to", "none", "-genv", "OMP_NUM_THREADS", "2", "voxmark", "child"));
  EXPECT_THAT(words(launcher(LauncherKind::srun, {"srun", "--export=ALL,A=2"}), request),
              Not(Contains("--export=ALL")));
}

TEST(LaunchCommand, RefusesVariablesThatVoxmarkSets) {
  EXPECT_THAT(refusal(LauncherKind::open_mpi, {"mpirun", "-x", "OMP_NUM_THREADS=4"}),
              HasSubstr("OMP_NUM_THREADS=4 among its words: voxmark sets OMP_NUM_THREADS for its "
                        "ranks: say it by --threads"));
  EXPECT_THAT(refusal(LauncherKind::mpich, {"mpirun", "-genv", "VOXMARK_RANKS", "4"}),
              HasSubstr("VOXMARK_RANKS=4 among its words"));
  EXPECT_THAT(refusal(LauncherKind::srun, {"srun", "--export=ALL,OMP_NUM_THREADS=4"}),
              HasSubstr("say it by --threads"));
  EXPECT_THAT(refusal(LauncherKind::srun, {"srun", "--export", "A=1"}),
              HasSubstr("--export=ALL,NAME=VALUE"));
}

TEST(BindingWord, IsWhatBindsRanks) {
  const auto word = [](LauncherKind kind, std::vector<std::string> own) {
    return binding_word(launcher(kind, std::move(own)));
  };
  EXPECT_EQ(word(LauncherKind::open_mpi, {"mpirun", "--bind-to", "core"}), "--bind-to core");
  EXPECT_EQ(word(LauncherKind::mpich, {"mpirun", "-bind-to", "hwthread"}), "-bind-to hwthread");
  EXPECT_EQ(word(LauncherKind::srun, {"srun", "--cpu-bind=verbose,cores"}),
            "--cpu-bind=verbose,cores");
  EXPECT_EQ(word(LauncherKind::open_mpi, {"mpirun", "--bind-to", "none"}), "");
  EXPECT_EQ(word(LauncherKind::srun, {"srun", "--cpu-bind=v,none"}), "");
  EXPECT_EQ(word(LauncherKind::srun, {"srun", "--cpu-bind=quiet"}), "");
  EXPECT_EQ(word(LauncherKind::open_mpi, {"mpirun", "--map-by", "core"}), "");
  EXPECT_EQ(word(LauncherKind::intel, {"mpirun", "-genv", "I_MPI_PIN", "1"}), "I_MPI_PIN=1");
  EXPECT_EQ(word(LauncherKind::intel, {"mpirun", "-genv", "I_MPI_PIN=off"}), "");
  EXPECT_THAT(words(launcher(LauncherKind::intel, {"mpirun", "-genv", "I_MPI_PIN", "1"}), {}),
              Not(Contains("off")));
}

TEST(VariablesForRanks, AreThoseThatChangeHowTheyCompute) {
  setenv("OMP_SCHEDULE", "static,2", 1);
  setenv("VOXMARK_MPI", "/x/libvoxmark_mpi.so", 1);
  setenv("SECRET_TOKEN", "x", 1);
  setenv("VOXMARK_RANKS", "7", 1);
  setenv("VOXMARK_PLACED", "0", 1);
  const std::vector<std::string> passed = variables_for_ranks();
  unsetenv("OMP_SCHEDULE");
  unsetenv("VOXMARK_MPI");
  unsetenv("SECRET_TOKEN");
  unsetenv("VOXMARK_RANKS");
  unsetenv("VOXMARK_PLACED");
  EXPECT_THAT(passed, Contains("OMP_SCHEDULE=static,2"));
  EXPECT_THAT(passed, Contains("VOXMARK_MPI=/x/libvoxmark_mpi.so"));
  EXPECT_THAT(passed, Not(Contains("SECRET_TOKEN=x")));
  EXPECT_THAT(passed, Not(Contains("VOXMARK_RANKS=7")));
  EXPECT_THAT(passed, Not(Contains("VOXMARK_PLACED=0")));
}

}  // namespace
}  // namespace voxmark
