// The one exception type of voxmark, and the exit codes that it maps to.
//
// A message is one line that names the thing, what was expected and what was found:
// `nifti: BRATS_004.nii.gz: dim[0] = 9, expected 1 to 7`.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace voxmark {

// Exit codes, the same in every subcommand and in the Python tools.
enum class ExitCode : int {
  done = 0,          // done, same, faster, verified
  answer_is_no = 1,  // a regression, a failed verification, a refuted claim
  not_comparable = 3,
  inconclusive = 4,
  cannot_here = 5,    // this machine cannot do it
  bad_input = 64,     // wrong use or bad input
  internal = 70,      // a fault of our own
  interrupted = 130,  // SIGINT
  terminated = 143,   // SIGTERM
};

// Of two results that one exit code must tell, the one that a user has to know of: an end from
// outside, then wrong input, a no, a fault of our own, what cannot be decided, or done here.
inline ExitCode worse(ExitCode left, ExitCode right) {
  constexpr ExitCode kFromWorst[] = {ExitCode::terminated,   ExitCode::interrupted,
                                     ExitCode::bad_input,    ExitCode::answer_is_no,
                                     ExitCode::internal,     ExitCode::not_comparable,
                                     ExitCode::inconclusive, ExitCode::cannot_here};
  for (const ExitCode code : kFromWorst) {
    if (left == code || right == code) {
      return code;
    }
  }
  return ExitCode::done;
}

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Throws an Error with ExitCode::bad_input: the user's input or command line is wrong.
template <class... Args>
[[noreturn]] void throw_bad_input(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::bad_input, fmt::format(format, std::forward<Args>(args)...));
}

// Throws an Error with ExitCode::internal: a library or the system failed us.
template <class... Args>
[[noreturn]] void throw_internal(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::internal, fmt::format(format, std::forward<Args>(args)...));
}

// "No such file or directory" and so on, for an errno value. Thread-safe, unlike strerror.
std::string describe_errno(int error_number);

}  // namespace voxmark
