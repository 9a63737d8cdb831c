#include "results/slow_kernel.h"

namespace voxmark {

bool is_slow_kernel(std::string_view implementation) {
  return implementation.starts_with("ref") ||
         implementation.find("gemm:") != std::string_view::npos;
}

}  // namespace voxmark
