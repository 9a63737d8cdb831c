// Every op of a Program as plain loops: the definition that all other backends are checked against.
//
// Tensors are channels last, (N, D, H, W, C). Threads share the outermost dimension only. Sums over
// voxels accumulate in double, so that fp32 results depend on rounding of the operands alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "backends/interpreter/interpreter.h"

namespace voxmark {

template <class T>
class NaiveKernels {
 public:
  using Scalar = T;

  NaiveKernels(const Program& program, const CompileOptions& options)
      : batch_norm_(program.batch_norm), adam_(program.adam), threads_(options.threads) {}

  static std::int64_t scratch_bytes(const Program&, const CompileOptions&) { return 0; }
  std::string implementation(const Program&, const Op&) const { return "naive"; }

  // ---- Convolutions ----

  void execute(const Convolution& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input)), out(t.shape(op.output));
    const Kernel k(t.shape(op.kernel));
    const T* input = t.data(op.input);
    const T* kernel = t.data(op.kernel);  // (k0, k1, k2, in, out)
    const T* bias = t.data(op.bias);
    T* output = t.data(op.output);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t plane = 0; plane < out.n * out.d; ++plane) {
      const std::int64_t n = plane / out.d, d = plane % out.d;
      for (std::int64_t h = 0; h < out.h; ++h) {
        for (std::int64_t w = 0; w < out.w; ++w) {
          T* y = output + out.at(n, d, h, w);
          std::copy(bias, bias + out.c, y);
          k.for_each_tap_inside(
              in, d, h, w,
              [&](std::int64_t tap, std::int64_t id, std::int64_t ih, std::int64_t iw) {
                const T* x = input + in.at(n, id, ih, iw);
                for (std::int64_t i = 0; i < in.c; ++i) {
                  const T* weights = kernel + (tap * in.c + i) * out.c;
                  for (std::int64_t o = 0; o < out.c; ++o) {
                    y[o] += x[i] * weights[o];
                  }
                }
              });
        }
      }
    }
  }

  void execute(const ConvolutionBackwardData& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.grad_input)), out(t.shape(op.grad_output));
    const Kernel k(t.shape(op.kernel));
    const T* grad_output = t.data(op.grad_output);
    const T* kernel = t.data(op.kernel);
    T* grad_input = t.data(op.grad_input);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t plane = 0; plane < in.n * in.d; ++plane) {
      const std::int64_t n = plane / in.d, d = plane % in.d;
      for (std::int64_t h = 0; h < in.h; ++h) {
        for (std::int64_t w = 0; w < in.w; ++w) {
          T* dx = grad_input + in.at(n, d, h, w);
          std::fill(dx, dx + in.c, T{0});
          // Input voxel v met output voxel v - offset through each tap: the mirrored tap.
          k.for_each_tap_inside(
              out, d, h, w,
              [&](std::int64_t mirrored, std::int64_t od, std::int64_t oh, std::int64_t ow) {
                const std::int64_t tap = k.taps() - 1 - mirrored;
                const T* dy = grad_output + out.at(n, od, oh, ow);
                for (std::int64_t i = 0; i < in.c; ++i) {
                  dx[i] += dot(dy, kernel + (tap * in.c + i) * out.c, out.c);
                }
              });
        }
      }
    }
  }

  void execute(const ConvolutionBackwardWeights& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input)), out(t.shape(op.grad_output));
    const Kernel k(t.shape(op.grad_kernel));
    const T* input = t.data(op.input);
    const T* grad_output = t.data(op.grad_output);
    T* grad_kernel = t.data(op.grad_kernel);
#pragma omp parallel for schedule(dynamic) num_threads(threads_)
    for (std::int64_t tap = 0; tap < k.taps(); ++tap) {
      std::vector<double> sums(static_cast<std::size_t>(in.c * out.c), 0.0);
      for (std::int64_t n = 0; n < out.n; ++n) {
        for (std::int64_t d = 0; d < out.d; ++d) {
          for (std::int64_t h = 0; h < out.h; ++h) {
            for (std::int64_t w = 0; w < out.w; ++w) {
              const auto [id, ih, iw] = k.input_voxel(tap, d, h, w);
              if (!in.contains(id, ih, iw)) {
                continue;
              }
              const T* x = input + in.at(n, id, ih, iw);
              const T* dy = grad_output + out.at(n, d, h, w);
              add_outer_product(x, in.c, dy, out.c, sums.data());
            }
          }
        }
      }
      std::transform(sums.begin(), sums.end(), grad_kernel + tap * in.c * out.c,
                     [](double x) { return static_cast<T>(x); });
    }
    bias_gradient(out, grad_output, t.data(op.grad_bias));
  }

  void execute(const TransposedConvolution& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input)), out(t.shape(op.output));
    const T* input = t.data(op.input);
    const T* kernel = t.data(op.kernel);  // (2, 2, 2, out, in)
    const T* bias = t.data(op.bias);
    T* output = t.data(op.output);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t plane = 0; plane < out.n * out.d; ++plane) {
      const std::int64_t n = plane / out.d, d = plane % out.d;
      for (std::int64_t h = 0; h < out.h; ++h) {
        for (std::int64_t w = 0; w < out.w; ++w) {
          const T* x = input + in.at(n, d / 2, h / 2, w / 2);
          const T* weights = kernel + tap_of(d, h, w) * out.c * in.c;
          T* y = output + out.at(n, d, h, w);
          for (std::int64_t o = 0; o < out.c; ++o) {
            y[o] = bias[o] + dot(x, weights + o * in.c, in.c);
          }
        }
      }
    }
  }

  void execute(const TransposedConvolutionBackwardData& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.grad_input)), out(t.shape(op.grad_output));
    const T* grad_output = t.data(op.grad_output);
    const T* kernel = t.data(op.kernel);
    T* grad_input = t.data(op.grad_input);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t plane = 0; plane < in.n * in.d; ++plane) {
      const std::int64_t n = plane / in.d, d = plane % in.d;
      for (std::int64_t h = 0; h < in.h; ++h) {
        for (std::int64_t w = 0; w < in.w; ++w) {
          T* dx = grad_input + in.at(n, d, h, w);
          std::fill(dx, dx + in.c, T{0});
          for (std::int64_t tap = 0; tap < 8; ++tap) {
            const T* dy =
                grad_output + out.at(n, 2 * d + tap / 4, 2 * h + tap / 2 % 2, 2 * w + tap % 2);
            for (std::int64_t o = 0; o < out.c; ++o) {
              const T* weights = kernel + (tap * out.c + o) * in.c;
#pragma omp simd
              for (std::int64_t i = 0; i < in.c; ++i) {
                dx[i] += dy[o] * weights[i];
              }
            }
          }
        }
      }
    }
  }

  void execute(const TransposedConvolutionBackwardWeights& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input)), out(t.shape(op.grad_output));
    const T* input = t.data(op.input);
    const T* grad_output = t.data(op.grad_output);
    T* grad_kernel = t.data(op.grad_kernel);
#pragma omp parallel for schedule(dynamic) num_threads(threads_)
    for (std::int64_t tap = 0; tap < 8; ++tap) {
      std::vector<double> sums(static_cast<std::size_t>(in.c * out.c), 0.0);
      for (std::int64_t n = 0; n < in.n; ++n) {
        for (std::int64_t d = 0; d < in.d; ++d) {
          for (std::int64_t h = 0; h < in.h; ++h) {
            for (std::int64_t w = 0; w < in.w; ++w) {
              const T* x = input + in.at(n, d, h, w);
              const T* dy =
                  grad_output + out.at(n, 2 * d + tap / 4, 2 * h + tap / 2 % 2, 2 * w + tap % 2);
              add_outer_product(dy, out.c, x, in.c, sums.data());
            }
          }
        }
      }
      std::transform(sums.begin(), sums.end(), grad_kernel + tap * in.c * out.c,
                     [](double x) { return static_cast<T>(x); });
    }
    bias_gradient(out, grad_output, t.data(op.grad_bias));
  }

  // ---- Batch normalisation and ReLU ----

  void execute(const BatchNormStatistics& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input));
    const T* x = t.data(op.input);
    double* statistics = t.reduction(op.statistics);  // (3, C): count, mean, M2
    const double count = static_cast<double>(in.voxels());
    const std::vector<double> sums = sum_over_voxels(
        in, [&](std::int64_t v, std::int64_t c) { return static_cast<double>(x[v * in.c + c]); });
    for (std::int64_t c = 0; c < in.c; ++c) {
      statistics[c] = count;
      statistics[in.c + c] = sums[static_cast<std::size_t>(c)] / count;
    }
    const double* mean = statistics + in.c;
    const std::vector<double> m2 = sum_over_voxels(in, [&](std::int64_t v, std::int64_t c) {
      const double deviation = static_cast<double>(x[v * in.c + c]) - mean[c];
      return deviation * deviation;
    });
    std::copy(m2.begin(), m2.end(), statistics + 2 * in.c);
  }

  void execute(const NormalizeRelu& op, const Tensors<T>& t) {
    const Normalization norm(t, op.statistics, batch_norm_.epsilon);
    normalize_relu(norm, t, op.input, op.gamma, op.beta, op.output);
  }

  void execute(const InferenceNormalizeRelu& op, const Tensors<T>& t) {
    const Normalization norm(t, op.moving_mean, op.moving_variance, batch_norm_.epsilon);
    normalize_relu(norm, t, op.input, op.gamma, op.beta, op.output);
  }

  void execute(const NormalizeReluReduce& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input));
    const Normalization norm(t, op.statistics, batch_norm_.epsilon);
    const T* x = t.data(op.input);
    const T* dy = t.data(op.grad_output);
    const T* gamma = t.data(op.gamma);
    const T* beta = t.data(op.beta);
    const auto gradient = [&](std::int64_t v, std::int64_t c) {  // through the ReLU
      const T y = gamma[c] * norm(x[v * in.c + c], c) + beta[c];
      return y > T{0} ? static_cast<double>(dy[v * in.c + c]) : 0.0;
    };
    const std::vector<double> beta_sums = sum_over_voxels(in, gradient);
    const std::vector<double> gamma_sums = sum_over_voxels(in, [&](std::int64_t v, std::int64_t c) {
      return gradient(v, c) * static_cast<double>(norm(x[v * in.c + c], c));
    });
    for (std::int64_t c = 0; c < in.c; ++c) {
      t.data(op.grad_beta)[c] = static_cast<T>(beta_sums[static_cast<std::size_t>(c)]);
      t.data(op.grad_gamma)[c] = static_cast<T>(gamma_sums[static_cast<std::size_t>(c)]);
    }
  }

  void execute(const NormalizeReluApply& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input));
    const Normalization norm(t, op.statistics, batch_norm_.epsilon);
    const T count = static_cast<T>(t.reduction(op.statistics)[0]);
    const T* x = t.data(op.input);
    const T* dy = t.data(op.grad_output);
    const T* gamma = t.data(op.gamma);
    const T* beta = t.data(op.beta);
    const T* grad_gamma = t.data(op.grad_gamma);
    const T* grad_beta = t.data(op.grad_beta);
    T* dx = t.data(op.grad_input);
    for_each_voxel(in, [&](std::int64_t v) {
      for (std::int64_t c = 0; c < in.c; ++c) {
        const std::int64_t i = v * in.c + c;
        const T n = norm(x[i], c);
        const T g = gamma[c] * n + beta[c] > T{0} ? dy[i] : T{0};
        dx[i] = gamma[c] * norm.inverse_deviation(c) *
                (g - grad_beta[c] / count - n * grad_gamma[c] / count);
      }
    });
  }

  // ---- Pooling and joining ----

  void execute(const MaxPool& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input)), out(t.shape(op.output));
    const T* x = t.data(op.input);
    T* y = t.data(op.output);
    for_each_window(in, out, [&](std::int64_t v, const std::int64_t(&window)[8]) {
      for (std::int64_t c = 0; c < out.c; ++c) {
        y[v * out.c + c] = x[window[first_maximum(x, window, c)] + c];
      }
    });
  }

  void execute(const MaxPoolBackward& op, const Tensors<T>& t) {
    const Volume in(t.shape(op.input)), out(t.shape(op.grad_output));
    const T* x = t.data(op.input);
    const T* dy = t.data(op.grad_output);
    T* dx = t.data(op.grad_input);
    for_each_window(in, out, [&](std::int64_t v, const std::int64_t(&window)[8]) {
      for (std::int64_t c = 0; c < out.c; ++c) {
        const int largest = first_maximum(x, window, c);
        for (int i = 0; i < 8; ++i) {
          dx[window[i] + c] = i == largest ? dy[v * out.c + c] : T{0};
        }
      }
    });
  }

  void execute(const Concat& op, const Tensors<T>& t) {
    const Volume first(t.shape(op.first)), second(t.shape(op.second)), out(t.shape(op.output));
    const T* a = t.data(op.first);
    const T* b = t.data(op.second);
    T* y = t.data(op.output);
    for_each_voxel(out, [&](std::int64_t v) {
      std::copy_n(a + v * first.c, first.c, y + v * out.c);
      std::copy_n(b + v * second.c, second.c, y + v * out.c + first.c);
    });
  }

  void execute(const Split& op, const Tensors<T>& t) {
    const Volume first(t.shape(op.grad_first)), second(t.shape(op.grad_second));
    const Volume out(t.shape(op.grad_output));
    const T* dy = t.data(op.grad_output);
    T* a = t.data(op.grad_first);
    T* b = t.data(op.grad_second);
    for_each_voxel(out, [&](std::int64_t v) {
      std::copy_n(dy + v * out.c, first.c, a + v * first.c);
      std::copy_n(dy + v * out.c + first.c, second.c, b + v * second.c);
    });
  }

  void execute(const Add& op, const Tensors<T>& t) {
    const Volume shape(t.shape(op.sum));
    const T* a = t.data(op.first);
    const T* b = t.data(op.second);
    T* sum = t.data(op.sum);
    for_each_voxel(shape, [&](std::int64_t v) {
      for (std::int64_t i = v * shape.c; i < (v + 1) * shape.c; ++i) {
        sum[i] = a[i] + b[i];
      }
    });
  }

  // ---- Prediction and loss ----

  void execute(const Sigmoid& op, const Tensors<T>& t) {
    const Volume shape(t.shape(op.output));
    const T* x = t.data(op.input);
    T* y = t.data(op.output);
    for_each_voxel(shape, [&](std::int64_t v) {
      for (std::int64_t i = v * shape.c; i < (v + 1) * shape.c; ++i) {
        y[i] = T{1} / (T{1} + std::exp(-x[i]));
      }
    });
  }

  void execute(const SigmoidBackward& op, const Tensors<T>& t) {
    const Volume shape(t.shape(op.output));
    const T* y = t.data(op.output);
    const T* dy = t.data(op.grad_output);
    T* dx = t.data(op.grad_input);
    for_each_voxel(shape, [&](std::int64_t v) {
      for (std::int64_t i = v * shape.c; i < (v + 1) * shape.c; ++i) {
        dx[i] = dy[i] * y[i] * (T{1} - y[i]);
      }
    });
  }

  void execute(const Softmax& op, const Tensors<T>& t) {
    const Volume shape(t.shape(op.output));
    const T* input = t.data(op.input);
    T* output = t.data(op.output);
    for_each_voxel(shape, [&](std::int64_t v) {
      const T* x = input + v * shape.c;
      T* y = output + v * shape.c;
      const T largest = *std::max_element(x, x + shape.c);
      T sum{0};
      for (std::int64_t c = 0; c < shape.c; ++c) {
        y[c] = std::exp(x[c] - largest);
        sum += y[c];
      }
      for (std::int64_t c = 0; c < shape.c; ++c) {
        y[c] /= sum;
      }
    });
  }

  void execute(const SoftmaxBackward& op, const Tensors<T>& t) {
    const Volume shape(t.shape(op.output));
    const T* output = t.data(op.output);
    const T* grad_output = t.data(op.grad_output);
    T* grad_input = t.data(op.grad_input);
    for_each_voxel(shape, [&](std::int64_t v) {
      const T* y = output + v * shape.c;
      const T* dy = grad_output + v * shape.c;
      T* dx = grad_input + v * shape.c;
      const T weighted = dot(y, dy, shape.c);
      for (std::int64_t c = 0; c < shape.c; ++c) {
        dx[c] = y[c] * (dy[c] - weighted);
      }
    });
  }

  void execute(const DiceSums& op, const Tensors<T>& t) {
    const Volume all(t.shape(op.prediction));
    const T* prediction = t.data(op.prediction);
    const T* target = t.data(op.target);
    double* sums = t.reduction(op.sums);  // (N, C, kDiceSumCount)
    std::fill_n(sums, all.n * all.c * kDiceSumCount, 0.0);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t n = 0; n < all.n; ++n) {
      const std::int64_t voxels = all.d * all.h * all.w;
      for (std::int64_t v = n * voxels; v < (n + 1) * voxels; ++v) {
        const T* p = prediction + v * all.c;
        const T* y = target + v * all.c;
        const std::int64_t hard = std::max_element(p, p + all.c) - p;
        for (std::int64_t c = 0; c < all.c; ++c) {
          const double pc = static_cast<double>(p[c]);
          const double tc = static_cast<double>(y[c]);
          const bool chosen = all.c == 1 ? p[0] > static_cast<T>(0.5) : c == hard;
          const double rc = chosen ? 1.0 : 0.0;
          double* sum = sums + (n * all.c + c) * kDiceSumCount;
          sum[0] += pc * tc;
          sum[1] += pc;
          sum[2] += tc;
          sum[3] += tc * rc;
          sum[4] += rc;
          sum[5] += rc == tc ? 1.0 : 0.0;
        }
      }
    }
  }

  void execute(const DiceLoss& op, const Tensors<T>& t) {
    const Shape& shape = t.shape(op.sums);
    const std::int64_t rows = shape[0] * shape[1];  // N * C
    const double* sums = t.reduction(op.sums);
    double both = 0, either = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      const double* row = sums + i * kDiceSumCount;
      both += row[0] + kDiceSmooth;
      either += row[2] + row[1] + kDiceSmooth;
    }
    both /= static_cast<double>(rows);
    either /= static_cast<double>(rows);
    *t.reduction(op.loss) = -std::log(2.0 * both) + std::log(either);
    double* coefficients = t.reduction(op.gradient_coefficients);
    coefficients[0] = -1.0 / (both * static_cast<double>(rows));
    coefficients[1] = 1.0 / (either * static_cast<double>(rows));
  }

  void execute(const DiceGradient& op, const Tensors<T>& t) {
    const Volume shape(t.shape(op.target));
    const T* target = t.data(op.target);
    const T slope = static_cast<T>(t.reduction(op.gradient_coefficients)[0]);
    const T offset = static_cast<T>(t.reduction(op.gradient_coefficients)[1]);
    T* gradient = t.data(op.grad_prediction);
    for_each_voxel(shape, [&](std::int64_t v) {
      for (std::int64_t i = v * shape.c; i < (v + 1) * shape.c; ++i) {
        gradient[i] = slope * target[i] + offset;
      }
    });
  }

  // ---- Update ----

  void execute(const AdvanceIteration& op, const Tensors<T>& t) { *t.data(op.iteration) += T{1}; }

  void execute(const Adam& op, const Tensors<T>& t) {
    const std::int64_t count = elements(t.shape(op.parameter));
    const T step_size =
        static_cast<T>(adam_step_size(adam_, static_cast<double>(*t.data(op.iteration))));
    const T one_minus_beta1 = static_cast<T>(1.0 - adam_.beta1);
    const T one_minus_beta2 = static_cast<T>(1.0 - adam_.beta2);
    const T epsilon = static_cast<T>(adam_.epsilon);
    const T* gradient = t.data(op.gradient);
    T* parameter = t.data(op.parameter);
    T* m = t.data(op.m);
    T* v = t.data(op.v);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t i = 0; i < count; ++i) {
      const T g = gradient[i];
      m[i] += (g - m[i]) * one_minus_beta1;
      v[i] += (g * g - v[i]) * one_minus_beta2;
      parameter[i] -= m[i] * step_size / (std::sqrt(v[i]) + epsilon);
    }
  }

  void execute(const UpdateMovingStatistics& op, const Tensors<T>& t) {
    const std::int64_t channels = elements(t.shape(op.moving_mean));
    const double* statistics = t.reduction(op.statistics);
    T* moving_mean = t.data(op.moving_mean);
    T* moving_variance = t.data(op.moving_variance);
    const double keep = batch_norm_.momentum;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double mean = statistics[channels + c];
      const double variance = statistics[2 * channels + c] / statistics[c];
      moving_mean[c] =
          static_cast<T>(static_cast<double>(moving_mean[c]) * keep + mean * (1.0 - keep));
      moving_variance[c] =
          static_cast<T>(static_cast<double>(moving_variance[c]) * keep + variance * (1.0 - keep));
    }
  }

 protected:
  // (N, D, H, W, C), and where a voxel's channels start.
  struct Volume {
    explicit Volume(const Shape& s) : n(s[0]), d(s[1]), h(s[2]), w(s[3]), c(s[4]) {}
    std::int64_t at(std::int64_t in, std::int64_t id, std::int64_t ih, std::int64_t iw) const {
      return (((in * d + id) * h + ih) * w + iw) * c;
    }
    bool contains(std::int64_t id, std::int64_t ih, std::int64_t iw) const {
      return id >= 0 && id < d && ih >= 0 && ih < h && iw >= 0 && iw < w;
    }
    std::int64_t voxels() const { return n * d * h * w; }
    std::int64_t n, d, h, w, c;
  };

  // A cubic kernel of odd extent with 'same' padding.
  struct Kernel {
    explicit Kernel(const Shape& shape) : extent(shape[0]), pad((shape[0] - 1) / 2) {}
    std::int64_t taps() const { return extent * extent * extent; }
    struct Voxel {
      std::int64_t d, h, w;
    };
    // Where tap `tap` reads for output voxel (d, h, w); may lie in the padding.
    Voxel input_voxel(std::int64_t tap, std::int64_t d, std::int64_t h, std::int64_t w) const {
      return {d + tap / (extent * extent) - pad, h + tap / extent % extent - pad,
              w + tap % extent - pad};
    }
    template <class Visit>
    void for_each_tap_inside(const Volume& volume, std::int64_t d, std::int64_t h, std::int64_t w,
                             Visit visit) const {
      for (std::int64_t tap = 0; tap < taps(); ++tap) {
        const Voxel at = input_voxel(tap, d, h, w);
        if (volume.contains(at.d, at.h, at.w)) {
          visit(tap, at.d, at.h, at.w);
        }
      }
    }
    std::int64_t extent, pad;
  };

  // (x - mean) / sqrt(variance + epsilon), per channel.
  class Normalization {
   public:
    Normalization(const Tensors<T>& t, TensorId statistics, double epsilon) {
      const std::int64_t channels = t.shape(statistics)[1];
      const double* s = t.reduction(statistics);
      for (std::int64_t c = 0; c < channels; ++c) {
        add(s[channels + c], s[2 * channels + c] / s[c], epsilon);
      }
    }
    Normalization(const Tensors<T>& t, TensorId mean, TensorId variance, double epsilon) {
      for (std::int64_t c = 0; c < elements(t.shape(mean)); ++c) {
        add(static_cast<double>(t.data(mean)[c]), static_cast<double>(t.data(variance)[c]),
            epsilon);
      }
    }
    T operator()(T x, std::int64_t c) const {
      const auto i = static_cast<std::size_t>(c);
      return (x - mean_[i]) * inverse_deviation_[i];
    }
    T inverse_deviation(std::int64_t c) const {
      return inverse_deviation_[static_cast<std::size_t>(c)];
    }

   private:
    void add(double mean, double variance, double epsilon) {
      mean_.push_back(static_cast<T>(mean));
      inverse_deviation_.push_back(static_cast<T>(1.0 / std::sqrt(variance + epsilon)));
    }
    std::vector<T> mean_, inverse_deviation_;
  };

  void normalize_relu(const Normalization& norm, const Tensors<T>& t, TensorId input,
                      TensorId gamma_id, TensorId beta_id, TensorId output) {
    const Volume shape(t.shape(input));
    const T* x = t.data(input);
    const T* gamma = t.data(gamma_id);
    const T* beta = t.data(beta_id);
    T* y = t.data(output);
    for_each_voxel(shape, [&](std::int64_t v) {
      for (std::int64_t c = 0; c < shape.c; ++c) {
        const std::int64_t i = v * shape.c + c;
        y[i] = std::max(T{0}, gamma[c] * norm(x[i], c) + beta[c]);
      }
    });
  }

  static T dot(const T* a, const T* b, std::int64_t count) {
    T sum{0};
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < count; ++i) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  // sums (rows, columns) += a (rows) times b (columns).
  static void add_outer_product(const T* a, std::int64_t rows, const T* b, std::int64_t columns,
                                double* sums) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const double x = static_cast<double>(a[i]);
#pragma omp simd
      for (std::int64_t j = 0; j < columns; ++j) {
        sums[i * columns + j] += x * static_cast<double>(b[j]);
      }
    }
  }

  // Which of the 2x2x2 kernel's taps made output voxel (d, h, w).
  static std::int64_t tap_of(std::int64_t d, std::int64_t h, std::int64_t w) {
    return (d % 2 * 2 + h % 2) * 2 + w % 2;
  }

  static int first_maximum(const T* x, const std::int64_t (&window)[8], std::int64_t c) {
    int largest = 0;
    for (int i = 1; i < 8; ++i) {
      if (x[window[i] + c] > x[window[largest] + c]) {
        largest = i;
      }
    }
    return largest;
  }

  template <class Visit>
  void for_each_voxel(const Volume& volume, Visit visit) const {
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t v = 0; v < volume.voxels(); ++v) {
      visit(v);
    }
  }

  // Visits each output voxel v with the eight input voxels (offsets of channel 0) of its window.
  template <class Visit>
  void for_each_window(const Volume& in, const Volume& out, Visit visit) const {
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t plane = 0; plane < out.n * out.d; ++plane) {
      const std::int64_t n = plane / out.d, d = plane % out.d;
      for (std::int64_t h = 0; h < out.h; ++h) {
        for (std::int64_t w = 0; w < out.w; ++w) {
          std::int64_t window[8];
          for (int i = 0; i < 8; ++i) {
            window[i] = in.at(n, 2 * d + i / 4, 2 * h + i / 2 % 2, 2 * w + i % 2);
          }
          visit(out.at(n, d, h, w) / out.c, window);
        }
      }
    }
  }

  // Per channel, the sum over all voxels of value(voxel, channel); by planes, added in order, so
  // that the result does not depend on the number of threads.
  template <class Value>
  std::vector<double> sum_over_voxels(const Volume& volume, Value value) const {
    const std::int64_t planes = volume.n * volume.d, voxels = volume.h * volume.w;
    std::vector<double> partial(static_cast<std::size_t>(planes * volume.c), 0.0);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      double* sums = partial.data() + plane * volume.c;
      for (std::int64_t v = plane * voxels; v < (plane + 1) * voxels; ++v) {
        for (std::int64_t c = 0; c < volume.c; ++c) {
          sums[c] += value(v, c);
        }
      }
    }
    std::vector<double> sums(static_cast<std::size_t>(volume.c), 0.0);
    for (std::size_t i = 0; i < partial.size(); ++i) {
      sums[i % sums.size()] += partial[i];
    }
    return sums;
  }

  void bias_gradient(const Volume& out, const T* grad_output, T* grad_bias) const {
    const std::vector<double> sums = sum_over_voxels(out, [&](std::int64_t v, std::int64_t c) {
      return static_cast<double>(grad_output[v * out.c + c]);
    });
    std::transform(sums.begin(), sums.end(), grad_bias, [](double x) { return static_cast<T>(x); });
  }

  BatchNormSettings batch_norm_;
  AdamSettings adam_;
  int threads_;
};

}  // namespace voxmark
