#include "tools/voxmark/conclusions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/number_text.h"
#include "base/shell_word.h"
#include "results/claims/claims.h"
#include "results/tables/case_table.h"
#include "results/tables/deciding.h"
#include "workloads/network/batch.h"

namespace voxmark {
namespace {

const CaseSummary* find_case(std::span<const CaseSummary> cases, const std::string& backend) {
  const auto found = std::find_if(cases.begin(), cases.end(), [&](const CaseSummary& own) {
    return own.spec.at("backend") == backend;
  });
  return found == cases.end() ? nullptr : &*found;
}

std::string image_text(const Json& spec) {
  const std::vector<std::int64_t> image = spec.at("image");
  return fmt::format("{}", fmt::join(image, "x"));
}

// Of the one that has no figure.
std::string why_not(const CaseSummary* own, const std::string& backend) {
  if (own == nullptr) {
    return backend + " was not run";
  }
  if (own->outcome == Outcome::ok) {
    return "";
  }
  return backend + " is " + (own->note.empty() ? std::string(to_string(own->outcome)) : own->note);
}

// What comes before a conclusion from cases whose times disturbed processes decide; else "".
std::string busy_words(const std::vector<const CaseSummary*>& cases) {
  int disturbed = 0, processes = 0;
  for (const CaseSummary* own : cases) {
    if (own != nullptr && own->left_out == 0) {
      disturbed += own->disturbed;
      processes += own->processes;
    }
  }
  return disturbed == 0
             ? ""
             : fmt::format(
                   "Not to be relied on, since this machine was busy ({}; voxmark doctor tells by "
                   "what): ",
                   disturbed_count(disturbed, processes));
}

}  // namespace

std::string speed_up_sentence(std::span<const CaseSummary> cases) {
  const CaseSummary* baseline = find_case(cases, kPaperBaseline);
  const CaseSummary* contender = find_case(cases, kPaperContender);
  const std::string paper = fmt::format(
      "the white paper reports {}x over stock TensorFlow, whose convolution algorithm {} stands "
      "for with its memory planned",
      question_of(whitepaper_claims()).at("value").get<double>(), kPaperBaseline);
  const auto ratio =
      baseline != nullptr && contender != nullptr ? speed_up(*baseline, *contender) : std::nullopt;
  if (ratio) {
    const CaseSummary* fastest = find_case(cases, kFastest);
    const auto most = fastest != nullptr ? speed_up(*baseline, *fastest) : std::nullopt;
    return fmt::format(
        "{}Forward and backward, {} is {} as fast as {} at {} and batch {}{}; {}.",
        busy_words({baseline, contender, fastest}), kPaperContender,
        speed_up_text(*baseline, *contender, *ratio), kPaperBaseline, image_text(contender->spec),
        contender->spec.at("batch").get<std::int64_t>(),
        most ? fmt::format(" ({}: {})", kFastest, speed_up_text(*baseline, *fastest, *most)) : "",
        paper);
  }
  std::string reason = why_not(baseline, kPaperBaseline);
  if (reason.empty()) {
    reason = why_not(contender, kPaperContender);
  }
  return fmt::format("There is no speed-up of {} over {} to tell ({}); {}.", kPaperContender,
                     kPaperBaseline, reason.empty() ? "the cases differ" : reason, paper);
}

std::string largest_fit_sentence(const std::optional<Fit>& fit, const std::string& backend,
                                 std::int64_t room_bytes) {
  const std::string room = bytes_text(std::max<std::int64_t>(room_bytes, 0));
  if (!fit) {
    return fmt::format("No image of the paper's model fits the {} of memory that are free here.",
                       room);
  }
  return fmt::format(
      "The largest step of the paper's model that fits the {} of memory free here is {} with "
      "batch {}: {} plans {}{} for it{}.",
      room, to_string(fit->image), fit->batch, backend, bytes_text(fit->plan.total_bytes()),
      fit->plan.exact ? "" : " (estimated)",
      fit->plan.extra_time_share > 0
          ? fmt::format(", with --memory-limit {}, about {:.1f}% of its time to compute again what "
                        "is not kept",
                        limit_text(room_bytes), 100 * fit->plan.extra_time_share)
          : "");
}

std::string next_command_sentence(const std::string& program, const std::string& data,
                                  const Dims& image, const ReadOptions& reading) {
  std::string flags;
  for (const std::string& flag : flags_of(reading)) {
    flags += " " + flag;
  }
  return fmt::format(
      "Next, the largest images of this data that fit, in five processes per backend, for an "
      "interval to rely on: {} run --backend {},{},{} --image {} --data {}{} --repeats 5",
      shell_word(program), kPaperBaseline, kPaperContender, kFastest, to_string(image),
      shell_word(data), flags);
}

}  // namespace voxmark
