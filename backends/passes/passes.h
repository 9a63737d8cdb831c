// Everything of a step that is not a convolution, as fast loops over activation memory. Knows
// layouts (panels.h), not programs; the formulas are those of workloads/network/program.h.
//
// T is the storage type, float or Bf16; arithmetic is float, sums over voxels are double. Every
// pass uses `threads` OpenMP threads and allocates nothing. Sums are made of fixed pieces added in
// a fixed order: the same bits for every number of threads. Outputs may not overlap inputs unless
// it says so. `scratch` is 64-byte aligned and holds at least the bytes that the named function
// tells.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/bf16.h"
#include "backends/passes/panels.h"
#include "workloads/network/program.h"

namespace voxmark::passes {

// ---- Batch normalisation and ReLU (passes_norm.cpp) ----

// Scratch of batch_norm_statistics, normalize_relu_reduce and channel_sums on such a tensor.
std::int64_t reduction_scratch_bytes(const PanelShape& shape);

// statistics (3, C): count, mean, M2, in one pass over memory.
template <class T>
void batch_norm_statistics(View<const T> x, double* statistics, std::byte* scratch, int threads);

// sums (C): over (N, D, H, W). A bias gradient is channel_sums of the output's gradient.
template <class T>
void channel_sums(View<const T> x, float* sums, std::byte* scratch, int threads);

// Per-channel coefficients of a batch norm in the form the passes want them, kCoefficientRows rows
// of C floats. Rows 0 to 3 (forward: scale, shift, mean, 1 / deviation) come from one of the first
// two functions, rows 4 and 5 from backward_coefficients.
constexpr std::int64_t kCoefficientRows = 6;
void forward_coefficients(std::int64_t channels, const double* statistics, const float* gamma,
                          const float* beta, double epsilon, float* coefficients);
void inference_coefficients(std::int64_t channels, const float* moving_mean,
                            const float* moving_variance, const float* gamma, const float* beta,
                            double epsilon, float* coefficients);
// `count`: voxels times samples, as in statistics[0].
void backward_coefficients(std::int64_t channels, double count, const float* grad_gamma,
                           const float* grad_beta, float* coefficients);

// y = max(0, gamma * n + beta). y may be x.
template <class T>
void normalize_relu(View<const T> x, const float* coefficients, View<T> y, int threads);

// grad_gamma (C), grad_beta (C), in one pass over x and grad_y. The ReLU's mask is computed again
// from x by the expression of normalize_relu. Needs rows 0 to 3.
template <class T>
void normalize_relu_reduce(View<const T> x, View<const T> grad_y, const float* coefficients,
                           float* grad_gamma, float* grad_beta, std::byte* scratch, int threads);

// Needs all rows. grad_x may be grad_y.
template <class T>
void normalize_relu_apply(View<const T> x, View<const T> grad_y, const float* coefficients,
                          View<T> grad_x, int threads);

// ---- Pooling and joining (passes_pool.cpp) ----

// y has half the dims of x.
template <class T>
void max_pool(View<const T> x, View<T> y, int threads);

template <class T>
void max_pool_backward(View<const T> x, View<const T> grad_y, View<T> grad_x, int threads);
// grad_x = the pooled gradient + other, where x has another reader. grad_x may be other.
template <class T>
void max_pool_backward_add(View<const T> x, View<const T> grad_y, View<const T> other,
                           View<T> grad_x, int threads);

// Concat and Split are two of these each, with out_slice and in_slice.
template <class T>
void copy(View<const T> x, View<T> y, int threads);

// y = a + b. y may be a or b.
template <class T>
void add(View<const T> a, View<const T> b, View<T> y, int threads);

// ---- Prediction and loss (passes_loss.cpp): channels last and dense, (n, voxels, channels) ----

struct PredictionShape {
  std::int64_t n = 0;
  std::int64_t voxels = 0;  // of one sample
  std::int64_t channels = 0;
  std::int64_t elements() const { return n * voxels * channels; }
};

// Softmax over channels; with is_softmax false, sigmoid of every element.
template <class T>
void predict(const PredictionShape& shape, bool is_softmax, const T* logits, T* prediction,
             int threads);

// Scratch of dice_sums and predict_dice_sums.
std::int64_t dice_scratch_bytes(const PredictionShape& shape);
// sums (n, channels, kDiceSumCount).
template <class T>
void dice_sums(const PredictionShape& shape, const T* prediction, const T* target, double* sums,
               std::byte* scratch, int threads);
// predict and dice_sums in one pass.
template <class T>
void predict_dice_sums(const PredictionShape& shape, bool is_softmax, const T* logits,
                       const T* target, T* prediction, double* sums, std::byte* scratch,
                       int threads);

// loss (1), gradient_coefficients (2); rows = n * channels.
void dice_loss(std::int64_t rows, const double* sums, double* loss, double* gradient_coefficients);

template <class T>
void dice_gradient(std::int64_t elements, const T* target, const double* gradient_coefficients,
                   T* grad_prediction, int threads);
// Gradient of the logits, from predict's output and the gradient in it. May run in place.
template <class T>
void predict_backward(const PredictionShape& shape, bool is_softmax, const T* prediction,
                      const T* grad_prediction, T* grad_logits, int threads);
// dice_gradient and predict_backward in one pass.
template <class T>
void predict_dice_backward(const PredictionShape& shape, bool is_softmax, const T* prediction,
                           const T* target, const double* gradient_coefficients, T* grad_logits,
                           int threads);

// ---- Update (passes_update.cpp): float whatever the storage type ----

// One contiguous array; step_size is adam_step_size(settings, t).
void adam(std::int64_t count, const AdamSettings& settings, double step_size, const float* gradient,
          float* parameter, float* m, float* v, int threads);

void update_moving_statistics(std::int64_t channels, const double* statistics, double momentum,
                              float* moving_mean, float* moving_variance);

}  // namespace voxmark::passes
