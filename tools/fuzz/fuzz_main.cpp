// A libFuzzer program; its target is the name of a reader, given when it is built.
#include <cstdlib>
#include <string>

#include "tools/fuzz/fuzz_readers.h"

namespace {

const voxmark::FuzzTarget& target() {
  for (const voxmark::FuzzTarget& one : voxmark::fuzz_targets()) {
    if (one.name == VOXMARK_FUZZ_TARGET) {
      return one;
    }
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  voxmark::accepts(target(), std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
