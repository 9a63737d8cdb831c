#include "benches/run/warm_up.h"

#include <algorithm>
#include <cstddef>

namespace voxmark {

Json warm_up(const std::vector<SampleRecord>& samples) {
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
  const auto steps = std::ranges::count_if(samples, &SampleRecord::warmup);
  if (timed.size() < kLeastSteps) {
    return {{"over", nullptr},
            {"steps", steps},
            {"reason", "needs three timed steps that nothing disturbed"}};
  }
  const auto later = timed.begin() + static_cast<std::ptrdiff_t>(timed.size() / 2);
  const double settled = (1 + kWarmUpMargin) * *std::max_element(later, timed.end());
  const auto first = std::ranges::find_if(samples, [&](const SampleRecord& sample) {
    return is_judged(sample) && sample.times->step_seconds <= settled;
  });
  return {{"over", timed.front() <= settled},
          {"steps", steps},
          {"needed", std::distance(samples.begin(), first)}};
}

}  // namespace voxmark
