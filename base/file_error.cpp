#include "base/file_error.h"

#include <cerrno>

#include "base/error.h"

namespace voxmark {
namespace {

ExitCode code_of(int error_number) {
  switch (error_number) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ExitCode::cannot_here;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case ESTALE:
      return ExitCode::internal;
    default:
      return ExitCode::bad_input;
  }
}

}  // namespace

void throw_file_error(const std::string& path, std::string_view what, int error_number) {
  const std::string_view limit = error_number == EMFILE ? " (ulimit -n)" : "";
  throw Error(code_of(error_number),
              fmt::format("{}: {}: {}{}", path, what, describe_errno(error_number), limit));
}

}  // namespace voxmark
