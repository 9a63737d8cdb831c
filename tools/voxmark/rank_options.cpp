#include "tools/voxmark/rank_options.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/number_text.h"
#include "benches/machine/default_threads.h"
#include "benches/machine/environment.h"
#include "benches/ranks/mpi_library.h"

namespace voxmark {
namespace {

// Those of a Slurm allocation with what each takes; none where there is none.
std::vector<Host> allocation_of(const Launcher& launcher, const Variables& environment) {
  if (launcher.version.kind == LauncherKind::srun) {
    return std::vector<Host>(static_cast<std::size_t>(std::max(launcher.hosts, 0)),
                             Host{"", launcher.ranks_per_host});
  }
  const auto tasks = environment.find("SLURM_TASKS_PER_NODE");
  return tasks == environment.end() ? std::vector<Host>() : hosts_of_tasks(tasks->second);
}

}  // namespace

void add_rank_options(Command command, RankFlags& flags) {
  command.add_option(
      "--launcher", flags.launcher,
      "what starts ranks: \"mpirun -x NAME\"; else srun in an allocation, or mpirun");
  command.add_option("--hosts", flags.hosts, "file of hosts for ranks, as mpirun takes it");
  command
      .add_option("--place", flags.place, "ranks on CPUs of one numa node or socket each, or none")
      .show_default();
  command.add_flag("--oversubscribe", flags.oversubscribe, "ranks may share CPUs");
}

void refuse_rank_flags(const RankFlags& flags) {
  const auto refuse_if = [](bool is_given, const char* name) {
    if (is_given) {
      throw_bad_input("{}: expected --ranks beside it", name);
    }
  };
  refuse_if(!flags.launcher.empty(), "--launcher");
  refuse_if(!flags.hosts.empty(), "--hosts");
  refuse_if(flags.place != RankFlags().place, "--place");
  refuse_if(flags.oversubscribe, "--oversubscribe");
}

std::variant<RankSettings, std::string> rank_settings(const RankFlags& flags) {
  constexpr std::array<std::string_view, 3> kPlaces = {"numa", "socket", "none"};
  if (std::ranges::find(kPlaces, flags.place) == kPlaces.end()) {
    throw_bad_input("--place {}: expected numa, socket or none", flags.place);
  }
  RankSettings settings;
  settings.place = flags.place;
  settings.oversubscribe = flags.oversubscribe;
  settings.mpi_plugin = mpi_plugin_path();
  if (!flags.hosts.empty()) {
    settings.hosts = read_hosts(flags.hosts);
  }
  if (settings.mpi_plugin.empty()) {
    return "built without MPI: install libopenmpi-dev and openmpi-bin (or your cluster's MPI) and "
           "build again, or compile its plugin alone (docs/cluster.md)";
  }
  check_outside_mpirun();
  try {
    const VoxmarkMpi& mpi = load_mpi_plugin(settings.mpi_plugin);
    settings.launcher = find_launcher(flags.launcher, launcher_version(mpi.library()));
    settings.allocation = allocation_of(settings.launcher, own_variables());
  } catch (const Error& error) {
    if (error.code() != ExitCode::cannot_here) {
      throw;
    }
    return error.what();
  }
  return settings;
}

int threads_of_ranks(const RankSettings& settings, int ranks, int asked) {
  return asked > 0 ? asked
                   : std::max(1, default_threads().threads / most_ranks_of_host(settings, ranks));
}

bool have_cpus_for_ranks(const RankFlags& flags, int ranks, int threads) {
  const bool here_alone = flags.hosts.empty() && std::getenv("SLURM_JOB_ID") == nullptr;
  return !here_alone || flags.oversubscribe || ranks * threads <= allowed_cpus();
}

void check_cpus_for_ranks(const RankFlags& flags, int ranks, int threads) {
  if (!have_cpus_for_ranks(flags, ranks, threads)) {
    throw_bad_input(
        "--ranks {} --threads {}: {} threads on {}; expected fewer of either, or --oversubscribe",
        ranks, threads, ranks * threads, counted(allowed_cpus(), "CPU"));
  }
}

}  // namespace voxmark
