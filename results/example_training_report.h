// A training report for tests: one epoch of phantoms.
#pragma once

#include "results/training_report.h"

namespace voxmark {

inline Json example_scores(double loss) {
  return {{"loss", loss},
          {"accuracy", 0.75},
          {"soft_dice", {0.5, 0.25}},
          {"hard_dice", {0.625, 0.375}},
          {"whole_dice", nullptr}};
}

inline Json example_training_report() {
  const Json epoch = {{"epoch", 1},
                      {"images", 10},
                      {"seconds", 5.5},
                      {"seconds_per_image", 0.55},
                      {"waiting_seconds", 0.0},
                      {"waiting_share", 0.0},
                      {"validation_seconds", 1.5},
                      {"validation_waiting_seconds", 0.25},
                      {"training", example_scores(0.25)},
                      {"validation", nullptr},
                      {"best", true},
                      {"step_losses", {0.5, 0.25}}};
  return {
      {"schema", kTrainingSchemaName},
      {"created", "2024-05-31T12:00:00Z"},
      {"voxmark", Json::object()},
      {"environment", Json::object()},
      {"options",
       {{"data", "phantom:8"},
        {"backend", "eigen"},
        {"precision", "fp32"},
        {"threads", 2},
        {"image", {16, 16, 16}},
        {"batch", 1},
        {"channels", 1},
        {"classes", 2},
        {"filters", 4},
        {"seed", 1},
        {"split_seed", 1},
        {"augment", true},
        {"tile", false},
        {"downsample", 1},
        {"steps_per_epoch", 0},
        {"epochs", 1},
        {"patience", 0},
        {"preset", nullptr}}},
      {"data", {{"kind", "phantom"}, {"name", "voxmark phantom"}, {"identity", "8 of 16x16x16"}}},
      {"cases", {{"training", 8}, {"validation", 0}, {"test", 0}}},
      {"forecast", nullptr},
      {"epochs", {epoch}},
      {"best_epoch", 1},
      {"end", "done"},
      {"test", nullptr},
      {"claims", nullptr},
      {"memory", {{"planned_bytes", 1000}, {"peak_bytes", nullptr}}}};
}

}  // namespace voxmark
