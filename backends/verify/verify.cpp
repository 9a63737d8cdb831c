#include "backends/verify/verify.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "backends/verify/relative_error.h"
#include "backends/verify/shaped_values.h"
#include "backends/verify/verify_sums.h"
#include "base/error.h"
#include "workloads/network/philox.h"
#include "workloads/network/safetensors.h"
#include "workloads/network/structure.h"

namespace voxmark {
namespace {

// fp32: errors are rounding (6e-8) of operands, grown by the cancellation in some fifty layers
// forward and back. Measured with verification_weights over all backends at 16 to 64 voxels a side:
// loss 1e-7, prediction 2e-6, gradients 2e-6 to 2e-5 of the contributions. The tolerances leave a
// factor of five or more for other orders of summation; conformance_test.cpp shows that mutations
// exceed them.
struct Tolerances {
  double loss;        // relative
  double prediction;  // absolute; predictions lie in [0, 1]
  double gradient;    // of the sum of absolute contributions
  double update;      // relative to the largest value of the tensor
  // Of moving statistics, likewise; they carry the rounding of all layers before, of activations
  // larger than their mean (measured: 2.5e-6).
  double statistics;
  // After the first update, and its growth per further step: Adam makes a full step of the sign of
  // a gradient that is nothing but rounding. Measured with a correct fp32 step: 2e-4 after one
  // update, 7e-4 after four.
  double updated_loss;
  double updated_loss_growth;
};
constexpr Tolerances kDouble{1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1.0};
constexpr Tolerances kFloat{1e-6, 2e-5, 1e-4, 1e-6, 1e-5, 1e-3, 1.4};
// bf16: activations and their gradients are rounded to 8 bits (0.2%), the update is fp32's.
// Measured with at least 8 voxels at the coarsest level: loss 1.2e-4, prediction 1.7e-2, gradients
// 2.6e-2 (by norm, see gradient_norm_error), moving statistics 4.3e-4, later losses 3e-3.
constexpr Tolerances kBf16{1e-3, 5e-2, 6e-2, 1e-6, 2e-3, 1e-2, 1.1};
// bf32: products of operands that have 8 bits, but sums, batch norms and pools of all 24. PyTorch's
// step on AMX, 32 to 48 voxels a side, 8 to 32 filters, 8 seeds: loss 3.1e-4, gradients 7.8e-3 (by
// norm, for activations that rounding swaps in a max-pool's window), moving statistics 5.3e-4,
// later losses 1.2e-4. A factor of three or more is left for other orders of summation.
constexpr Tolerances kBf32{1e-3, 5e-2, 3e-2, 1e-6, 2e-3, 2e-3, 1.4};

const Tolerances& tolerances(Rounding rounding) {
  switch (rounding) {
    case Rounding::fp64:
      return kDouble;
    case Rounding::fp32:
      return kFloat;
    case Rounding::bf32:
      return kBf32;
    case Rounding::bf16:
      break;
  }
  return kBf16;
}

const Tolerances& tolerances(Precision precision) { return tolerances(rounding_of(precision)); }

// The largest |found - expected| / scale; NaN anywhere is an infinite error.
template <class Scale>
double largest_error(const std::vector<double>& found, const std::vector<double>& expected,
                     Scale scale) {
  assert(found.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(found[i] - expected[i]);
    if (std::isnan(error)) {
      return std::numeric_limits<double>::infinity();
    }
    if (error > 0) {
      largest = std::max(largest, error / scale(i));
    }
  }
  return largest;
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0;
  for (const double x : values) {
    largest = std::max(largest, std::abs(x));
  }
  return largest;
}

double error_to_magnitude(const std::vector<double>& found, const std::vector<double>& expected) {
  const double magnitude = std::max(largest_magnitude(expected), 1e-30);
  return largest_error(found, expected, [&](std::size_t) { return magnitude; });
}

// Where all contributions to an element are tiny (a tap that mostly meets padding, a dead channel),
// the rounding that its operands carry from other layers is larger than they are: below this share
// of the tensor's largest sum of contributions the latter is the scale.
constexpr double kContributionFloor = 0.1;

// With fewer, batch norms there leave little gradient but what rounds, and of one or two values
// none.
bool has_coarsest_voxels(const Program& program) {
  constexpr std::int64_t kCoarsestVoxel =  // in voxels of the image
      kUnetDimsMultiple * kUnetDimsMultiple * kUnetDimsMultiple;
  return program.dims.voxels() >= 8 * kCoarsestVoxel;
}

// Gradients are smallest at the coarsest level: their sums of contributions are from 5e-10 of the
// network's largest. Where there is nothing there but rounding (16x16x16, one image: gradients and
// contributions are exactly zero), a larger share of that sum is the scale.
constexpr double kNetworkFloor = 3e-10;
constexpr double kNetworkFloorOfRounding = 1e-6;

double smallest_scale(const Program& program, const StepReference& reference) {
  double largest = 0;
  for (const auto& [name, values] : reference.contributions) {
    largest = std::max(largest, largest_magnitude(values));
  }
  const double share = has_coarsest_voxels(program) ? kNetworkFloor : kNetworkFloorOfRounding;
  return std::max(share * largest, 1e-30);
}

double gradient_error(const std::vector<double>& found, const StepReference& reference,
                      const std::string& name, double smallest_scale) {
  const std::vector<double>& contributions = reference.contributions.at(name);
  const double floor =
      std::max(kContributionFloor * largest_magnitude(contributions), smallest_scale);
  return largest_error(found, reference.gradients.at(name),
                       [&](std::size_t i) { return std::max(contributions[i], floor); });
}

// Of the whole tensor, both by their Euclidean norm: bf16 rounds to steps of 0.4%, so that single
// values of a max-pool's windows tie and go to another winner, and their gradient with them.
double gradient_norm_error(const std::vector<double>& found, const StepReference& reference,
                           const std::string& name, double smallest_scale) {
  const std::vector<double>& expected = reference.gradients.at(name);
  const std::vector<double>& contributions = reference.contributions.at(name);
  double error = 0, scale = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    error += (found[i] - expected[i]) * (found[i] - expected[i]);
    scale += contributions[i] * contributions[i];
  }
  if (std::isnan(error)) {
    return std::numeric_limits<double>::infinity();
  }
  return std::sqrt(error / std::max(scale, smallest_scale * smallest_scale));
}

TensorCheck check_loss(std::size_t step, double found, double expected,
                       const Tolerances& tolerance) {
  return {step == 0 ? "loss" : fmt::format("loss/step{}", step), relative_error(found, expected),
          step == 0 ? tolerance.loss
                    : tolerance.updated_loss *
                          std::pow(tolerance.updated_loss_growth, static_cast<double>(step - 1))};
}

// Whether a kernel reads other layers' channels and feeds the batch norms of most voxels, be it
// through a concatenation.
bool feeds_largest_sums(const Program& program, const ConvolutionPlace& place) {
  return level(program, place.output) == 0 && place.input != program.input && !place.makes_logits;
}

// By what initial kernels of transposed convolutions are divided, so that little of the gradient
// goes through the two coarsest pools.
double kernel_divisor(const Program& program, const ConvolutionPlace& place) {
  if (!place.is_transposed || !has_coarsest_voxels(program)) {
    return 1;
  }
  const int above_coarsest = coarsest_level(program) - level(program, place.input);
  return above_coarsest == 0 ? 64 : above_coarsest == 1 ? 4 : 1;
}

// Of each four input channels, makes the weights of the three live ones sum to zero at every tap.
// Shape (k0, k1, k2, in, out), or (k0, k1, k2, out, in) where transposed.
void centre_kernel(std::vector<double>& values, const Shape& shape, bool transposed) {
  const auto [inputs, outputs] =
      transposed ? std::pair(shape[4], shape[3]) : std::pair(shape[3], shape[4]);
  const std::int64_t step = transposed ? 1 : outputs;  // from one input channel to the next
  const std::int64_t output_step = transposed ? inputs : 1;
  for (std::int64_t tap = 0; tap < shape[0] * shape[1] * shape[2]; ++tap) {
    for (std::int64_t in = 0; in + 3 < inputs; in += 4) {
      for (std::int64_t out = 0; out < outputs; ++out) {
        double* const w = values.data() + tap * inputs * outputs + in * step + out * output_step;
        const double mean = (w[0] + w[step] + w[2 * step]) / 3;
        for (const std::int64_t i : {0, 1, 2}) {
          w[i * step] = static_cast<double>(static_cast<float>(w[i * step] - mean));
        }
      }
    }
  }
}

}  // namespace

Weights verification_weights(const Program& program, std::uint64_t seed) {
  Weights weights = initial_weights(program, seed);
  std::uint64_t stream = std::uint64_t{1} << 32U;  // apart from the kernels' streams
  for (auto& [name, values] : weights) {
    const std::string kind = name.substr(name.rfind('/') + 1);
    ++stream;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double random = static_cast<double>(uniform(seed, stream, i));
      if (name.starts_with("optimizer/")) {
        continue;
      }
      if (kind == "gamma") {
        values[i] = static_cast<double>(static_cast<float>(0.5 + random / 2));
      } else if (kind == "moving_variance") {
        values[i] = static_cast<double>(static_cast<float>(0.5 + random));
      } else if (kind == "beta") {
        values[i] = i % 4 == 3 ? -4.0 : 4.0;
      } else if (kind == "bias" || kind == "moving_mean") {
        values[i] = random - 0.5;
      }
    }
  }
  for (const ConvolutionPlace& place : convolution_places(program)) {
    const TensorInfo& kernel = program.tensor(place.kernel);
    std::vector<double>& values = weights.at(kernel.name);
    const double divisor = kernel_divisor(program, place);
    for (double& value : values) {
      value /= divisor;
    }
    if (feeds_largest_sums(program, place)) {
      centre_kernel(values, kernel.shape, place.is_transposed);
    }
  }
  return weights;
}

bool Verification::passed() const {
  return !checks.empty() &&
         std::all_of(checks.begin(), checks.end(), [](const TensorCheck& c) { return c.passed(); });
}

const TensorCheck& Verification::worst() const {
  assert(!checks.empty());
  return *std::max_element(checks.begin(), checks.end(),
                           [](const TensorCheck& a, const TensorCheck& b) {
                             return a.error / a.tolerance < b.error / b.tolerance;
                           });
}

namespace {

// The update on given gradients: from a known optimizer state (t = 3, m and v of every size), Adam
// in double on the gradients that the backend itself computed.
void check_update(Executable& executable, const Program& program, const Tolerances& tolerance,
                  const std::map<std::string, std::vector<double>>& moving_statistics,
                  Verification& verification) {
  struct Expected {
    TensorId id;
    std::vector<double> values;
  };
  std::vector<Expected> expected;
  const std::vector<double> iteration = {2.0};
  const double step_size = adam_step_size(program.adam, 3.0);
  std::uint64_t stream = 0;
  for (const Op& op : program.ops) {
    const auto* adam = std::get_if<Adam>(&op.kind);
    if (adam == nullptr) {
      continue;
    }
    executable.set(adam->iteration, iteration);
    const std::vector<double> gradient = read_tensor(executable, program, adam->gradient);
    std::vector<double> parameter = read_tensor(executable, program, adam->parameter);
    const double size = largest_magnitude(gradient);
    std::vector<double> m(gradient.size()), v(gradient.size());
    for (std::size_t i = 0; i < m.size(); ++i) {
      m[i] = static_cast<double>(
          static_cast<float>(size * (2 * static_cast<double>(uniform(1, stream, i)) - 1)));
      v[i] = static_cast<double>(
          static_cast<float>(size * size * static_cast<double>(uniform(2, stream, i)) + 1e-12));
    }
    ++stream;
    executable.set(adam->m, m);
    executable.set(adam->v, v);
    for (std::size_t i = 0; i < m.size(); ++i) {
      m[i] += (gradient[i] - m[i]) * (1.0 - program.adam.beta1);
      v[i] += (gradient[i] * gradient[i] - v[i]) * (1.0 - program.adam.beta2);
      parameter[i] -= step_size * m[i] / (std::sqrt(v[i]) + program.adam.epsilon);
    }
    expected.push_back({adam->parameter, std::move(parameter)});
    expected.push_back({adam->m, std::move(m)});
    expected.push_back({adam->v, std::move(v)});
  }
  executable.update();
  for (const Expected& tensor : expected) {
    verification.checks.push_back(
        {"updated/" + program.tensor(tensor.id).name,
         error_to_magnitude(read_tensor(executable, program, tensor.id), tensor.values),
         tolerance.update});
  }
  for (const auto& [name, values] : moving_statistics) {
    verification.checks.push_back(
        {"updated/" + name,
         error_to_magnitude(read_tensor(executable, program, program.find(name)), values),
         tolerance.statistics});
  }
}

}  // namespace

Verification verify_step(const Backend& backend, const CompileOptions& options,
                         const Program& program, const Weights& weights, const Batch& batch,
                         const StepReference& reference) {
  const Tolerances& tolerance = tolerances(options.precision);
  CompileOptions with_prediction = options;
  with_prediction.readable.push_back(program.prediction);
  const auto executable = backend.compile(program, with_prediction);
  set_weights(*executable, program, weights);
  executable->load(batch);

  Verification verification;
  // Twice: a buffer that still holds the first run's values must not change the second's.
  executable->run();
  const StepResult result = executable->run();
  verification.checks.push_back(
      {"loss", relative_error(result.loss, reference.loss), tolerance.loss});
  const std::vector<TensorCheck> sums = check_sums(result.sums, reference, tolerance.prediction);
  verification.checks.insert(verification.checks.end(), sums.begin(), sums.end());
  verification.checks.push_back(
      {"prediction",
       largest_error(read_tensor(*executable, program, program.prediction), reference.prediction,
                     [](std::size_t) { return 1.0; }),
       tolerance.prediction});
  const double scale = smallest_scale(program, reference);
  const auto error_of = options.precision == Precision::bf16 ? gradient_norm_error : gradient_error;
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorInfo& tensor = program.tensors[i];
    if (tensor.role == TensorRole::parameter_gradient) {
      const std::vector<double> found = read_tensor(*executable, program, static_cast<TensorId>(i));
      verification.checks.push_back(
          {tensor.name, error_of(found, reference, tensor.name, scale), tolerance.gradient});
    }
  }
  check_update(*executable, program, tolerance, reference.moving_statistics, verification);
  return verification;
}

Verification check_losses(const std::vector<double>& losses, const std::vector<double>& reference,
                          Precision precision) {
  assert(losses.size() == reference.size());
  Verification verification;
  const Tolerances& tolerance = tolerances(precision);
  for (std::size_t step = 0; step < reference.size(); ++step) {
    verification.checks.push_back(check_loss(step, losses[step], reference[step], tolerance));
  }
  return verification;
}

Verification check_training(Executable& executable, const Program& program, const Weights& weights,
                            const Batch& batch, const std::vector<double>& losses,
                            Precision precision) {
  return check_losses(
      training_losses(executable, program, weights, batch, static_cast<int>(losses.size())), losses,
      precision);
}

std::vector<double> training_losses(Executable& executable, const Program& program,
                                    const Weights& weights, const Batch& batch, int steps) {
  set_weights(executable, program, weights);
  executable.load(batch);
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    losses.push_back(executable.run().loss);
    executable.update();
  }
  return losses;
}

Verification verify_losses(const Backend& backend, const CompileOptions& options,
                           const Program& program, const Weights& weights, const Batch& batch,
                           int steps) {
  const auto reference = naive_backend().compile(program, {Precision::fp64, options.threads, {}});
  const auto executable = backend.compile(program, options);
  return check_training(*executable, program, weights, batch,
                        training_losses(*reference, program, weights, batch, steps),
                        options.precision);
}

namespace {

// Adam's first step from a state of zero, in double.
std::vector<double> first_update(const AdamSettings& adam, double step_size,
                                 std::vector<double> parameter,
                                 const std::vector<double>& gradient) {
  for (std::size_t i = 0; i < parameter.size(); ++i) {
    const double m = gradient[i] * (1.0 - adam.beta1);
    const double v = gradient[i] * gradient[i] * (1.0 - adam.beta2);
    parameter[i] -= step_size * m / (std::sqrt(v) + adam.epsilon);
  }
  return parameter;
}

// Of the first step, with the betas as they are.
double textbook_step_size(const AdamSettings& adam) {
  return adam.learning_rate * std::sqrt(1.0 - adam.beta2) / (1.0 - adam.beta1);
}

}  // namespace

StepResults load_results(const std::string& path, const Program& program, int steps) {
  const SafetensorsFile file(path);
  StepResults results;
  results.losses = read_shaped("results", file, "losses", {steps});
  for (const Op& op : program.ops) {
    if (const auto* adam = std::get_if<Adam>(&op.kind)) {
      const TensorInfo& parameter = program.tensor(adam->parameter);
      results.gradients[parameter.name] =
          read_shaped("results", file, "gradient/" + parameter.name, parameter.shape);
      results.updated[parameter.name] =
          read_shaped("results", file, "updated/" + parameter.name, parameter.shape);
    }
  }
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.role == TensorRole::moving_statistic) {
      results.updated[tensor.name] =
          read_shaped("results", file, "updated/" + tensor.name, tensor.shape);
    }
  }
  return results;
}

Verification verify_results(const StepResults& results, const Program& program,
                            const Weights& weights, const StepReference& reference,
                            const std::vector<double>& losses, Rounding rounding) {
  const Tolerances& tolerance = tolerances(rounding);
  Verification verification;
  for (std::size_t step = 0; step < results.losses.size(); ++step) {
    verification.checks.push_back(check_loss(
        step, results.losses[step], step == 0 ? reference.loss : losses.at(step), tolerance));
  }
  const double scale = smallest_scale(program, reference);
  const auto error_of = rounding >= Rounding::bf32 ? gradient_norm_error : gradient_error;
  bool is_refused = false, is_textbooks = true;  // the update
  for (const Op& op : program.ops) {
    const auto* adam = std::get_if<Adam>(&op.kind);
    if (adam == nullptr) {
      continue;
    }
    const std::string& parameter = program.tensor(adam->parameter).name;
    const std::string& gradient = program.tensor(adam->gradient).name;
    const std::vector<double>& found = results.gradients.at(parameter);
    verification.checks.push_back(
        {gradient, error_of(found, reference, gradient, scale), tolerance.gradient});
    const auto update_error = [&](double step_size) {
      return error_to_magnitude(
          results.updated.at(parameter),
          first_update(program.adam, step_size, weights.at(parameter), found));
    };
    verification.checks.push_back({"updated/" + parameter,
                                   update_error(adam_step_size(program.adam, 1.0)),
                                   tolerance.update});
    is_refused = is_refused || !verification.checks.back().passed();
    is_textbooks =
        is_textbooks && update_error(textbook_step_size(program.adam)) <= tolerance.update;
  }
  if (is_refused && is_textbooks) {
    verification.hint =
        "the step is Adam with 0.9 and 0.999 in double; expected Keras's, whose bias correction "
        "takes the powers of float32(0.9) and float32(0.999)";
  }
  for (const auto& [name, values] : reference.moving_statistics) {
    verification.checks.push_back({"updated/" + name,
                                   error_to_magnitude(results.updated.at(name), values),
                                   tolerance.statistics});
  }
  return verification;
}

}  // namespace voxmark
