// Batches that a run writes for other programs, which go on from its weights.
#pragma once

#include <filesystem>
#include <string>

#include "workloads/network/batch.h"

namespace voxmark {

// Where `exported_batches` go: start.safetensors (the weights before the first of them) and
// step_00000.safetensors (tensors "input", "target"), step_00001.safetensors, ...
std::string batches_folder(const std::string& folder);

// Makes it, without batches of an export before: readers take every step that they find. Throws
// Error (bad_input).
void make_batches_folder(const std::filesystem::path& folder);

void write_batch(const std::string& path, const Batch& batch);

}  // namespace voxmark
