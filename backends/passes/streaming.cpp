#include "backends/passes/streaming.h"

#include <fstream>

namespace voxmark::passes {

std::int64_t last_cache_bytes() {
  static const std::int64_t bytes = [] {
    std::int64_t kibibytes = 0;  // the file reads "32768K"
    std::ifstream("/sys/devices/system/cpu/cpu0/cache/index3/size") >> kibibytes;
    const bool is_size = kibibytes > 0 && kibibytes < std::int64_t{1} << 32;
    return is_size ? kibibytes << 10 : std::int64_t{32} << 20;
  }();
  return bytes;
}

}  // namespace voxmark::passes
