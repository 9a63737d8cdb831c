#include "benches/run/rank_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "benches/exchange/ask_ranks.h"
#include "benches/protocol/contender.h"

namespace voxmark {

RankLimits measured_rank_limits(const RankSettings& settings, int ranks, int threads,
                                bool all_sizes) {
  constexpr double kPatienceSeconds = 600;  // 64 MiB on a wire of 10 Mbit/s
  Json told =
      ask_ranks(settings, ranks, threads, all_sizes ? "limits" : "short-limits", kPatienceSeconds);
  if (const std::string conflict = told.at("conflict"); !conflict.empty()) {
    throw_bad_input("ranks: {}", conflict);
  }
  auto limits = take_members<RankLimits>(told.at("limits"));
  limits.launcher = fmt::format("{}", fmt::join(settings.launcher.words, " "));
  return limits;
}

std::vector<RankLimits> rank_limits_of(const RankSettings& settings,
                                       std::span<const CaseSpec> cases) {
  std::set<std::pair<int, int>> sizes;
  for (const CaseSpec& spec : cases) {
    if (spec.ranks > 1 && runs_our_child(spec.backend)) {
      sizes.emplace(spec.ranks, spec.threads);
    }
  }
  std::vector<RankLimits> all;
  for (const auto& [ranks, threads] : sizes) {
    try {
      all.push_back(measured_rank_limits(settings, ranks, threads, false));
    } catch (const Error& error) {
      RankLimits& none = all.emplace_back();
      none.ranks = ranks;
      none.threads = threads;
      none.reason = error.what();
    }
  }
  return all;
}

}  // namespace voxmark
