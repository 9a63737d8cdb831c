// The ranks that compute a case together, of which this process is one.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/ranks/rank_talk.h"
#include "base/error.h"
#include "base/json.h"
#include "benches/protocol/rank_words.h"
#include "benches/ranks/message_collectives.h"
#include "benches/ranks/mpi_plugin.h"

namespace voxmark {

class RankGroup {
 public:
  // Starts MPI, which has to have `expected` ranks. Throws Error (cannot_here).
  explicit RankGroup(int expected);
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }
  bool is_first() const { return rank_ == 0; }
  MessageCollectives& collectives() { return *collectives_; }
  std::string library() const;  // "Open MPI v4.1.4"

  // All of these are called by all ranks.
  std::vector<Json> json_of_all(const Json& own);
  // (ranks, own.size()).
  std::vector<double> values_of_all(std::span<const double> own);
  // Waits for all, then forgets what was booked: the next step starts together.
  void start_together();

  // Says on standard error what happened to this rank, and ends all of them.
  [[noreturn]] void abort(RankFailure failure, const std::string& message);
  // Waits for all ranks; nothing may be called after it.
  void finish();

 private:
  const VoxmarkMpi* mpi_ = nullptr;
  int rank_ = 0;
  int ranks_ = 1;
  std::unique_ptr<MessageCollectives> collectives_;
};

// A rank that exits before MPI has started leaves the others waiting in MPI_Init: MPICH's and
// Intel's launchers end them only where one is killed. Says why, as abort() does, and is killed.
[[noreturn]] void end_before_mpi(RankFailure failure, const std::string& message);

// What a rank tells of itself before anything is timed: `host`, `cpus` (that it may use),
// `threads`, and `kernels`: what decides the bits that it computes, which has to be equal on all
// ranks.
Json rank_facts(int threads);

// Which CPUs threads may share.
enum class CpuSharing { nothing, with_other_ranks, always };
// As the runner says it to its ranks (benches/protocol/rank_words.h).
CpuSharing cpu_sharing();

// Two ranks on one CPU, or fewer CPUs than threads, as conflict_of_ranks() says it.
std::string conflict_of_cpus(std::span<const Json> facts, CpuSharing sharing);

// Why these ranks cannot compute together: two on one CPU, fewer CPUs than threads, unequal builds,
// machines or settings. One line that names the ranks and the flag that mends it; "" where they
// can.
std::string conflict_of_ranks(std::span<const Json> facts, CpuSharing sharing);

// By all ranks, before anything is timed. Throws AgreedError (bad_input) where they cannot compute
// together.
void check_ranks(RankGroup& group, int threads);

RankFailure failure_of(ExitCode code);

}  // namespace voxmark
