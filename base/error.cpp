#include "base/error.h"

#include <system_error>

namespace voxmark {

std::string describe_errno(int error_number) {
  return std::generic_category().message(error_number);
}

}  // namespace voxmark
