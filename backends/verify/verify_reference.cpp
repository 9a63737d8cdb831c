// verify_reference_run(): a backend against a recorded run of another framework.

#include <algorithm>
#include <cmath>
#include <optional>

#include "backends/interpreter/executable_weights.h"
#include "backends/verify/relative_error.h"
#include "backends/verify/shaped_values.h"
#include "backends/verify/verify.h"
#include "base/error.h"
#include "base/json.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

constexpr const char* kWhat = "reference";

// What the file says of itself: its metadata's `reference`.
struct Recorded {
  std::int64_t images = 0;
  Dims dims;
  UnetOptions network;
  std::vector<double> losses;
  // What the file does not tell is not compared.
  std::vector<double> dice;  // hard, per step
  std::optional<double> soft_dice, accuracy, inference_loss;
  BatchNormSettings batch_norm;
  AdamSettings adam;
};

std::optional<double> optional_number(const Json& json, const char* key) {
  return json.contains(key) ? std::optional(json.at(key).get<double>()) : std::nullopt;
}

Recorded read_recorded(const SafetensorsFile& file) {
  const auto text = file.metadata().find("reference");
  if (text == file.metadata().end()) {
    throw_bad_input("reference {}: metadata has no `reference`, expected a recorded run",
                    file.path());
  }
  const Json json = parse_json(text->second, file.path() + ": reference");
  Recorded recorded;
  try {
    const auto& image = json.at("image");
    recorded.dims = {image.at(0).get<std::int64_t>(), image.at(1).get<std::int64_t>(),
                     image.at(2).get<std::int64_t>()};
    recorded.images = json.at("batch").get<std::int64_t>();
    recorded.network.filters = json.at("filters").get<std::int64_t>();
    recorded.network.input_channels = json.at("input_channels").get<std::int64_t>();
    recorded.losses = json.at("loss").get<std::vector<double>>();
    recorded.dice = json.value("dice", std::vector<double>());
    recorded.soft_dice = optional_number(json, "soft_dice_step0");
    recorded.accuracy = optional_number(json, "accuracy_step0");
    recorded.inference_loss = optional_number(json, "inference_loss");
    recorded.batch_norm.epsilon = json.at("batch_norm").at("epsilon").get<double>();
    recorded.batch_norm.momentum = json.at("batch_norm").at("momentum").get<double>();
    const auto& adam = json.at("optimizer");
    recorded.adam.learning_rate = adam.at("learning_rate").get<double>();
    recorded.adam.beta1 = adam.at("beta1").get<double>();
    recorded.adam.beta2 = adam.at("beta2").get<double>();
    recorded.adam.epsilon = adam.at("epsilon").get<double>();
  } catch (const Json::exception& error) {
    throw_bad_input("reference {}: {}", file.path(), error.what());
  }
  if (recorded.losses.empty()) {
    throw_bad_input("reference {}: loss = [], expected one per step", file.path());
  }
  if (!recorded.dice.empty() && recorded.dice.size() != recorded.losses.size()) {
    throw_bad_input("reference {}: dice of {} steps, expected {}, as there are losses", file.path(),
                    recorded.dice.size(), recorded.losses.size());
  }
  const Shape& target = file.entry("target").shape;
  const Dims& d = recorded.dims;
  if (target.size() != 5 || target.back() < 1 ||
      !std::equal(target.begin(), target.end() - 1,
                  Shape{recorded.images, d.d, d.h, d.w}.begin())) {
    throw_bad_input("reference {}: target has shape [{}], expected [{}, {}, {}, {}, channels]",
                    file.path(), fmt::join(target, ", "), recorded.images, d.d, d.h, d.w);
  }
  recorded.network.classes = target.back() == 1 ? 1 : target.back() - 1;
  return recorded;
}

Program program_of(const Recorded& recorded, Mode mode) {
  Program program = lower(unet3d(recorded.network), recorded.images, recorded.dims, mode);
  program.batch_norm = recorded.batch_norm;
  program.adam = recorded.adam;
  return program;
}

Batch read_batch(const SafetensorsFile& file, const Program& program) {
  const Shape& input = program.tensor(program.input).shape;
  const Shape& target = program.tensor(program.target).shape;
  check_shape(kWhat, file, "input", input);
  check_shape(kWhat, file, "target", target);
  return {program.images,
          program.dims,
          input.back(),
          target.back(),
          file.read_floats("input"),
          file.read_floats("target")};
}

double largest_relative_error(const std::vector<double>& found,
                              const std::vector<double>& expected) {
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, relative_error(found[i], expected[i]));
  }
  return largest;
}

// In double, everything after the last step too; in float Adam amplifies the sign of rounding
// noise, and a correct step misses final parameters by twice the learning rate.
constexpr double kFinalTolerance = 1e-9;

// Dice over samples; `chosen`: the prediction's own sum.
double mean_dice(const StepResult& result, double ClassSums::* both, double ClassSums::* chosen) {
  double sum = 0;
  for (const ClassSums& own : result.sums) {
    sum += (2 * own.*both + kDiceSmooth) / (own.target + own.*chosen + kDiceSmooth);
  }
  return sum / static_cast<double>(result.sums.size());
}

double accuracy(const StepResult& result, const Dims& dims) {
  double correct = 0;
  for (const ClassSums& own : result.sums) {
    correct += own.correct;
  }
  return correct / static_cast<double>(result.sums.size()) / static_cast<double>(dims.voxels());
}

// Dice and accuracy of a step, of one class: what they are of several the format does not define.
// One prediction within rounding of 0.5 moves hard figures by more than any tolerance: they then
// bind nothing.
void check_scores(const Recorded& recorded, std::size_t step, const StepResult& result,
                  const std::vector<double>& prediction, Verification& verification) {
  if (recorded.network.classes != 1) {
    return;
  }
  const bool is_decided = std::none_of(prediction.begin(), prediction.end(), [](double p) {
    return std::abs(p - 0.5) <= kFinalTolerance;
  });
  const auto check = [&](const std::string& name, double found, double expected) {
    verification.checks.push_back({name, relative_error(found, expected), kFinalTolerance});
  };
  if (is_decided && !recorded.dice.empty()) {
    check(fmt::format("dice/step{}", step),
          mean_dice(result, &ClassSums::target_hard, &ClassSums::hard), recorded.dice[step]);
  }
  if (step == 0 && is_decided && recorded.accuracy) {
    check("accuracy/step0", accuracy(result, recorded.dims), *recorded.accuracy);
  }
  if (step == 0 && recorded.soft_dice) {
    check("soft_dice/step0",
          mean_dice(result, &ClassSums::prediction_target, &ClassSums::prediction),
          *recorded.soft_dice);
  }
}

void check_final(const SafetensorsFile& file, const Executable& trained, const Program& program,
                 const Backend& backend, const CompileOptions& options, const Recorded& recorded,
                 const Batch& batch, Verification& verification) {
  const Program inference = program_of(recorded, Mode::inference);
  CompileOptions with_prediction = options;
  with_prediction.readable = {inference.prediction};
  const auto predictor = backend.compile(inference, with_prediction);
  const auto check = [&](const std::string& name, const std::vector<double>& found,
                         const Shape& shape) {
    verification.checks.push_back(
        {name, largest_relative_error(found, read_shaped(kWhat, file, name, shape)),
         kFinalTolerance});
  };
  for (std::size_t i = 0; i < inference.tensors.size(); ++i) {
    const TensorInfo& tensor = inference.tensors[i];
    if (is_persistent(tensor.role)) {
      const std::vector<double> values = read_tensor(trained, program, program.find(tensor.name));
      predictor->set(static_cast<TensorId>(i), values);
      check("final/" + tensor.name, values, tensor.shape);
    }
  }
  predictor->load(batch);
  const StepResult result = predictor->run();
  check("prediction/inference", read_tensor(*predictor, inference, inference.prediction),
        inference.tensor(inference.prediction).shape);
  if (recorded.inference_loss) {
    verification.checks.push_back(
        {"loss/inference", relative_error(result.loss, *recorded.inference_loss), kFinalTolerance});
  }
}

// Trains through all recorded steps.
void check_run(const SafetensorsFile& file, const Recorded& recorded, const Program& program,
               const Weights& weights, const Batch& batch, const Backend& backend,
               const CompileOptions& options, Verification& verification) {
  const bool in_double = options.precision == Precision::fp64;
  CompileOptions readable = options;
  if (in_double) {
    readable.readable = {program.prediction};
  }
  const auto executable = backend.compile(program, readable);
  set_weights(*executable, program, weights);
  executable->load(batch);
  std::vector<double> losses;
  for (std::size_t step = 0; step < recorded.losses.size(); ++step) {
    const StepResult result = executable->run();
    losses.push_back(result.loss);
    if (in_double) {
      check_scores(recorded, step, result, read_tensor(*executable, program, program.prediction),
                   verification);
    }
    executable->update();
  }
  const Verification all = check_losses(losses, recorded.losses, options.precision);
  verification.checks.insert(verification.checks.end(), all.checks.begin(), all.checks.end());
  if (in_double) {
    check_final(file, *executable, program, backend, options, recorded, batch, verification);
  }
}

}  // namespace

Program reference_program(const std::string& path) {
  return program_of(read_recorded(SafetensorsFile(path)), Mode::training);
}

Verification verify_reference_run(const Backend& backend, const CompileOptions& options,
                                  const std::string& path) {
  const SafetensorsFile file(path);
  const Recorded recorded = read_recorded(file);
  const Program program = program_of(recorded, Mode::training);
  const Batch batch = read_batch(file, program);
  const Weights weights = load_weights(path, program, "initial/");

  // Contributions are naive's; the values to meet are the file's.
  StepReference reference = reference_step(program, weights, batch, options.threads);
  reference.loss = recorded.losses.front();
  reference.prediction =
      read_shaped(kWhat, file, "prediction/step0", program.tensor(program.prediction).shape);
  for (auto& [name, values] : reference.gradients) {
    values = read_shaped(kWhat, file, name, program.tensor(program.find(name)).shape);
  }
  Verification verification = verify_step(backend, options, program, weights, batch, reference);

  if (options.precision != Precision::fp64) {
    for (TensorCheck& check : verification.checks) {
      if (check.tensor.starts_with("gradient/")) {
        check.tolerance = kRecordedGradientTolerance;
      }
    }
  }
  check_run(file, recorded, program, weights, batch, backend, options, verification);
  return verification;
}

}  // namespace voxmark
