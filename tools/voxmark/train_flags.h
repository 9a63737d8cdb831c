// What was asked of voxmark train.
#pragma once

#include <string>

#include "tools/voxmark/model_options.h"
#include "training/trainer.h"

namespace voxmark {

struct TrainFlags {
  std::string data;
  ReadOptions reading;
  ModelOptions model;
  std::string backend = "onednn";
  std::string precision = "fp32";
  std::string memory_limit;
  std::string out = "voxmark-training";
  double progress_seconds = 60;
  bool no_augment = false;
  bool resume = false;
  bool overwrite = false;
  bool dry_run = false;
  std::string preset;
  TrainingOptions training;
};

}  // namespace voxmark
