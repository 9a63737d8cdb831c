// The ranks of a case on this machine: why they cannot be started, and what they need together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "benches/exchange/rank_children.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

// Asked before any process is started. "" where they can be, as one rank always can. `no_ranks`:
// why nothing here starts ranks; "" where something does.
std::string obstacle_of_ranks(const CaseSpec& spec, const std::string& no_ranks);

// How many of them share a host, at most: this machine stands for each of them.
int ranks_here(const CaseSpec& spec, const std::optional<RankSettings>& settings);

// The processes of a case that share this machine: its ranks, or its copies.
int processes_here(const CaseSpec& spec, const std::optional<RankSettings>& settings);

// The threads of all of them: of ranks that share CPUs, no more than there are CPUs.
int threads_here(const CaseSpec& spec, const std::optional<RankSettings>& settings, int cpus);

// Of so many processes of a case: "needs 1 GiB", "2 ranks need 2 GiB (1 GiB each)", "2 copies need
// ...", "2 ranks of a host need ..." where other hosts have more.
std::string need_text(const CaseSpec& spec, int processes, std::int64_t bytes_of_one);

}  // namespace voxmark
