#include "backends/step_result.h"

namespace voxmark {

StepResult empty_result(const Program& program) {
  StepResult result;
  if (program.loss != kNoTensor) {
    result.sums.resize(
        static_cast<std::size_t>(elements(program.tensor(program.sums).shape) / kDiceSumCount));
  }
  return result;
}

void fill_result(double loss, const double* sums, StepResult& result) {
  result.loss = loss;
  for (ClassSums& own : result.sums) {
    own = {sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]};
    sums += kDiceSumCount;
  }
}

}  // namespace voxmark
