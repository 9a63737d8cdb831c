#include "benches/run/warm_up.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

namespace voxmark {

WarmUp warm_up(const std::vector<SampleRecord>& samples) {
  constexpr std::size_t kLeastSteps = 3;
  const auto is_judged = [](const SampleRecord& sample) {
    return sample.times && !sample.readings.contains("tainted");
  };
  std::vector<double> timed;
  for (const SampleRecord& sample : samples) {
    if (!sample.warmup && is_judged(sample)) {
      timed.push_back(sample.times->step_seconds);
    }
  }
  WarmUp found;
  found.steps = std::ranges::count_if(samples, &SampleRecord::warmup);
  if (timed.size() < kLeastSteps) {
    found.reason = "needs three timed steps that nothing disturbed";
    return found;
  }
  const auto later = timed.begin() + static_cast<std::ptrdiff_t>(timed.size() / 2);
  const double settled = (1 + kWarmUpMargin) * *std::max_element(later, timed.end());
  const auto first = std::ranges::find_if(samples, [&](const SampleRecord& sample) {
    return is_judged(sample) && sample.times->step_seconds <= settled;
  });
  found.over = timed.front() <= settled;
  found.needed = std::distance(samples.begin(), first);
  return found;
}

WarmUp warm_up_of_copies(const std::vector<SampleRecord>& samples, int copies) {
  std::optional<WarmUp> first;
  for (std::int64_t copy = 1; copy <= copies; ++copy) {
    std::vector<SampleRecord> own;
    std::ranges::copy_if(samples, std::back_inserter(own), [&](const SampleRecord& sample) {
      return sample.copy.value_or(1) == copy;
    });
    WarmUp found = warm_up(own);
    if (found.over == false) {
      return found;
    }
    first = first.value_or(found);
  }
  return *first;
}

}  // namespace voxmark
