#include "tools/voxmark/stack_room.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <system_error>

#include "base/error.h"

namespace voxmark {
namespace {

constexpr rlim_t kUsualBytes = rlim_t{8} << 20U;  // Linux's own default
// Eigen takes up to 128 KiB for each of a product's blocks, kernels of oneDNN tens of KiB.
constexpr rlim_t kLeastBytes = rlim_t{512} << 10U;

void raise_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kUsualBytes) {
    return;
  }
  rlimit raised{kUsualBytes, std::max(limit.rlim_max, kUsualBytes)};
  if (setrlimit(RLIMIT_STACK, &raised) != 0) {  // the hard limit is raised with a privilege alone
    raised = {std::min(limit.rlim_max, kUsualBytes), limit.rlim_max};
    if (setrlimit(RLIMIT_STACK, &raised) != 0) {
      raised = limit;
    }
  }
  if (raised.rlim_cur < kLeastBytes) {
    throw Error(ExitCode::cannot_here,
                fmt::format("the stack of a thread is limited to {} KiB, expected {} KiB or more: "
                            "ulimit -s {}",
                            raised.rlim_cur >> 10U, kLeastBytes >> 10U, kUsualBytes >> 10U));
  }
  // glibc has read the limit already, as the size that a thread gets.
  pthread_attr_t attributes;
  if (pthread_getattr_default_np(&attributes) == 0) {
    if (pthread_attr_setstacksize(&attributes, raised.rlim_cur) == 0) {
      pthread_setattr_default_np(&attributes);
    }
    pthread_attr_destroy(&attributes);
  }
}

void check_variable(const char* name) {
  const char* text = std::getenv(name);
  const long long bytes = text == nullptr ? 0 : stack_size_bytes(text);
  if (bytes > 0 && static_cast<rlim_t>(bytes) < kLeastBytes) {
    throw_bad_input("{}={}: too small a stack for a thread, expected {} KiB or more, or unset",
                    name, text, kLeastBytes >> 10U);
  }
}

}  // namespace

long long stack_size_bytes(const std::string& text) {
  std::string word;  // OpenMP allows blanks around the number and around its unit
  std::copy_if(text.begin(), text.end(), std::back_inserter(word),
               [](unsigned char character) { return std::isspace(character) == 0; });
  long long number = 0;
  const char* const behind = word.data() + word.size();
  const auto [end, failure] = std::from_chars(word.data(), behind, number);
  const std::string unit(end, behind);
  if (failure != std::errc() || number <= 0 || unit.size() > 1) {
    return 0;
  }
  const std::string units = "BKMG";
  const char letter = unit.empty() ? 'K' : static_cast<char>(std::toupper(unit.front()));
  const std::size_t place = units.find(letter);
  if (place == std::string::npos || number > std::numeric_limits<long long>::max() >> 30U) {
    return 0;
  }
  return number << (10 * place);
}

void make_stack_room() {
  raise_limit();
  check_variable("OMP_STACKSIZE");
  check_variable("GOMP_STACKSIZE");
}

}  // namespace voxmark
