// An Error of several faults, each of which is printed on a line of its own.
#pragma once

#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace voxmark {

class ErrorLines : public Error {
 public:
  ErrorLines(ExitCode code, std::vector<std::string> lines)
      : Error(code, fmt::format("{}", fmt::join(lines, "\n"))), lines_(std::move(lines)) {}
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace voxmark
