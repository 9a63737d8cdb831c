#include "benches/child/rank_answers.h"

#include <omp.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/tell.h"
#include "benches/child/child.h"
#include "benches/child/rank_group.h"
#include "benches/limits/rank_limits.h"
#include "benches/process/memory_room.h"
#include "benches/process/process_cpus.h"
#include "benches/protocol/rank_words.h"
#include "benches/threads/thread_team.h"

namespace voxmark {
namespace {

// "0", "0-3": where each thread of the team may run.
std::vector<std::string> cpus_of_team(int threads) {
  std::vector<std::string> cpus(static_cast<std::size_t>(threads));
#pragma omp parallel num_threads(threads)
  {
    cpu_set_t own;
    CPU_ZERO(&own);
    if (sched_getaffinity(0, sizeof own, &own) == 0) {
      cpus.at(static_cast<std::size_t>(omp_get_thread_num())) = cpu_list_text(own);
    }
  }
  return cpus;
}

Json libraries() {
  Json all = Json::array();
  for (const BackendLibrary& library : backend_libraries()) {
    all.push_back({{"name", library.name}, {"version", library.version}, {"isa", library.isa}});
  }
  return all;
}

// Beside rank_facts(): where threads may run, or why there are not as many; memory; libraries.
Json told_facts(int threads) {
  Json facts = rank_facts(threads);
  try {
    check_team(threads, cpu_sharing() == CpuSharing::always);
    facts["thread_cpus"] = cpus_of_team(threads);
  } catch (const Error& error) {
    facts["refused"] = error.what();
  }
  const MemoryRoom room = memory_room();
  facts["memory"] = {{"bytes", room.bytes}, {"source", room.source}};
  facts["backend_libraries"] = libraries();
  return facts;
}

// Why the ranks cannot compute together, as a run would refuse them; "" where they can.
std::string obstacle_of(const std::vector<Json>& facts) {
  if (std::string conflict = conflict_of_ranks(facts, cpu_sharing()); !conflict.empty()) {
    return conflict;
  }
  for (std::size_t rank = 0; rank < facts.size(); ++rank) {
    if (facts[rank].contains("refused")) {
      return fmt::format("rank {} on {}: {}", rank, facts[rank].at("host").get<std::string>(),
                         facts[rank].at("refused").get<std::string>());
    }
  }
  return "";
}

Json answer_of(const std::string& question, int threads, RankGroup& group) {
  const std::vector<Json> facts = group.json_of_all(told_facts(threads));
  const std::string conflict = obstacle_of(facts);
  Json answer = {{"library", group.library()}, {"conflict", conflict}};
  if (question == "facts") {
    answer["each"] = facts;
  } else if (conflict.empty()) {
    const RankSizes sizes = question == "limits" ? RankSizes::all : RankSizes::few;
    RankLimits limits = rank_limits(group.collectives(), sizes);
    limits.threads = threads;
    limits.library = group.library();
    limits.hosts.emplace();
    limits.has_spare_cpus = true;
    for (const Json& rank : facts) {
      limits.hosts->push_back(rank.at("host"));
      const bool spare = rank.at("cpus").size() > static_cast<std::size_t>(threads);
      limits.has_spare_cpus = *limits.has_spare_cpus && spare;
    }
    answer["limits"] = members_to_json(limits);
  }
  return answer;
}

}  // namespace

void answer_as_ranks(const std::string& question, int threads) {
  if (question != "facts" && question != "limits" && question != "short-limits") {
    throw_bad_input("--ask {}: expected facts, limits or short-limits", question);
  }
  const char* ranks = std::getenv(kRanksVariable);
  if (ranks == nullptr) {
    throw_bad_input("--ask {}: this process is no rank", question);
  }
  std::unique_ptr<RankGroup> group;
  before_mpi([&] { group = std::make_unique<RankGroup>(std::atoi(ranks)); });
  try {
    const Json answer = answer_of(question, threads, *group);
    if (group->is_first()) {
      tell(stdout, "{}\n", dump_json(answer));
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    group->abort(RankFailure::internal, error.what());  // the others wait for this one
  }
  group->finish();
}

}  // namespace voxmark
