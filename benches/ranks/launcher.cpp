#include "benches/ranks/launcher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <sstream>

#include "base/command_words.h"
#include "base/error.h"
#include "benches/process/child_process.h"

namespace voxmark {
namespace {

// A program that says what it is, and ends.
constexpr double kAnswerSeconds = 20;

// In this order. Debian installs both MPIs side by side; the last four are its names for each.
constexpr std::array<const char*, 6> kPrograms = {"mpirun",        "mpiexec",      "mpirun.openmpi",
                                                  "mpiexec.hydra", "mpirun.mpich", "mpiexec.mpich"};

// The first word of `text` that begins with a digit, at `from` or behind it.
std::string number_behind(std::string_view text, std::size_t from) {
  for (std::size_t i = from; i < text.size(); ++i) {
    const bool begins = i == 0 || std::isspace(static_cast<unsigned char>(text[i - 1])) != 0 ||
                        text[i - 1] == 'v';  // "Open MPI v4.1.4, package: ..."
    if (begins && std::isdigit(static_cast<unsigned char>(text[i])) != 0) {
      const std::size_t end = text.find_first_of(", \t\r\n", i);
      return std::string(text.substr(i, end == std::string_view::npos ? end : end - i));
    }
  }
  return "";
}

// Both outputs of a command, for what is written to either.
std::string output_of(std::vector<std::string> command) {
  command.insert(command.begin(), {"/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1"});
  ChildProcess child(command, {});
  child.close_input();
  std::string text;
  for (std::string line; child.read_line(line, kAnswerSeconds) == ChildProcess::Read::line;) {
    text += line + "\n";
  }
  return text;
}

std::optional<LauncherVersion> version_of(const std::string& program) {
  return launcher_version(output_of({program, "--version"}));
}

// Of a launcher, or of one that another program starts: "env A=B mpirun".
std::optional<LauncherVersion> version_of_words(std::vector<std::string> words) {
  if (auto version = version_of(words.front())) {
    return version;
  }
  words.emplace_back("--version");
  return launcher_version(output_of(words));
}

// MPICH and Intel MPI start each other's programs.
bool starts(LauncherKind launcher, LauncherKind mpi) {
  return launcher == LauncherKind::srun ||
         (launcher == LauncherKind::open_mpi) == (mpi == LauncherKind::open_mpi);
}

std::string text_of(const LauncherVersion& version) {
  return version.version.empty() ? name_of(version.kind)
                                 : fmt::format("{} {}", name_of(version.kind), version.version);
}

int number_of(const Variables& environment, const std::string& name) {
  const auto variable = environment.find(name);
  int number = 0;
  if (variable != environment.end()) {
    const std::string& text = variable->second;
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

std::string package_of(const std::optional<LauncherVersion>& mpi) {
  if (!mpi) {
    return "apt install openmpi-bin, or mpich";
  }
  switch (mpi->kind) {
    case LauncherKind::open_mpi:
      return "apt install openmpi-bin";
    case LauncherKind::mpich:
    case LauncherKind::srun:
      return "apt install mpich";
    case LauncherKind::intel:
      return "source Intel's setvars.sh";
  }
  return "";
}

// An allocation's srun with what it is to serve; nothing where it cannot start this MPI.
std::optional<Launcher> slurm_launcher(std::vector<std::string> words,
                                       const LauncherVersion& version,
                                       const std::optional<LauncherVersion>& mpi) {
  const Variables environment = own_variables();
  Launcher launcher{version, std::move(words), "", number_of(environment, "SLURM_NTASKS_PER_NODE"),
                    number_of(environment, "SLURM_JOB_NUM_NODES")};
  const bool is_chosen = environment.contains("SLURM_MPI_TYPE") ||
                         std::ranges::any_of(launcher.words, [](const auto& word) {
                           return word.starts_with("--mpi");
                         });
  if (mpi && !is_chosen) {
    const auto pmi = pmi_for(mpi->kind, output_of({launcher.words.front(), "--mpi=list"}));
    if (!pmi) {
      return std::nullopt;
    }
    launcher.pmi = *pmi;
  }
  return launcher;
}

Launcher given_launcher(const std::string& given, const std::optional<LauncherVersion>& mpi) {
  const std::vector<std::string> words = command_words(given);
  if (words.empty()) {
    throw_bad_input("--launcher: expected a program: --launcher \"mpirun -x NAME=VALUE\"");
  }
  if (program_path(words.front()).empty()) {
    throw_bad_input("--launcher {}: no such program{}", words.front(),
                    words.front().find('/') == std::string::npos ? " on PATH" : "");
  }
  const auto version = version_of_words(words);
  if (!version) {
    throw_bad_input(
        "--launcher {}: its --version names none of Open MPI, MPICH (Hydra), Intel MPI and Slurm",
        words.front());
  }
  if (mpi && !starts(version->kind, mpi->kind)) {
    throw_bad_input("--launcher {}: it is {}'s, and the ranks load {}: name the launcher of {}",
                    words.front(), text_of(*version), text_of(*mpi), name_of(mpi->kind));
  }
  if (version->kind != LauncherKind::srun) {
    return {*version, words, "", 0, 0};
  }
  auto launcher = slurm_launcher(words, *version, mpi);
  if (!launcher) {
    throw_bad_input(
        "--launcher {}: srun --mpi=list names nothing that {} speaks: name the mpirun of {}",
        words.front(), text_of(*mpi), name_of(mpi->kind));
  }
  return *std::move(launcher);
}

}  // namespace

std::string name_of(LauncherKind kind) {
  switch (kind) {
    case LauncherKind::open_mpi:
      return "Open MPI";
    case LauncherKind::mpich:
      return "MPICH";
    case LauncherKind::intel:
      return "Intel MPI";
    case LauncherKind::srun:
      return "Slurm";
  }
  return "";
}

std::optional<LauncherVersion> launcher_version(std::string_view text) {
  struct Mark {
    std::string_view words;
    LauncherKind kind;
  };
  // "mpirun (Open MPI) 4.1.4", "mpirun.openmpi (OpenRTE) 4.1.4", "prterun (PRRTE) 3.0.2", "Open MPI
  // v4.1.4, package: ..."; "HYDRA build details:\n    Version:  4.0.2", "MPICH Version: 4.0.2";
  // "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build ..."; "slurm-wlm 22.05.8".
  constexpr std::array<Mark, 8> kMarks = {{{"Intel(R) MPI Library", LauncherKind::intel},
                                           {"Open MPI", LauncherKind::open_mpi},
                                           {"(OpenRTE)", LauncherKind::open_mpi},
                                           {"(PRRTE)", LauncherKind::open_mpi},
                                           {"HYDRA", LauncherKind::mpich},
                                           {"MPICH", LauncherKind::mpich},
                                           {"MVAPICH", LauncherKind::mpich},
                                           {"slurm", LauncherKind::srun}}};
  for (const Mark& mark : kMarks) {
    const std::size_t at = text.find(mark.words);
    if (at != std::string_view::npos) {
      return LauncherVersion{mark.kind, number_behind(text, at + mark.words.size())};
    }
  }
  return std::nullopt;
}

std::string description(const Launcher& launcher) { return text_of(launcher.version); }

std::optional<std::string> pmi_for(LauncherKind mpi, std::string_view list) {
  std::istringstream lines{std::string(list)};
  std::vector<std::string> served;
  for (std::string word; lines >> word;) {
    served.push_back(word);
  }
  // Open MPI 5 speaks PMIx alone, Open MPI 4 as most build it as well. MPICH and Intel MPI speak
  // PMI, which Slurm's pmi2 understands in both versions.
  const std::string wanted = mpi == LauncherKind::open_mpi ? "pmix" : "pmi2";
  return std::ranges::find(served, wanted) == served.end() ? std::nullopt : std::optional(wanted);
}

Launcher find_launcher(const std::string& given, const std::optional<LauncherVersion>& mpi) {
  if (!given.empty()) {
    return given_launcher(given, mpi);
  }
  if (own_variables().contains("SLURM_JOB_ID") && !program_path("srun").empty()) {
    const auto version = version_of("srun");
    auto launcher = version ? slurm_launcher({"srun"}, *version, mpi) : std::nullopt;
    if (launcher) {
      return *std::move(launcher);
    }  // else this MPI's mpirun, which asks Slurm for the hosts
  }
  std::vector<std::string> others;
  for (const char* program : kPrograms) {
    const auto version = program_path(program).empty() ? std::nullopt : version_of(program);
    if (version && (!mpi || starts(version->kind, mpi->kind))) {
      return {*version, {program}, "", 0, 0};
    }
    if (version) {
      others.push_back(fmt::format("{} is {}'s", program, text_of(*version)));
    }
  }
  throw Error(ExitCode::cannot_here,
              fmt::format("no program on PATH starts ranks{}{}: {}, or name one: --launcher "
                          "\"/path/to/mpirun\"",
                          mpi ? fmt::format(" of {}", text_of(*mpi)) : "",
                          others.empty() ? "" : fmt::format(" ({})", fmt::join(others, ", ")),
                          package_of(mpi)));
}

void check_outside_mpirun(const Variables& environment) {
  // A shell by "srun --pty" is one task of Slurm's: srun tells it a rank, and each of its own tasks
  // another.
  const bool is_in_step = environment.contains("SLURM_STEP_ID");
  const bool is_alone = is_in_step && number_of(environment, "SLURM_STEP_NUM_TASKS") <= 1;
  struct OfRank {
    const char* name;
    bool is_set_by_srun;
  };
  constexpr std::array<OfRank, 8> kOfRanks = {{{"OMPI_COMM_WORLD_SIZE", false},
                                               {"OMPI_COMM_WORLD_RANK", false},
                                               {"MPI_LOCALNRANKS", false},
                                               {"MPI_LOCALRANKID", false},
                                               {"PMI_SIZE", true},
                                               {"PMI_RANK", true},
                                               {"PMIX_RANK", true},
                                               {"SLURM_STEP_NUM_TASKS", true}}};
  std::vector<std::string> set;
  for (const OfRank& variable : kOfRanks) {
    const auto found = environment.find(variable.name);
    if (found != environment.end() && !(is_alone && variable.is_set_by_srun)) {
      set.push_back(fmt::format("{}={}", variable.name, found->second));
    }
  }
  if (!set.empty()) {
    throw_bad_input(
        "{}: set as mpirun or srun sets it for a rank. voxmark run starts its own ranks: start it "
        "without mpirun, or unset what one has left behind",
        fmt::join(set, ", "));
  }
}

void check_outside_mpirun() { check_outside_mpirun(own_variables()); }

bool is_for_ranks_alone(const std::string& variable) {
  return variable.starts_with("VOXMARK_RANKS") || variable.starts_with("VOXMARK_PLACE");
}

void check_no_rank(const Variables& environment) {
  std::vector<std::string> set, names;
  for (const auto& [name, value] : environment) {
    if (is_for_ranks_alone(name)) {
      set.push_back(fmt::format("{}={}", name, value));
      names.push_back(name);
    }
  }
  if (!set.empty()) {
    throw_bad_input(
        "{}: voxmark run sets {} for the ranks that it starts, and nobody else does: unset {}",
        fmt::join(set, ", "), set.size() == 1 ? "it" : "them", fmt::join(names, " "));
  }
}

void check_no_rank() { check_no_rank(own_variables()); }

Variables own_variables() {
  Variables variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

}  // namespace voxmark
