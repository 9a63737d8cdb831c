// Proof that a backend computes the step that the reference computes: naive in double.
//
// A gradient's error is taken over the sum of the absolute contributions to it, so that a gradient
// of exactly zero (a bias before a batch norm) has a scale too.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "backends/verify/step_reference.h"
#include "workloads/network/rounding.h"
#include "workloads/network/weights.h"

namespace voxmark {

// Weights to verify with, exact in float32, a pure function of the seed. Initial weights would hide
// errors (a forgotten bias of 0) and drown others: where a value lies within rounding of ReLU's 0,
// a correct fp32 step takes the other side and its gradients differ by whole contributions
// (measured: 4% at 32x32x32). So biases and moving statistics are random, gamma lies in [0.5, 1),
// and beta is +4 or, in every fourth channel, -4: normalised values then seldom meet 0, yet both
// sides occur. With 3 and up to 1.5 normal values meet it 650 times as often, and batch norms whose
// variances are summed in float (off by 2e-5, as PyTorch's) left gradients off by 1e-3 in three of
// five shapes.
//
// Nor can values be kept from tying in a pooling window: some in a million windows do in float32.
// The gradient then goes to either voxel, in stock TensorFlow to both (a window's gradient is
// counted as often as its maximum occurs; measured: 5e-4 of bn1/gamma's contributions above a pool
// of 54 windows). At the two coarsest pools, whose windows are few, the kernels of transposed
// convolutions are a 64th and a quarter of their initial size: the share of the gradient that comes
// through a pool is as much smaller, one window's is below the tolerance (4e-5 of 45), and all
// windows' above (3e-4 of 12). (Not with fewer than 8 voxels at the coarsest level: gradients there
// are rounding, and windows too few to tie.)
//
// At full resolution batch norms sum the most voxels. What they sum comes from positive values, and
// lay 5 to 8 deviations from zero: PyTorch's float sums were then off by 3e-5 deviations at
// 48x48x80, all voxels alike, and the loss by 1.05e-6 (below 1e-7 with its sums in double). So
// kernels there have weights that sum to zero over the three live channels of each four: means of
// less than two deviations, and the same loss off by 1.4e-7.
Weights verification_weights(const Program& program, std::uint64_t seed);

struct TensorCheck {
  // "loss", "sums/...", "prediction", "gradient/...", "updated/...", "loss/step3"
  std::string tensor;
  double error = 0;
  double tolerance = 0;
  bool passed() const { return error <= tolerance; }  // false for NaN
};

struct Verification {
  std::vector<TensorCheck> checks;
  std::string hint;  // what a mismatch comes of, where that can be told; "" else
  bool passed() const;
  const TensorCheck& worst() const;  // the largest error over its tolerance
};

// Loss, sums, prediction, every gradient tensor, moving statistics and the update of one step of
// `backend` against the reference. Throws what compile() throws.
Verification verify_step(const Backend& backend, const CompileOptions& options,
                         const Program& program, const Weights& weights, const Batch& batch,
                         const StepReference& reference);

// What a program outside of ours computed, from the same weights and batch.
struct StepResults {
  std::vector<double> losses;                            // of consecutive steps
  std::map<std::string, std::vector<double>> gradients;  // of the first step, by parameter name
  // Parameters and moving statistics after the first update.
  std::map<std::string, std::vector<double>> updated;
};

// Every tensor of the program that such results must have: read from a safetensors file with
// "losses", "gradient/..." and "updated/...". Throws Error (bad_input) naming the file and what is
// missing or has another shape.
StepResults load_results(const std::string& path, const Program& program, int steps);

// The results against the reference, with the tolerances of verify_step: losses, every gradient
// tensor, and the update, which is Adam in double on the gradients that the program itself found.
// `losses` are those to be met after the first.
Verification verify_results(const StepResults& results, const Program& program,
                            const Weights& weights, const StepReference& reference,
                            const std::vector<double>& losses, Rounding rounding);

// The losses of `steps` training steps on one batch, each before its update.
std::vector<double> training_losses(Executable& executable, const Program& program,
                                    const Weights& weights, const Batch& batch, int steps);

// The losses of successive training steps against those of the reference, relative to the larger of
// 1 and the reference's; the tolerance grows per step, because rounding noise grows with every
// update.
Verification check_losses(const std::vector<double>& losses, const std::vector<double>& reference,
                          Precision precision);

// Trains `executable` from `weights` for as many steps as there are `losses`, which it is to meet
// as check_losses() has it.
Verification check_training(Executable& executable, const Program& program, const Weights& weights,
                            const Batch& batch, const std::vector<double>& losses,
                            Precision precision);

// The same against naive in double, computed here.
Verification verify_losses(const Backend& backend, const CompileOptions& options,
                           const Program& program, const Weights& weights, const Batch& batch,
                           int steps);

// The training step that a recorded run (safetensors with a JSON `reference` in its metadata) made.
// Throws Error (bad_input) when the file is not such a run.
Program reference_program(const std::string& path);

// In fp32 and bf16 a recorded run's gradients bind to this share of their contributions only:
// it has values within rounding of ReLU's 0, where they take the other side and gradients differ by
// whole contributions, up to 4% of their sum with 8 voxels at the coarsest level (measured). What
// is computed in detail is checked by verify_step with verification_weights.
constexpr double kRecordedGradientTolerance = 0.1;

// A recorded run: losses, gradients, prediction; in fp64 also Dice and accuracy, final parameters
// and the inference after all steps, to 1e-9. Throws Error (bad_input) when the file is not such a
// run, or is one that contradicts itself.
Verification verify_reference_run(const Backend& backend, const CompileOptions& options,
                                  const std::string& path);

}  // namespace voxmark
