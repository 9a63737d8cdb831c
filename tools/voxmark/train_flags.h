// What was asked of voxmark train.
#pragma once

#include <string>

#include "tools/voxmark/model_options.h"
#include "tools/voxmark/rank_options.h"
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
  int ranks = 1;
  RankFlags rank_flags;
  std::string batch_norm = "global";
  double timeout_seconds = 900;
  TrainingOptions training;

  // Of a rank, which voxmark train itself starts.
  int rank_threads = 0;
  std::string launched;   // what started it, as JSON
  bool terminal = false;  // whoever sees its words sees every step
};

}  // namespace voxmark
