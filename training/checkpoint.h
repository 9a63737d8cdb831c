// A training run as it stands between two steps, in one safetensors file: parameters, moving
// statistics, Adam's m, v and t under Keras's names, and the run's state as JSON in the metadata.
// Readers of weights (voxmark, Keras and PyTorch scripts) need only the tensors.
#pragma once

#include <string>

#include "backends/backend.h"
#include "base/json.h"
#include "workloads/network/weights.h"

namespace voxmark {

struct Checkpoint {
  Weights weights;
  Json state = Json::object();
};

// Whole or not at all: an older file at `path` stays until the new one is on the disk. Values are
// stored as the backend holds them: float32, float64 in fp64. Throws Error (internal) when the disk
// is full.
void save_checkpoint(const std::string& path, const Program& program, Precision precision,
                     const Checkpoint& checkpoint);

// Only the state: what is needed before a program can be made. Throws Error (bad_input) when the
// file is no checkpoint of voxmark.
Json read_checkpoint_state(const std::string& path);

}  // namespace voxmark
