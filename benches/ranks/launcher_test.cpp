#include "benches/ranks/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/testing/refusal.h"
#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const LauncherVersion kOpenMpi{LauncherKind::open_mpi, "4.1.4"};
const LauncherVersion kMpich{LauncherKind::mpich, "4.0.2"};

constexpr const char* kOpenMpiSays = "mpirun (Open MPI) 4.1.4\n\nReport bugs to http://...\n";
constexpr const char* kMpichSays = "HYDRA build details:\n    Version:       4.0.2\n";

TEST(LauncherVersion, IsThatOfTheMpi) {
  const auto version = [](LauncherKind kind, const char* number) {
    return std::optional(LauncherVersion{kind, number});
  };
  const auto open_mpi = version(LauncherKind::open_mpi, "4.1.4");
  EXPECT_EQ(launcher_version(kOpenMpiSays), open_mpi);
  EXPECT_EQ(launcher_version("mpirun.openmpi (OpenRTE) 4.1.4\n"), open_mpi);
  EXPECT_EQ(launcher_version("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4"), open_mpi);
  EXPECT_EQ(launcher_version("prterun (PRRTE) 3.0.2"), version(LauncherKind::open_mpi, "3.0.2"));
  EXPECT_EQ(launcher_version(kMpichSays), version(LauncherKind::mpich, "4.0.2"));
  EXPECT_EQ(launcher_version("MPICH Version:\t4.0.2\nMPICH Release date:"),
            version(LauncherKind::mpich, "4.0.2"));
  EXPECT_EQ(launcher_version("Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307"),
            version(LauncherKind::intel, "2021.9"));
  EXPECT_EQ(launcher_version("Intel(R) MPI Library 2021.9 for Linux* OS\n"),
            version(LauncherKind::intel, "2021.9"));
  EXPECT_EQ(launcher_version("slurm-wlm 22.05.8"), version(LauncherKind::srun, "22.05.8"));
  EXPECT_EQ(launcher_version("slurm 23.11.4\n"), version(LauncherKind::srun, "23.11.4"));
  EXPECT_EQ(launcher_version("Open MPI"), version(LauncherKind::open_mpi, ""));
  EXPECT_EQ(launcher_version("env (GNU coreutils) 9.1"), std::nullopt);
  EXPECT_EQ(launcher_version(""), std::nullopt);
}

TEST(PmiOfSrun, IsTheOneThatTheMpiSpeaks) {
  const std::string list =
      "MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\nspecific pmix plugin versions available: "
      "pmix_v4\n";
  EXPECT_EQ(pmi_for(LauncherKind::open_mpi, list), "pmix");
  EXPECT_EQ(pmi_for(LauncherKind::mpich, list), "pmi2");
  EXPECT_EQ(pmi_for(LauncherKind::intel, list), "pmi2");
  EXPECT_EQ(pmi_for(LauncherKind::open_mpi, "none\npmi2\n"), std::nullopt);
}

// A PATH with programs of its own, and an environment without an allocation.
class FindLauncher : public testing::Test {
 protected:
  FindLauncher() {
    setenv("PATH", folder_.path().c_str(), 1);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_MPI_TYPE");
    unsetenv("SLURM_NTASKS_PER_NODE");
  }
  ~FindLauncher() override {
    setenv("PATH", path_.c_str(), 1);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_NTASKS_PER_NODE");
  }
  FindLauncher(const FindLauncher&) = delete;
  FindLauncher& operator=(const FindLauncher&) = delete;

  // A program that prints `says` when it is asked for its version, and `list` else.
  std::string install(const std::string& name, const std::string& says,
                      const std::string& list = "") const {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\ncase \"$*\" in *--version) echo '" << says << "';; *) echo '"
                        << list << "' >&2;; esac\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  static std::string refusal(ExitCode code, const std::string& given,
                             const std::optional<LauncherVersion>& mpi) {
    return refusal_of([&] { find_launcher(given, mpi); }, code);
  }

  TemporaryFolder folder_;
  std::string path_ = std::getenv("PATH");
};

TEST_F(FindLauncher, TakesTheOneOfTheMpiThatRanksLoad) {
  install("mpirun", kOpenMpiSays);
  install("mpiexec.hydra", kMpichSays);
  EXPECT_THAT(find_launcher("", kOpenMpi).words, ElementsAre("mpirun"));
  const Launcher mpich = find_launcher("", kMpich);
  EXPECT_THAT(mpich.words, ElementsAre("mpiexec.hydra"));
  EXPECT_EQ(mpich.version, kMpich);
  EXPECT_EQ(description(mpich), "MPICH 4.0.2");
  EXPECT_THAT(find_launcher("", std::nullopt).words, ElementsAre("mpirun"));
}

TEST_F(FindLauncher, WithoutOneNamesWhatToInstall) {
  EXPECT_THAT(refusal(ExitCode::cannot_here, "", std::nullopt),
              AllOf(HasSubstr("no program on PATH starts ranks: apt install openmpi-bin, or mpich"),
                    HasSubstr("--launcher")));
  install("mpirun", kOpenMpiSays);
  EXPECT_THAT(refusal(ExitCode::cannot_here, "", kMpich),
              AllOf(HasSubstr("starts ranks of MPICH 4.0.2 (mpirun is Open MPI 4.1.4's)"),
                    HasSubstr("apt install mpich"), HasSubstr("--launcher")));
}

TEST_F(FindLauncher, TakesTheUsersWithItsWords) {
  const std::string mine = install("my run", kOpenMpiSays);
  EXPECT_THAT(find_launcher(mine + "  -x A=B", kOpenMpi).words, ElementsAre(mine, "-x", "A=B"));
  install("mpirun", kMpichSays);
  const Launcher found = find_launcher("mpirun -genv A B", kMpich);
  EXPECT_THAT(found.words, ElementsAre("mpirun", "-genv", "A", "B"));
  EXPECT_EQ(found.version, kMpich);
  install("wrapper", "wrapper 1.0");
  EXPECT_THAT(refusal(ExitCode::bad_input, "wrapper mpirun", kMpich),
              HasSubstr("--launcher wrapper: its --version names none of"));
  EXPECT_THAT(find_launcher("/usr/bin/env A=B mpirun", kMpich).words,
              ElementsAre("/usr/bin/env", "A=B", "mpirun"));
}

TEST_F(FindLauncher, RefusesOneThatIsNoneOrStartsAnotherMpi) {
  EXPECT_THAT(refusal(ExitCode::bad_input, " ", kOpenMpi), HasSubstr("expected a program"));
  EXPECT_THAT(refusal(ExitCode::bad_input, "mpirum -x A", kOpenMpi),
              HasSubstr("--launcher mpirum: no such program on PATH"));
  install("mpirun", kMpichSays);
  EXPECT_THAT(
      refusal(ExitCode::bad_input, "mpirun", kOpenMpi),
      HasSubstr("--launcher mpirun: it is MPICH 4.0.2's, and the ranks load Open MPI 4.1.4"));
}

TEST_F(FindLauncher, TakesSrunInsideAnAllocationAlone) {
  install("srun", "slurm-wlm 22.05.8", "MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\n");
  install("mpirun", kOpenMpiSays);
  EXPECT_THAT(find_launcher("", kOpenMpi).words, ElementsAre("mpirun"));
  setenv("SLURM_JOB_ID", "7", 1);
  setenv("SLURM_NTASKS_PER_NODE", "2", 1);
  const Launcher found = find_launcher("", kOpenMpi);
  EXPECT_THAT(found.words, ElementsAre("srun"));
  EXPECT_EQ(found.pmi, "pmix");
  EXPECT_EQ(found.ranks_per_host, 2);
  EXPECT_EQ(find_launcher("", kMpich).pmi, "pmi2");
  EXPECT_EQ(find_launcher("srun --mpi=pmix_v4", kOpenMpi).pmi, "");
}

TEST_F(FindLauncher, TakesMpirunWhereSrunCannotServeTheMpi) {
  install("srun", "slurm 22.05.8", "none\npmi2\n");
  install("mpirun", kOpenMpiSays);
  setenv("SLURM_JOB_ID", "7", 1);
  EXPECT_THAT(find_launcher("", kOpenMpi).words, ElementsAre("mpirun"));
  EXPECT_THAT(refusal(ExitCode::bad_input, "srun", kOpenMpi),
              HasSubstr("--mpi=list names nothing"));
}

std::string refusal_inside(const Variables& environment) {
  return refusal_of([&] { check_outside_mpirun(environment); });
}

TEST(OutsideMpirun, IsWhereNoLauncherHasSetItsVariables) {
  EXPECT_EQ(refusal_inside({{"OMPI_MCA_btl", "tcp"}, {"PMIX_MCA_gds", "hash"}}), "");
  EXPECT_THAT(refusal_inside({{"OMPI_COMM_WORLD_SIZE", "2"}}),
              AllOf(HasSubstr("OMPI_COMM_WORLD_SIZE=2:"), HasSubstr("starts its own ranks"),
                    HasSubstr("without mpirun")));
  EXPECT_THAT(refusal_inside({{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}}),
              HasSubstr("PMI_SIZE=2, PMI_RANK=0"));
}

TEST(OutsideMpirun, IsABatchScriptAndAShellOfSrun) {
  EXPECT_EQ(refusal_inside({{"SLURM_JOB_ID", "7"}, {"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}}),
            "");
  EXPECT_EQ(refusal_inside({{"SLURM_STEP_ID", "0"},
                            {"SLURM_STEP_NUM_TASKS", "1"},
                            {"PMI_RANK", "0"},
                            {"PMI_SIZE", "1"}}),
            "");
  EXPECT_THAT(refusal_inside({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "2"}}),
              HasSubstr("SLURM_STEP_NUM_TASKS=2"));
  // The launcher of a launcher: mpirun starts its daemons by srun, one on each host.
  EXPECT_THAT(
      refusal_inside(
          {{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}}),
      HasSubstr("OMPI_COMM_WORLD_SIZE=2"));
}

TEST(NoRank, IsWhereNothingSaysThatAProcessIsOne) {
  EXPECT_NO_THROW(check_no_rank({{"VOXMARK_MPI", "/x.so"}, {"OMPI_COMM_WORLD_RANK", "0"}}));
  for (const char* name :
       {"VOXMARK_RANKS", "VOXMARK_RANKS_SHARE_CPUS", "VOXMARK_PLACE", "VOXMARK_PLACE_THREADS",
        "VOXMARK_PLACE_OVERSUBSCRIBE", "VOXMARK_PLACED"}) {
    try {
      check_no_rank({{name, "2"}, {"A", "b"}});
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_THAT(error.what(), HasSubstr(std::string(name) + "=2: voxmark run sets it"));
      EXPECT_THAT(error.what(), HasSubstr(std::string("unset ") + name));
    }
  }
}

}  // namespace
}  // namespace voxmark
