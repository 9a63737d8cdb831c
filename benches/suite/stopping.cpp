#include "benches/suite/stopping.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "results/tables/deciding.h"
#include "results/tables/summary.h"

namespace voxmark {
namespace {

// P(X <= k) of a binomial with n tries of a half.
double binomial_half(int n, int k) {
  double sum = 0;
  for (int i = 0; i <= k; ++i) {
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) -
                    n * std::log(2.0));
  }
  return sum;
}

std::string key_of_any_process(CaseSpec spec) {
  spec.process = 0;
  return case_key(to_json(spec));
}

// Of one process; nothing where no time was published.
std::optional<double> median_seconds(const Record& record) {
  return publishes_times(record.outcome)
             ? process_seconds(record, &StepTimes::forward_backward_seconds)
             : std::nullopt;
}

}  // namespace

std::optional<MedianInterval> median_interval(std::vector<double> values) {
  constexpr double kTail = 0.025;
  const int n = static_cast<int>(values.size());
  int below = -1;  // the values left out on either side
  while (below + 1 < n && binomial_half(n, below + 1) <= kTail) {
    ++below;
  }
  if (below < 0) {
    return std::nullopt;
  }
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(below);
  return MedianInterval{values[rank], values[values.size() - 1 - rank]};
}

std::optional<double> relative_precision(const std::vector<double>& values) {
  const auto interval = median_interval(values);
  if (!interval) {
    return std::nullopt;
  }
  return (interval->high - interval->low) / (2 * spread_of(values).median);
}

std::vector<CaseSpec> next_processes(const StoppingRule& rule, const std::vector<CaseSpec>& cases,
                                     std::span<const Record> records) {
  if (!rule.precision_target && !rule.time_budget_seconds) {
    return {};
  }
  struct Measured {
    std::vector<const Record*> records;
    bool all_ok = true;
    int next_process = 0;
  };
  std::map<std::string, Measured> measured;
  for (const Record& record : records) {
    const CaseSpec spec = case_from_json(record.spec, "case");
    Measured& own = measured[key_of_any_process(spec)];
    own.next_process = std::max(own.next_process, spec.process + 1);
    own.all_ok = own.all_ok && median_seconds(record).has_value();
    own.records.push_back(&record);
  }
  std::vector<CaseSpec> next;
  for (const CaseSpec& spec : cases) {
    const auto found = measured.find(key_of_any_process(spec));
    if (spec.process != 0 || found == measured.end() || !found->second.all_ok ||
        found->second.next_process >= rule.max_processes) {
      continue;  // what fails once is not tried fifty times
    }
    std::vector<double> seconds;
    for (const Record* record : deciding(found->second.records).records) {
      if (const auto median = median_seconds(*record)) {
        seconds.push_back(*median);
      }
    }
    const auto precision = relative_precision(seconds);
    if (!rule.precision_target || !precision || *precision > *rule.precision_target) {
      next.push_back(spec);
      next.back().process = found->second.next_process;
    }
  }
  return next;
}

}  // namespace voxmark
