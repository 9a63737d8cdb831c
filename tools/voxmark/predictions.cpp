#include "tools/voxmark/predictions.h"

#include <fmt/ranges.h>

#include <cstdio>

#include "base/tell.h"
#include "training/prediction/scores.h"
#include "training/prediction/surface_dice.h"

namespace voxmark {
namespace {

std::string dice_text(const Scores& scores, double surface_tolerance) {
  std::string dice = fmt::format("Dice {:.4f}", fmt::join(scores.hard_dice, ", "));
  if (scores.hard_dice.size() > 1) {
    dice += fmt::format(", whole {:.4f}", *scores.whole_dice);
  }
  return dice + ", " + surface_text(scores, surface_tolerance);
}

// Over all cases with a truth, or those of a part.
ScoreMean mean_scores(const Json& results, const char* part = nullptr) {
  ScoreMean mean;
  for (const Json& result : results) {
    if (part != nullptr && result["part"] != part) {
      continue;
    }
    if (!result["scores"].is_null()) {
      mean.add(scores_from_json(result["scores"]));
    }
  }
  return mean;
}

Json mean_json(const ScoreMean& mean) { return mean.count() > 0 ? to_json(mean.mean()) : Json(); }

void print_mean(const ScoreMean& mean, const std::string& of, double surface_tolerance) {
  if (mean.count() == 0) {
    return;
  }
  const Scores scores = mean.mean();
  fmt::print("mean of {} {}: {}, loss {:.4f}, accuracy {:.4f}\n", mean.count(), of,
             dice_text(scores, surface_tolerance), scores.loss, scores.accuracy);
}

}  // namespace

void print_prediction(const Json& result, double surface_tolerance) {
  const Json& scores = result["scores"];
  fmt::print("{}: {}{}{}\n", result["case"].get<std::string>(),
             result["prediction"].get<std::string>(),
             scores.is_null() ? "" : ": " + dice_text(scores_from_json(scores), surface_tolerance),
             result["tiled_for_memory"].get<bool>() ? "; in tiles: the memory is too small" : "");
}

void print_means(const Predictions& predictions, bool by_part, double surface_tolerance) {
  for (const char* part : kParts) {
    if (by_part) {
      print_mean(mean_scores(predictions.results, part), fmt::format("{} cases", part),
                 surface_tolerance);
    }
  }
  print_mean(mean_scores(predictions.results), "cases", surface_tolerance);
}

void print_predictions_json(const Predictions& predictions, bool by_part,
                            double surface_tolerance) {
  Json means;
  for (const char* part : kParts) {
    if (by_part) {
      means[part] = mean_json(mean_scores(predictions.results, part));
    }
  }
  fmt::print("{}\n", dump_json({{"predictions", predictions.results},
                                {"mean", mean_json(mean_scores(predictions.results))},
                                {"mean_by_part", means},
                                {"surface_tolerance_mm", surface_tolerance},
                                {"failures", predictions.failures}},
                               2));
}

void tell_failures(const Predictions& predictions, std::size_t cases) {
  if (predictions.failures.empty()) {
    return;
  }
  std::fflush(stdout);
  tell(stderr, "{} of {} cases failed:\n", predictions.failures.size(), cases);
  for (const Json& failure : predictions.failures) {
    tell(stderr, "{}: {}\n", failure["case"].get<std::string>(),
         failure["message"].get<std::string>());
  }
}

}  // namespace voxmark
