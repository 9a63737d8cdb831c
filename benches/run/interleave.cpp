#include "benches/run/interleave.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/sha256.h"
#include "benches/protocol/contender.h"

namespace voxmark {

std::vector<CaseSpec> interleave(const std::vector<CaseSpec>& cases, std::uint64_t seed) {
  std::map<int, std::vector<CaseSpec>> by_process;
  for (const CaseSpec& spec : cases) {
    by_process[spec.process].push_back(spec);
  }
  std::mt19937_64 random(seed);
  std::vector<CaseSpec> order;
  std::map<std::string, std::size_t> place;  // of each case in the round before
  bool reverse = false;
  for (auto& [process, round] : by_process) {
    const auto key = [](CaseSpec spec) {
      spec.process = 0;
      return case_key(to_json(spec));
    };
    if (reverse) {
      std::ranges::stable_sort(round, std::ranges::greater(),
                               [&](const CaseSpec& spec) { return place[key(spec)]; });
    } else {
      shuffle(round, random);
      if (process == 0) {
        // Not std::ranges': clang-tidy 14 cannot parse libstdc++'s subrange.
        std::stable_partition(round.begin(), round.end(),
                              [](const CaseSpec& spec) { return runs_our_child(spec.backend); });
      }
      place.clear();
      for (std::size_t i = 0; i < round.size(); ++i) {
        place[key(round[i])] = i;
      }
    }
    reverse = !reverse;
    order.insert(order.end(), round.begin(), round.end());
  }
  return order;
}

bool first_build_comes_first(const CaseSpec& spec, std::uint64_t seed) {
  CaseSpec pair = spec;
  pair.process = spec.process / 2;
  const std::string digest = sha256_hex(fmt::format("{} {}", seed, case_key(to_json(pair))));
  const bool drawn = digest.front() < '8';  // the first bit of a hexadecimal digit
  return drawn == (spec.process % 2 == 0);
}

std::vector<Record> in_listed_order(std::vector<Record> records,
                                    const std::vector<CaseSpec>& cases) {
  const auto key = [](Json spec) {
    spec["process"] = 0;
    return case_key(spec);
  };
  std::map<std::string, std::size_t> place;
  for (const CaseSpec& spec : cases) {
    place.try_emplace(key(to_json(spec)), place.size());
  }
  std::ranges::stable_sort(records, {}, [&](const Record& record) {
    return place.try_emplace(key(record.spec), place.size()).first->second;
  });
  return records;
}

}  // namespace voxmark
