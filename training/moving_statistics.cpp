#include "training/moving_statistics.h"

#include <fmt/format.h>

#include <cmath>

#include "workloads/network/program.h"

namespace voxmark {

double share_of_the_start(std::int64_t steps) {
  return std::pow(BatchNormSettings{}.momentum, static_cast<double>(steps));
}

std::int64_t steps_that_leave_the_start() {
  return static_cast<std::int64_t>(
      std::ceil(std::log(kMostOfTheStart) / std::log(BatchNormSettings{}.momentum)));
}

std::string worth_of_scores(std::int64_t steps_per_epoch, std::int64_t epochs) {
  const std::int64_t enough = steps_that_leave_the_start();
  const std::int64_t epoch = (enough + steps_per_epoch - 1) / steps_per_epoch;
  if (epoch > epochs) {
    return fmt::format(
        "this run is too short for scores of whole images: after its {} steps {:.0f}% of the "
        "moving "
        "statistics, which inference uses, is still their start, so that validation and test tell "
        "of the number of steps; from step {} on at most 1% is: --epochs {} reaches it",
        steps_per_epoch * epochs, 100 * share_of_the_start(steps_per_epoch * epochs), enough,
        epoch);
  }
  if (epoch == 1) {
    return "";
  }
  return fmt::format(
      "before step {}, in epoch {}, more than 1% of the moving statistics, which inference uses, "
      "is still their start: until then validation tells of the number of steps",
      enough, epoch);
}

}  // namespace voxmark
