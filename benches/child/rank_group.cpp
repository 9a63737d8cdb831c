#include "benches/child/rank_group.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>

#include "benches/machine/environment.h"
#include "benches/process/guard.h"
#include "benches/process/process_cpus.h"
#include "benches/protocol/rank_words.h"
#include "benches/ranks/mpi_library.h"

namespace voxmark {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::vector<int> cpus_of_process() {
  std::vector<int> numbers;
  if (const std::optional<cpu_set_t> cpus = process_cpus()) {
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &*cpus)) {
        numbers.push_back(static_cast<int>(cpu));
      }
    }
  }
  return numbers;
}

// While it lives, this thread may use all CPUs of the process, and threads that it starts inherit
// that: OpenMP's runtime holds the main thread on the first of its places.
class OnAllCpus {
 public:
  OnAllCpus() {
    CPU_ZERO(&before_);
    const std::optional<cpu_set_t> all = process_cpus();
    is_widened_ = all && sched_getaffinity(0, sizeof before_, &before_) == 0 &&
                  sched_setaffinity(0, sizeof *all, &*all) == 0;
  }
  ~OnAllCpus() {
    if (is_widened_) {
      sched_setaffinity(0, sizeof before_, &before_);
    }
  }
  OnAllCpus(const OnAllCpus&) = delete;
  OnAllCpus& operator=(const OnAllCpus&) = delete;

 private:
  cpu_set_t before_{};
  bool is_widened_ = false;
};

// In one write: lines of several ranks meet in one pipe.
void say(const RankLine& line) {
  const std::string text = to_text(line);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

// What answer_runner() writes, made before any signal comes.
std::string& words_of(bool waits) {
  static std::array<std::string, 2> words;
  return words[waits ? 1 : 0];
}

// The runner asks who is to blame for silence.
void answer_runner(int /*signal*/) {
  const std::string& words = words_of(MessageCollectives::is_waiting());
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, words.data(), words.size());
}

void introduce(int rank) {
  const std::string host = host_name();
  say({rank, host, RankWord::is_process, getpid()});
  words_of(true) = to_text({rank, host, RankWord::waits});
  words_of(false) = to_text({rank, host, RankWord::computes});
  std::signal(SIGUSR1, answer_runner);
}

}  // namespace

RankGroup::RankGroup(int expected) {
  end_with_parent(getppid());     // a launcher that is killed takes its ranks along
  std::signal(SIGUSR1, SIG_IGN);  // until there is an answer
  const OnAllCpus threads_inherit_it;
  const std::string path = mpi_plugin_path();
  if (path.empty()) {
    throw Error(ExitCode::cannot_here,
                "ranks: built without MPI, and no plugin for one is there (docs/cluster.md)");
  }
  mpi_ = &load_mpi_plugin(path);
  if (const char* reason = mpi_->start(&rank_, &ranks_)) {
    throw Error(ExitCode::cannot_here, fmt::format("ranks: {}", reason));
  }
  if (ranks_ != expected) {
    throw Error(
        ExitCode::cannot_here,
        fmt::format("ranks: {} started {} of {} ranks together: the launcher is another MPI's; "
                    "name the right one by --launcher",
                    library(), ranks_, expected));
  }
  introduce(rank_);
  collectives_ = std::make_unique<MessageCollectives>(*mpi_, rank_, ranks_);
}

RankGroup::~RankGroup() = default;

std::string RankGroup::library() const { return library_name(mpi_->library()); }

std::vector<Json> RankGroup::json_of_all(const Json& own) {
  std::vector<Json> all;
  for (const std::string& text : texts_of_each(collectives_.get(), dump_json(own))) {
    all.push_back(parse_json(text, "ranks"));
  }
  return all;
}

std::vector<double> RankGroup::values_of_all(std::span<const double> own) {
  std::vector<double> all(own.size() * static_cast<std::size_t>(ranks_));
  collectives_->gather(ExchangeKind::loss, own, all);
  return all;
}

void RankGroup::start_together() {
  values_of_all(std::array{0.0});
  collectives_->forget_times();
}

void RankGroup::abort(RankFailure failure, const std::string& message) {
  say({rank_, host_name(), RankWord::failed, 0, failure, message});
  mpi_->abort(static_cast<int>(ExitCode::internal));
  std::_Exit(static_cast<int>(ExitCode::internal));
}

void RankGroup::finish() {
  collectives_.reset();
  mpi_->finish();
}

void end_before_mpi(RankFailure failure, const std::string& message) {
  say({std::nullopt, host_name(), RankWord::failed, 0, failure, message});
  std::raise(SIGKILL);
  std::abort();
}

Json rank_facts(int threads) {
  Json kernels = kernel_identity();
  Json& variables = kernels["variables"];
  for (const char* name : {"OMP_PLACES", "GOMP_CPU_AFFINITY"}) {
    variables.erase(name);  // of each rank's own CPUs
  }
  return {{"host", host_name()},
          {"cpus", cpus_of_process()},
          {"threads", threads},
          {"kernels", std::move(kernels)}};
}

CpuSharing cpu_sharing() {
  const char* words = std::getenv(kShareCpusVariable);
  if (words == nullptr) {
    return CpuSharing::nothing;
  }
  return words == std::string_view(kShareAlways) ? CpuSharing::always
                                                 : CpuSharing::with_other_ranks;
}

namespace {

// The part of what decides a rank's kernels in which it differs from another's; "" where they are
// equal.
std::string difference(const Json& left, const Json& right) {
  const std::pair<const char*, const char*> parts[] = {
      {"binary_sha256", "another build of voxmark"},
      {"libraries", "other libraries"},
      {"cpu_flags", "other instruction sets"},
      {"variables", "other variables of OpenMP, oneDNN or malloc"}};
  for (const auto& [name, words] : parts) {
    if (left.value(name, Json()) != right.value(name, Json())) {
      return words;
    }
  }
  return "";
}

}  // namespace

std::string conflict_of_cpus(std::span<const Json> facts, CpuSharing sharing) {
  std::map<std::pair<std::string, int>, std::size_t> rank_of_cpu;
  for (std::size_t r = 0; r < facts.size() && sharing != CpuSharing::always; ++r) {
    const std::string host = facts[r].at("host");
    const std::vector<int> cpus = facts[r].at("cpus");
    const std::size_t threads = facts[r].at("threads");
    if (cpus.size() < threads) {
      return fmt::format(
          "rank {} on {} may use {} of the CPUs, for {} threads: --threads {}, or a "
          "--launcher that does not bind",
          r, host, cpus.size(), threads, cpus.size());
    }
    for (const int cpu : cpus) {
      const auto [other, is_new] = rank_of_cpu.try_emplace({host, cpu}, r);
      if (!is_new && sharing == CpuSharing::nothing) {
        return fmt::format(
            "ranks {} and {} on {} share CPU {}: --place numa gives each its own, "
            "--oversubscribe lets them share",
            other->second, r, host, cpu);
      }
    }
  }
  return "";
}

std::string conflict_of_ranks(std::span<const Json> facts, CpuSharing sharing) {
  for (std::size_t r = 0; r < facts.size(); ++r) {
    const std::string differs = difference(facts[r].at("kernels"), facts[0].at("kernels"));
    if (!differs.empty()) {
      return fmt::format("rank {} on {} has {} than rank 0 on {}", r,
                         facts[r].at("host").get<std::string>(), differs,
                         facts[0].at("host").get<std::string>());
    }
  }
  return conflict_of_cpus(facts, sharing);
}

void check_ranks(RankGroup& group, int threads) {
  const std::vector<Json> facts = group.json_of_all(rank_facts(threads));
  if (const std::string conflict = conflict_of_ranks(facts, cpu_sharing()); !conflict.empty()) {
    throw AgreedError(ExitCode::bad_input, "ranks: " + conflict);
  }
}

RankFailure failure_of(ExitCode code) {
  return code == ExitCode::bad_input     ? RankFailure::bad_input
         : code == ExitCode::cannot_here ? RankFailure::cannot_here
                                         : RankFailure::internal;
}

}  // namespace voxmark
