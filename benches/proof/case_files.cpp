#include "benches/proof/case_files.h"

#include <span>
#include <vector>

#include "backends/verify/verify.h"
#include "benches/process/scratch_folder.h"
#include "benches/protocol/case_work.h"
#include "workloads/network/safetensors.h"
#include "workloads/network/weights.h"

namespace voxmark {
namespace {

// In the program's order, so that the bytes after the header are what weights_sha256 is taken of.
void write_weights(const std::string& path, const Program& program, const Weights& weights) {
  std::vector<std::vector<float>> values;  // what the views point into
  std::vector<TensorView> views;
  values.reserve(weights.size());
  for (const TensorInfo& tensor : program.tensors) {
    if (is_persistent(tensor.role) && tensor.role != TensorRole::optimizer_state) {
      const std::vector<double>& own = weights.at(tensor.name);
      values.emplace_back(own.begin(), own.end());
      views.push_back({tensor.name, tensor.shape, std::span<const float>(values.back())});
    }
  }
  write_safetensors(path, views);
}

void write_batch(const std::string& path, const Batch& batch) {
  const Dims& d = batch.dims;
  const std::vector<TensorView> views = {
      {"input", {batch.images, d.d, d.h, d.w, batch.input_channels}, std::span(batch.input)},
      {"target", {batch.images, d.d, d.h, d.w, batch.output_channels}, std::span(batch.target)}};
  write_safetensors(path, views);
}

}  // namespace

CaseFiles::~CaseFiles() { remove_scratch_folder(folder_); }

const std::string& CaseFiles::folder() {
  if (folder_.empty()) {
    folder_ = make_scratch_folder("voxmark-case");
  }
  return folder_;
}

CasePaths CaseFiles::paths(const std::string& kind) {
  return {folder() + "/" + kind + "_weights.safetensors",
          folder() + "/" + kind + "_batch.safetensors"};
}

CasePaths CaseFiles::for_timing(const CaseSpec& spec) {
  CasePaths files = paths("timed");
  const std::string key = inputs_key(spec);
  if (key != timed_) {
    timed_.clear();
    const Program program = training_program(spec);
    write_weights(files.weights, program, initial_weights(program, spec.seed));
    write_batch(files.batch, case_batch(spec));
    timed_ = key;
  }
  return files;
}

CasePaths CaseFiles::for_verification(const CaseSpec& shape) {
  CasePaths files = paths("verified");
  const std::string key = inputs_key(shape);
  if (key != verified_) {
    verified_.clear();
    const Program program = training_program(shape);
    write_weights(files.weights, program, verification_weights(program, shape.seed));
    write_batch(files.batch, case_batch(shape));
    verified_ = key;
  }
  return files;
}

std::string CaseFiles::results_path() {
  return folder() + "/results" + std::to_string(results_++) + ".safetensors";
}

}  // namespace voxmark
