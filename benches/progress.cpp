#include "benches/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "results/summary.h"

namespace voxmark {
namespace {

// The median of what was timed, or why nothing was.
std::string figure(const Record& record) {
  std::vector<double> seconds;
  for (const SampleRecord& sample : record.samples) {
    if (!sample.warmup && sample.times && publishes_times(record.outcome)) {
      seconds.push_back(sample.times->step_seconds);
    }
  }
  const std::string outcome(to_string(record.outcome));
  if (seconds.empty()) {
    return outcome + ": " + record.reason.value_or("");
  }
  const std::string median = fmt::format("{:.4g} s/step", spread_of(std::move(seconds)).median);
  return record.outcome == Outcome::ok ? median : median + " (" + outcome + ")";
}

}  // namespace

Progress::Progress(std::FILE* stream, std::size_t cases)
    : stream_(stream), terminal_(isatty(fileno(stream)) == 1), cases_(cases) {}

void Progress::show(const CaseSpec& spec, const std::string& text, bool last) {
  const std::string line = fmt::format("[{}/{}] {}, process {}: {}", finished_ + (last ? 0 : 1),
                                       cases_, describe(spec), spec.process, text);
  if (terminal_) {
    fmt::print(stream_, "\r\033[K{}{}", line, last ? "\n" : "");
  } else {
    fmt::print(stream_, "{}\n", line);
  }
  std::fflush(stream_);
}

void Progress::verifying(const CaseSpec& spec) {
  show(spec, "verifying against naive in double", false);
}

void Progress::timing(const CaseSpec& spec, std::optional<double> predicted_seconds) {
  steps_ = 0;
  const std::string guess =
      predicted_seconds ? ", about " + human_seconds(*predicted_seconds) : std::string();
  show(spec, fmt::format("{} + {} steps{}", spec.warmup, spec.steps, guess), false);
}

void Progress::step(const CaseSpec& spec, const StepMessage& step) {
  ++steps_;
  if (terminal_) {
    show(
        spec,
        fmt::format("step {} of {}: {:.4g} s", steps_, spec.warmup + spec.steps, step.step_seconds),
        false);
  }
}

void Progress::finished(const CaseSpec& spec, const Record& record,
                        std::optional<double> seconds_left) {
  ++finished_;
  std::string left;
  if (finished_ < cases_) {
    left =
        seconds_left ? "; about " + human_seconds(*seconds_left) + " left" : "; time left unknown";
  }
  show(spec, figure(record) + left, true);
}

void Progress::warn(const std::string& text) {
  fmt::print(stream_, "{}Warning: {}\n", terminal_ ? "\r\033[K" : "", text);
  std::fflush(stream_);
}

std::string human_seconds(double seconds) {
  if (seconds < 100) {
    return fmt::format("{:.0f} s", seconds);
  }
  return seconds < 6000 ? fmt::format("{:.0f} min", seconds / 60)
                        : fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace voxmark
