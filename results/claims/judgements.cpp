#include "results/claims/judgements.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "base/number_text.h"
#include "results/claims/claims_tables.h"
#include "results/claims/papers_training.h"

namespace voxmark {
namespace {

// Dice over the seeds that did not diverge.
struct SeedRange {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  int seeds = 0;
};

SeedRange dice_of(const Json& trick) {
  SeedRange range;
  for (const Json& run : trick.at("runs")) {
    if (!run.at("test_dice").is_null()) {
      const double dice = run.at("test_dice").get<double>();
      range.low = std::min(range.low, dice);
      range.high = std::max(range.high, dice);
      ++range.seeds;
    }
  }
  return range;
}

std::string dice_text(const std::string& name, const SeedRange& range) {
  return range.seeds == 0 ? name + " diverged"
                          : fmt::format("{} {:.3f}..{:.3f}", name, range.low, range.high);
}

// Of a mean of scores: by class, those that are there; nothing where none is.
std::optional<double> mean_of(const Json& mean, const std::string& quantity) {
  const Json found = mean.value(quantity, Json());
  std::vector<double> values;
  for (const Json& value : found.is_array() ? found : Json::array({found})) {
    if (value.is_number()) {
      values.push_back(value.get<double>());
    }
  }
  return values.empty() ? std::nullopt
                        : std::optional(std::accumulate(values.begin(), values.end(), 0.0) /
                                        static_cast<double>(values.size()));
}

}  // namespace

Finding start_finding(const Json& claim, const std::string& backend) {
  Finding finding;
  finding.backend = backend;
  finding.claim = claim.at("id").get<std::string>();
  finding.kind = claim.at("kind").get<std::string>();
  finding.title = claim.value("title", "");
  finding.place = claim.value("place", "");
  finding.sentence = claim.at("sentence").get<std::string>();
  finding.derived = claim.value("derived", false);
  finding.here = kNoFigure;
  return finding;
}

double voxels_of(const Json& claim) {
  const auto image = claim.at("image").get<std::vector<double>>();
  return image.at(0) * image.at(1) * image.at(2) * claim.at("batch").get<double>();
}

std::string no_line(const std::vector<MeasuredCase>& cases, const std::string& backend) {
  return of_backend(cases, backend).empty() ? why_not(cases, backend)
                                            : backend + ": measured at one size; a line needs two";
}

Finding judge_training(const Json& claim, const Json& training) {
  Finding finding = start_finding(claim);
  const bool has_value = claim.contains("value");
  finding.paper = has_value ? fmt::format("{}", claim.at("value").get<double>()) : "";
  finding.remark = training.is_null() ? claim.at("reason").get<std::string>()
                                      : why_not_papers_training(training);
  if (!finding.remark.empty()) {
    return finding;
  }
  const auto quantity = claim.at("quantity").get<std::string>();
  const auto found = mean_of(training.at("test").at("mean"), quantity);
  if (!found) {
    finding.remark = "the training report has no " + quantity;
    return finding;
  }
  finding.here = fmt::format("{}, of the test split", significant(*found, 3));
  if (has_value) {
    finding.verdict = judge_value({*found, *found, *found}, claim.at("value").get<double>(),
                                  claim.at("tolerance").get<double>());
  }
  return finding;
}

Finding judge_tricks(const Json& claim, const Json& tricks) {
  constexpr int kFewestSeeds = 2;
  Finding finding = start_finding(claim);
  finding.paper = claim.at("figure").get<std::string>();
  if (tricks.is_null()) {
    finding.remark = claim.at("reason").get<std::string>();
    return finding;
  }
  const Json& all = tricks.at("tricks");
  const SeedRange full = dice_of(all.front());
  std::vector<std::string> texts = {dice_text(all.front().at("trick").get<std::string>(), full)};
  const Json names = claim.value("tricks", Json::array());
  bool is_any_better = false, are_all_worse = true, is_enough = full.seeds >= kFewestSeeds;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const Json& name = all.at(i).at("trick");
    if (!names.empty() && std::ranges::find(names, name) == names.end()) {
      continue;
    }
    const SeedRange own = dice_of(all.at(i));
    texts.push_back(dice_text(name.get<std::string>(), own));
    is_enough = is_enough && own.seeds >= kFewestSeeds;
    is_any_better = is_any_better || own.low > full.high;
    are_all_worse = are_all_worse && own.high < full.low;
  }
  finding.here = fmt::format("Dice: {}", fmt::join(texts, ", "));
  finding.remark = fmt::format("{}, {} epochs, {} seeds: equal voxels seen",
                               tricks.at("data").get<std::string>(), tricks.at("epochs").get<int>(),
                               all.front().at("runs").size());
  if (tricks.contains("warning")) {
    finding.remark += "; " + tricks.at("warning").get<std::string>();
  }
  const bool is_open = tricks.contains("warning") || !is_enough || texts.size() < 2;
  const bool claims_worse = claim.contains("tricks");  // of these; of all: that none is better
  finding.verdict = is_open                          ? Verdict::open
                    : is_any_better                  ? Verdict::does_not_hold
                    : are_all_worse || !claims_worse ? Verdict::holds
                                                     : Verdict::open;
  return finding;
}

Finding judge_hours(const Json& claim, const std::string& backend,
                    const std::vector<MeasuredCase>& cases) {
  constexpr double kHour = 3600;
  Finding finding = start_finding(claim, backend);
  const double batch = claim.at("batch").get<double>();
  const double images = claim.at("epochs").get<double>() * claim.at("scans").get<double>();
  finding.paper = fmt::format("{:.0f} h", images * claim.at("value").get<double>() / kHour);
  const auto own = of_backend(cases, backend);
  if (own.empty()) {
    finding.remark = why_not(cases, backend);
    return finding;
  }
  const MeasuredCase& largest = own.back();
  if (const auto seconds =
          seconds_of(largest.processes, "wall", claim.at("span").get<std::string>())) {
    // A step's work is proportional to voxels.
    const double per_image = seconds->median / largest.voxels() * voxels_of(claim) / batch;
    finding.here = fmt::format("{}: {} h", backend, significant(images * per_image / kHour, 3));
    finding.remark = fmt::format("another server; here {} s per image, in proportion from {}",
                                 significant(per_image, 3), largest.shape());
  }
  return finding;
}

Finding judge_settings(const Json& claim, const std::string& backend,
                       const std::vector<MeasuredCase>& cases) {
  Finding finding = start_finding(claim, backend);
  finding.paper = "80 and 1 threads";
  const auto own = of_backend(cases, backend);
  if (own.empty()) {
    finding.remark = why_not(cases, backend);
    return finding;
  }
  finding.verdict = Verdict::holds;
  for (const MeasuredCase& measured : own) {
    for (const Record* record : measured.measured()) {
      const Json execution = record->details.value("execution", Json::object());
      const Json within = execution.value("intra_op_threads", Json());
      const Json between = execution.value("inter_op_threads", Json());
      if (within.is_null() || between.is_null()) {
        finding.verdict = Verdict::not_tested;
        finding.remark = backend + ": the records do not tell its pools";
        return finding;
      }
      finding.here = fmt::format("{}: {} of {} threads, {} beside", backend, dump_json(within),
                                 measured.threads(), dump_json(between));
      if (within != measured.threads() || between != 1) {
        finding.verdict = Verdict::does_not_hold;
        return finding;
      }
    }
  }
  finding.remark =
      "KMP_* have no effect: TensorFlow 2 runs oneDNN on threads of its own, not OpenMP's";
  return finding;
}

Finding judge_share(const Json& claim, const std::string& backend,
                    const std::vector<MeasuredCase>& cases, std::span<const MemoryLine> lines,
                    const Json& model) {
  constexpr double kBytesPerParameter = 16;  // itself, its gradient and Adam's two moments, in fp32
  Finding finding = start_finding(claim, backend);
  finding.paper = "most of it";
  const MemoryLine* line = line_of(lines, backend);
  if (line == nullptr) {
    finding.remark = no_line(cases, backend);
    return finding;
  }
  const double voxels = voxels_of(claim);
  const double bytes = line->bytes_at(voxels).middle;
  const double parameters = kBytesPerParameter * model.at("parameters").get<double>();
  const double share = std::min(1.0, line->slope().middle * voxels / bytes);
  finding.here = fmt::format("{}: {}% of {} grow with the image", backend,
                             significant(100 * share, 3), gigabytes_text(bytes));
  finding.remark = fmt::format("parameters, their gradients and moments: {}, whatever the image",
                               gigabytes_text(parameters));
  finding.verdict = !line->is_told() || !line->has_interval() ? Verdict::open
                    : line->slope().low * voxels > claim.at("value").get<double>() * bytes
                        ? Verdict::holds
                    : line->slope().high * voxels < claim.at("value").get<double>() * bytes
                        ? Verdict::does_not_hold
                        : Verdict::open;
  return finding;
}

Finding judge_times(const Json& claim) {
  Finding finding = start_finding(claim);
  const double bytes = claim.at("server_bytes").get<double>();
  const double least = bytes / claim.at("than_bytes").at(1).get<double>();
  const double most = bytes / claim.at("than_bytes").at(0).get<double>();
  const double value = claim.at("value").get<double>();
  finding.paper = fmt::format("{:.0f} times or more", value);
  finding.here = fmt::format("{:.0f} to {:.0f} times, by division", least, most);
  finding.remark = fmt::format("{} over {} to {}", gigabytes_text(bytes),
                               gigabytes_text(claim.at("than_bytes").at(0).get<double>()),
                               gigabytes_text(claim.at("than_bytes").at(1).get<double>()));
  finding.verdict = most < value    ? Verdict::does_not_hold
                    : least < value ? Verdict::open
                                    : Verdict::holds;
  return finding;
}

Finding judge_untested(const Json& claim) {
  Finding finding = start_finding(claim);
  finding.remark = claim.at("reason").get<std::string>();
  return finding;
}

}  // namespace voxmark
