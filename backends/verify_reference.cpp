// verify_reference_run(): a backend against a recorded run of another framework.

#include <algorithm>
#include <cmath>

#include "backends/verify.h"
#include "base/error.h"
#include "base/json.h"
#include "workloads/safetensors.h"

namespace voxmark {
namespace {

// What the file says of itself: its metadata's `reference`.
struct Recorded {
  std::int64_t images = 0;
  Dims dims;
  UnetOptions network;
  std::vector<double> losses;
  BatchNormSettings batch_norm;
  AdamSettings adam;
};

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
  const std::int64_t channels = file.entry("target").shape.back();
  recorded.network.classes = channels == 1 ? 1 : channels - 1;
  return recorded;
}

Batch read_batch(const SafetensorsFile& file, const Recorded& recorded) {
  const Shape input = file.entry("input").shape;
  const Shape target = file.entry("target").shape;
  const Dims& d = recorded.dims;
  if (input != Shape{recorded.images, d.d, d.h, d.w, recorded.network.input_channels} ||
      target.size() != 5 || !std::equal(input.begin(), input.end() - 1, target.begin())) {
    throw_bad_input("reference {}: input [{}] and target [{}] do not fit image {} and batch {}",
                    file.path(), fmt::join(input, ", "), fmt::join(target, ", "), to_string(d),
                    recorded.images);
  }
  return {recorded.images,           d, input.back(), target.back(), file.read_floats("input"),
          file.read_floats("target")};
}

std::vector<double> read(const Executable& executable, const Program& program, TensorId id) {
  std::vector<double> values(static_cast<std::size_t>(elements(program.tensor(id).shape)));
  executable.read(id, values);
  return values;
}

// A recorded run has values within rounding of ReLU's 0, where fp32 takes the other side and
// gradients differ by whole contributions: up to 4% of their sum with 8 voxels at the coarsest
// level (measured). What fp32 computes in detail is checked by verify_step with
// verification_weights.
constexpr double kRecordedGradientTolerance = 0.1;

// In double, everything after the last step too; in float Adam amplifies the sign of rounding
// noise, and a correct step misses final parameters by twice the learning rate.
constexpr double kFinalTolerance = 1e-9;

void check_final(const SafetensorsFile& file, const Executable& trained, const Program& program,
                 const Backend& backend, const CompileOptions& options, const Recorded& recorded,
                 const Batch& batch, Verification& verification) {
  Program inference =
      lower(unet3d(recorded.network), recorded.images, recorded.dims, Mode::inference);
  inference.batch_norm = recorded.batch_norm;
  CompileOptions with_prediction = options;
  with_prediction.readable = {inference.prediction};
  const auto predictor = backend.compile(inference, with_prediction);
  const auto check = [&](const std::string& name, const std::vector<double>& found) {
    const std::vector<double> expected = file.read_doubles(name);
    double error = found.size() == expected.size() ? 0.0 : 1.0;
    for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
      error =
          std::max(error, std::abs(found[i] - expected[i]) / std::max(1.0, std::abs(expected[i])));
    }
    verification.checks.push_back({name, error, kFinalTolerance});
  };
  for (std::size_t i = 0; i < inference.tensors.size(); ++i) {
    const TensorInfo& tensor = inference.tensors[i];
    if (is_persistent(tensor.role)) {
      const std::vector<double> values = read(trained, program, program.find(tensor.name));
      predictor->set(static_cast<TensorId>(i), values);
      check("final/" + tensor.name, values);
    }
  }
  predictor->load(batch);
  predictor->run();
  check("prediction/inference", read(*predictor, inference, inference.prediction));
}

}  // namespace

Verification verify_reference_run(const Backend& backend, const CompileOptions& options,
                                  const std::string& path) {
  const SafetensorsFile file(path);
  const Recorded recorded = read_recorded(file);
  const Batch batch = read_batch(file, recorded);
  Program program = lower(unet3d(recorded.network), recorded.images, recorded.dims, Mode::training);
  program.batch_norm = recorded.batch_norm;
  program.adam = recorded.adam;
  const Weights weights = load_weights(path, program, "initial/");

  // Contributions are naive's; the values to meet are the file's.
  StepReference reference = reference_step(program, weights, batch, options.threads);
  reference.loss = recorded.losses.at(0);
  reference.prediction = file.read_doubles("prediction/step0");
  for (auto& [name, values] : reference.gradients) {
    values = file.read_doubles(name);
  }
  Verification verification = verify_step(backend, options, program, weights, batch, reference);

  if (options.precision != Precision::fp64) {
    for (TensorCheck& check : verification.checks) {
      if (check.tensor.starts_with("gradient/")) {
        check.tolerance = kRecordedGradientTolerance;
      }
    }
  }

  const auto executable = backend.compile(program, options);
  const Verification losses =
      check_training(*executable, program, weights, batch, recorded.losses, options.precision);
  verification.checks.insert(verification.checks.end(), losses.checks.begin(), losses.checks.end());
  if (options.precision == Precision::fp64) {
    check_final(file, *executable, program, backend, options, recorded, batch, verification);
  }
  return verification;
}

}  // namespace voxmark
