// What a person sees while cases run: a line per case, with an estimate of what is left.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "benches/runner.h"

namespace voxmark {

class Progress : public RunObserver {
 public:
  // Writes to `stream`; on a terminal each step shows too, on a line that is written over.
  Progress(std::FILE* stream, std::size_t cases);

  void verifying(const CaseSpec& spec) override;
  void timing(const CaseSpec& spec, std::optional<double> predicted_seconds) override;
  void step(const CaseSpec& spec, const StepMessage& step) override;
  void finished(const CaseSpec& spec, const Record& record,
                std::optional<double> seconds_left) override;
  void warn(const std::string& text) override;

 private:
  // Stays when `last`; else the next text takes its place, on a terminal.
  void show(const CaseSpec& spec, const std::string& text, bool last);

  std::FILE* stream_;
  bool terminal_;
  std::size_t cases_;
  std::size_t finished_ = 0;
  int steps_ = 0;  // of the running case
};

// "45 s", "12 min", "3.5 h"
std::string human_seconds(double seconds);

}  // namespace voxmark
