#include "backends/verify/step_reference.h"

#include <cassert>
#include <cmath>

#include "backends/interpreter/executable_weights.h"
#include "backends/interpreter/interpreter.h"
#include "backends/naive/kernels.h"
#include "backends/naive/naive.h"
#include "backends/step_result.h"
#include "base/error.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

template <class Visit>
void for_each_tensor(const Program& program, TensorRole role, Visit visit) {
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    if (program.tensors[i].role == role) {
      visit(static_cast<TensorId>(i), program.tensors[i].name);
    }
  }
}

std::vector<double> magnitudes(std::vector<double> values) {
  for (double& x : values) {
    x = std::abs(x);
  }
  return values;
}

// What a weight-gradient op gives for the absolute values of its operands: the sum of the absolute
// contributions to each element. Runs the op alone, as a program of its own.
template <class BackwardWeights>
void add_contributions(const BackwardWeights& op, const Program& program,
                       const Executable& executable, int threads, StepReference& reference) {
  Program alone;
  for (const TensorId id : {op.input, op.grad_output}) {
    alone.tensors.push_back(program.tensor(id));
    alone.tensors.back().role = TensorRole::parameter;  // so that set() reaches it
  }
  for (const TensorId id : {op.grad_kernel, op.grad_bias}) {
    alone.tensors.push_back(program.tensor(id));
  }
  alone.ops.push_back({BackwardWeights{0, 1, 2, 3}, Phase::backward, ""});
  Interpreter<NaiveKernels<double>> magnitude(alone, {Precision::fp64, threads, {}});
  magnitude.set(0, magnitudes(read_tensor(executable, program, op.input)));
  magnitude.set(1, magnitudes(read_tensor(executable, program, op.grad_output)));
  magnitude.run(nullptr);
  for (const TensorId id : {2, 3}) {
    reference.contributions[alone.tensor(id).name] = read_tensor(magnitude, alone, id);
  }
}

void add_contributions(const NormalizeReluReduce& op, const Program& program,
                       const Executable& executable, StepReference& reference) {
  const std::vector<double> x = read_tensor(executable, program, op.input);
  const std::vector<double> dy = read_tensor(executable, program, op.grad_output);
  const std::vector<double> statistics = read_tensor(executable, program, op.statistics);
  const std::vector<double> gamma = read_tensor(executable, program, op.gamma);
  const std::vector<double> beta = read_tensor(executable, program, op.beta);
  const std::size_t channels = gamma.size();
  std::vector<double> gamma_sums(channels, 0.0), beta_sums(channels, 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % channels;
    const double variance = statistics[2 * channels + c] / statistics[c];
    const double n =
        (x[i] - statistics[channels + c]) / std::sqrt(variance + program.batch_norm.epsilon);
    if (gamma[c] * n + beta[c] > 0) {
      beta_sums[c] += std::abs(dy[i]);
      gamma_sums[c] += std::abs(dy[i] * n);
    }
  }
  reference.contributions[program.tensor(op.grad_gamma).name] = gamma_sums;
  reference.contributions[program.tensor(op.grad_beta).name] = beta_sums;
}

// Operands that the contributions are computed from.
std::vector<TensorId> operands_of_parameter_gradients(const Program& program) {
  std::vector<TensorId> ids = {program.prediction};
  for (const Op& op : program.ops) {
    const Operands all = operands(op);
    const bool is_parameter_gradient =
        op.phase == Phase::backward && !all.writes.empty() &&
        program.tensor(all.writes.front()).role == TensorRole::parameter_gradient;
    if (is_parameter_gradient) {
      ids.insert(ids.end(), all.reads.begin(), all.reads.end());
    }
  }
  return ids;
}

}  // namespace

StepReference reference_step(const Program& program, const Weights& weights, const Batch& batch,
                             int threads, Collectives* collectives) {
  assert(program.mode == Mode::training);
  CompileOptions options{Precision::fp64, threads, operands_of_parameter_gradients(program)};
  if (collectives != nullptr) {
    options.ranks = collectives->ranks();
    options.collectives = collectives;
  }
  const auto executable = naive_backend().compile(program, options);
  set_weights(*executable, program, weights);
  executable->load(batch);

  StepReference reference;
  reference.images = program.images;
  StepResult result = executable->run();
  reference.loss = result.loss;
  reference.sums = std::move(result.sums);
  reference.prediction = read_tensor(*executable, program, program.prediction);
  for_each_tensor(program, TensorRole::parameter_gradient,
                  [&](TensorId id, const std::string& name) {
                    reference.gradients[name] = read_tensor(*executable, program, id);
                  });
  for (const Op& op : program.ops) {
    if (const auto* conv = std::get_if<ConvolutionBackwardWeights>(&op.kind)) {
      add_contributions(*conv, program, *executable, threads, reference);
    } else if (const auto* up = std::get_if<TransposedConvolutionBackwardWeights>(&op.kind)) {
      add_contributions(*up, program, *executable, threads, reference);
    } else if (const auto* norm = std::get_if<NormalizeReluReduce>(&op.kind)) {
      add_contributions(*norm, program, *executable, reference);
    }
  }
  if (collectives != nullptr) {
    for (auto& [name, values] : reference.contributions) {
      collectives->begin_sum(std::span(values));
    }
    collectives->wait();
  }
  executable->update();
  for_each_tensor(program, TensorRole::moving_statistic, [&](TensorId id, const std::string& name) {
    reference.moving_statistics[name] = read_tensor(*executable, program, id);
  });
  return reference;
}

StepReference empty_reference(const Program& program) {
  const auto zeros = [&](TensorId id) {
    return std::vector<double>(static_cast<std::size_t>(elements(program.tensor(id).shape)));
  };
  StepReference reference;
  reference.images = program.images;
  reference.sums = empty_result(program).sums;
  reference.prediction = zeros(program.prediction);
  for_each_tensor(program, TensorRole::parameter_gradient,
                  [&](TensorId id, const std::string& name) {
                    reference.gradients[name] = zeros(id);
                    reference.contributions[name] = zeros(id);
                  });
  for_each_tensor(program, TensorRole::moving_statistic, [&](TensorId id, const std::string& name) {
    reference.moving_statistics[name] = zeros(id);
  });
  return reference;
}

StepReference reference_of_images(const StepReference& reference, std::int64_t first,
                                  std::int64_t count) {
  assert(first >= 0 && count > 0 && first + count <= reference.images);
  StepReference part = reference;
  part.images = count;
  const auto keep = [&](const auto& all, auto& own) {
    const auto each = static_cast<std::int64_t>(all.size()) / reference.images;
    own.assign(all.begin() + first * each, all.begin() + (first + count) * each);
  };
  keep(reference.sums, part.sums);
  keep(reference.prediction, part.prediction);
  return part;
}

void save_reference(const std::string& path, const StepReference& reference) {
  const std::vector<double> loss = {reference.loss};
  const std::vector<double> images = {static_cast<double>(reference.images)};
  std::vector<double> sums;
  for (const ClassSums& own : reference.sums) {
    sums.insert(sums.end(), {own.prediction_target, own.prediction, own.target, own.target_hard,
                             own.hard, own.correct});
  }
  std::vector<TensorView> views;
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    views.push_back(
        {name, {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)});
  };
  add("loss", loss);
  add("images", images);
  add("sums", sums);
  add("prediction", reference.prediction);
  for (const auto& [name, values] : reference.gradients) {
    add("gradients:" + name, values);
  }
  for (const auto& [name, values] : reference.contributions) {
    add("contributions:" + name, values);
  }
  for (const auto& [name, values] : reference.moving_statistics) {
    add("moving_statistics:" + name, values);
  }
  write_safetensors(path, views);
}

StepReference load_reference(const std::string& path) {
  const SafetensorsFile file(path);
  const auto number = [&file](const char* name) {
    const std::vector<double> values = file.read_doubles(name);
    if (values.size() != 1) {
      throw_bad_input("reference {}: {} of {} values, expected 1", file.path(), name,
                      values.size());
    }
    return values.front();
  };
  StepReference reference;
  reference.loss = number("loss");
  const double images = number("images");
  constexpr double kMostImages = 1 << 30;
  if (!(images >= 1 && images <= kMostImages)) {  // NaN neither
    throw_bad_input("reference {}: images = {}, expected 1 to {}", file.path(), images,
                    kMostImages);
  }
  reference.images = static_cast<std::int64_t>(images);
  const std::vector<double> sums = file.read_doubles("sums");
  for (std::size_t i = 0; i + kDiceSumCount <= sums.size(); i += kDiceSumCount) {
    reference.sums.push_back(
        {sums[i], sums[i + 1], sums[i + 2], sums[i + 3], sums[i + 4], sums[i + 5]});
  }
  reference.prediction = file.read_doubles("prediction");
  for (const TensorEntry& entry : file.entries()) {
    const std::size_t colon = entry.name.find(':');
    const std::string kind = entry.name.substr(0, colon);
    if (colon == std::string::npos) {
      continue;
    }
    auto& tensors = kind == "gradients"       ? reference.gradients
                    : kind == "contributions" ? reference.contributions
                                              : reference.moving_statistics;
    tensors[entry.name.substr(colon + 1)] = file.read_doubles(entry.name);
  }
  return reference;
}

}  // namespace voxmark
