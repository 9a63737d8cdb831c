#include "benches/process/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace voxmark {
namespace {

// Above the standard streams; -1 where that fails.
int moved_up(int descriptor) {
  if (descriptor > STDERR_FILENO || descriptor < 0) {
    return descriptor;
  }
  const int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int reason = errno;
  close(descriptor);
  errno = reason;
  return moved;
}

}  // namespace

void open_standard_streams() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) {
      continue;
    }
    // The lowest one that is free: this one. Nothing can be written to what is open for reading.
    const int flags = descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", flags) < 0) {
      open("/", O_RDONLY | O_DIRECTORY);  // neither read nor written, but the place is taken
    }
  }
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return {};
  }
  Pipe result{moved_up(ends[0]), moved_up(ends[1])};
  if (result.read_end < 0 || result.write_end < 0) {
    const int reason = errno;
    close(result.read_end);
    close(result.write_end);
    errno = reason;
    return {};
  }
  return result;
}

}  // namespace voxmark
