// Two backends on Eigen, fp32, channels last. They differ in their convolutions alone.
#pragma once

#include "backends/backend.h"

namespace voxmark {

// The best that Eigen does: its block-panel kernel on rows packed once for all taps.
const Backend& eigen_backend();

// The algorithm of stock TensorFlow: volume patches and contraction of Eigen's Tensor module. Its
// memory is planned, so it does not pay stock TensorFlow's page faults.
const Backend& eigen_tensor_backend();

}  // namespace voxmark
