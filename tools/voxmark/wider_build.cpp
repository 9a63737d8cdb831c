#include "tools/voxmark/wider_build.h"

#include <unistd.h>

#include "base/own_program.h"
#include "benches/protocol/isa.h"

namespace voxmark {

void become_wider_build([[maybe_unused]] char** arguments) {
#ifndef __AVX512F__  // this file is compiled as kernels are
  if (const auto sibling = wider_sibling(own_program())) {
    execv(sibling->c_str(), arguments);  // where it cannot be started, this one serves as well
  }
#endif
}

}  // namespace voxmark
