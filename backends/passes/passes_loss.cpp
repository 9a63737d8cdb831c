// Prediction and loss. Works through blocks that stay in cache: what is fused is fused block by
// block, from the same functions that run alone.

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "backends/dice_loss.h"
#include "backends/passes/lanes.h"
#include "backends/passes/lanes_exp.h"
#include "backends/passes/passes.h"

namespace voxmark::passes {
namespace {

constexpr std::int64_t kBlockElements = 8192;  // 32 KiB per operand
constexpr std::int64_t kLeastBlockVoxels = 256;

// The same blocks for every number of threads; a block lies within one sample.
class Blocks {
 public:
  explicit Blocks(const PredictionShape& shape)
      : shape_(shape),
        block_voxels_(std::max(kBlockElements / shape.channels, kLeastBlockVoxels)),
        per_sample_((shape.voxels + block_voxels_ - 1) / block_voxels_) {}

  std::int64_t count() const { return shape_.n * per_sample_; }
  std::int64_t per_sample() const { return per_sample_; }
  std::int64_t voxels(std::int64_t block) const {
    return std::min(block_voxels_, shape_.voxels - block % per_sample_ * block_voxels_);
  }
  // The block's first element.
  std::int64_t offset(std::int64_t block) const {
    return (block / per_sample_ * shape_.voxels + block % per_sample_ * block_voxels_) *
           shape_.channels;
  }

 private:
  PredictionShape shape_;
  std::int64_t block_voxels_, per_sample_;
};

// visit(block, first element, voxels)
template <class Visit>
void for_each_block(const PredictionShape& shape, int threads, Visit visit) {
  const Blocks blocks(shape);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < blocks.count(); ++i) {
    visit(i, blocks.offset(i), blocks.voxels(i));
  }
}

// y = f(x...) for `count` elements.
template <class F, class T, class... In>
void map_dense(std::int64_t count, F f, T* y, const In*... x) {
  std::int64_t i = 0;
  for (; i + kNativeLanes <= count; i += kNativeLanes) {
    store<NativeLanes>(f(load<NativeLanes>(x + i)...), y + i);
  }
  for (; i < count; ++i) {
    store<float>(f(load<float>(x + i)...), y + i);
  }
}

// f(channels), with the usual few as a constant, so that their loops unroll.
template <class F>
void with_channels(std::int64_t channels, F f) {
  if (channels == 2) {
    f(std::integral_constant<std::int64_t, 2>{});
  } else if (channels == 3) {
    f(std::integral_constant<std::int64_t, 3>{});
  } else if (channels == 4) {
    f(std::integral_constant<std::int64_t, 4>{});
  } else {
    f(channels);
  }
}

// ---- One block each; channels last, (voxels, channels) ----

template <class T>
void sigmoid_block(std::int64_t elements, const T* x, T* y) {
  map_dense(
      elements,
      [](auto value) {
        using V = decltype(value);
        const V one = fill<V>(1.0F);
        return one / (one + exp_lanes<V>(-value));
      },
      y, x);
}

template <class T, class Channels>
void softmax_block(std::int64_t voxels, Channels channels, const T* x, T* y) {
  for (std::int64_t v = 0; v < voxels * channels; v += channels) {
    T largest = x[v];
    for (std::int64_t c = 1; c < channels; ++c) {
      largest = x[v + c] > largest ? x[v + c] : largest;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      y[v + c] = x[v + c] - largest;
    }
  }
  map_dense(voxels * channels, [](auto value) { return exp_lanes(value); }, y, y);
  for (std::int64_t v = 0; v < voxels * channels; v += channels) {
    T sum{0};
    for (std::int64_t c = 0; c < channels; ++c) {
      sum += y[v + c];
    }
    const T factor = T{1} / sum;
    for (std::int64_t c = 0; c < channels; ++c) {
      y[v + c] *= factor;
    }
  }
}

template <class T>
void predict_block(std::int64_t voxels, std::int64_t channels, bool is_softmax, const T* x, T* y) {
  if (is_softmax) {
    with_channels(channels, [&](auto count) { softmax_block(voxels, count, x, y); });
  } else {
    sigmoid_block(voxels * channels, x, y);
  }
}

// sums (kDiceSumCount) of one channel, where the hard prediction is p > 0.5.
template <class T>
void dice_block_of_one_channel(std::int64_t voxels, const T* prediction, const T* target,
                               double* sums) {
  using V = NativeLanes;
  Wide<V> both, predicted, wanted, wanted_hard, hard, correct;
  const V one = fill<V>(1.0F), half = fill<V>(0.5F);
  std::int64_t i = 0;
  for (; i + kNativeLanes <= voxels; i += kNativeLanes) {
    const V p = load<V>(prediction + i), t = load<V>(target + i);
    const V r = p > half ? one : V{};
    const Wide<V> wide_p = widen(p), wide_t = widen(t);
    both.add_product(wide_p, wide_t);
    predicted.add(wide_p);
    wanted.add(wide_t);
    wanted_hard.add(widen<V>(t * r));
    hard.add(widen<V>(r));
    correct.add(widen<V>(r == t ? one : V{}));
  }
  const Wide<V> lanes[kDiceSumCount] = {both, predicted, wanted, wanted_hard, hard, correct};
  for (std::int64_t k = 0; k < kDiceSumCount; ++k) {
    double values[kNativeLanes];
    lanes[k].store(values);
    sums[k] = 0;
    for (const double value : values) {
      sums[k] += value;
    }
  }
  for (; i < voxels; ++i) {
    const double p = static_cast<double>(prediction[i]), t = static_cast<double>(target[i]);
    const double r = p > 0.5 ? 1.0 : 0.0;
    sums[0] += p * t;
    sums[1] += p;
    sums[2] += t;
    sums[3] += t * r;
    sums[4] += r;
    sums[5] += r == t ? 1.0 : 0.0;
  }
}

// sums (channels, kDiceSumCount) of several, where the hard prediction is the first largest.
template <class T, class Channels>
void dice_block_of_channels(std::int64_t voxels, Channels channels, const T* prediction,
                            const T* target, double* sums) {
  std::fill_n(sums, channels * kDiceSumCount, 0.0);
  for (std::int64_t v = 0; v < voxels * channels; v += channels) {
    T largest = prediction[v];
    std::int64_t hard = 0;
    for (std::int64_t c = 1; c < channels; ++c) {
      hard = prediction[v + c] > largest ? c : hard;
      largest = prediction[v + c] > largest ? prediction[v + c] : largest;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      const double p = static_cast<double>(prediction[v + c]);
      const double t = static_cast<double>(target[v + c]);
      const double r = c == hard ? 1.0 : 0.0;
      double* sum = sums + c * kDiceSumCount;
      sum[0] += p * t;
      sum[1] += p;
      sum[2] += t;
      sum[3] += t * r;
      sum[4] += r;
      sum[5] += r == t ? 1.0 : 0.0;
    }
  }
}

template <class T>
void dice_block(std::int64_t voxels, std::int64_t channels, const T* prediction, const T* target,
                double* sums) {
  if (channels == 1) {
    dice_block_of_one_channel(voxels, prediction, target, sums);
  } else {
    with_channels(channels, [&](auto count) {
      dice_block_of_channels(voxels, count, prediction, target, sums);
    });
  }
}

template <class T>
void dice_gradient_block(std::int64_t count, const T* target, float slope, float offset,
                         T* grad_prediction) {
  map_dense(
      count,
      [=](auto t) {
        using V = decltype(t);
        return t * fill<V>(slope) + fill<V>(offset);
      },
      grad_prediction, target);
}

template <class T, class Channels>
void softmax_backward_block(std::int64_t voxels, Channels channels, const T* prediction,
                            const T* grad_prediction, T* grad_logits) {
  for (std::int64_t v = 0; v < voxels * channels; v += channels) {
    T weighted{0};
    for (std::int64_t c = 0; c < channels; ++c) {
      weighted += prediction[v + c] * grad_prediction[v + c];
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      grad_logits[v + c] = prediction[v + c] * (grad_prediction[v + c] - weighted);
    }
  }
}

template <class T>
void predict_backward_block(std::int64_t voxels, std::int64_t channels, bool is_softmax,
                            const T* prediction, const T* grad_prediction, T* grad_logits) {
  if (is_softmax) {
    with_channels(channels, [&](auto count) {
      softmax_backward_block(voxels, count, prediction, grad_prediction, grad_logits);
    });
  } else {
    map_dense(
        voxels * channels, [](auto y, auto dy) { return dy * y * (fill<decltype(y)>(1.0F) - y); },
        grad_logits, prediction, grad_prediction);
  }
}

// Adds the blocks' sums (blocks, channels, kDiceSumCount) up, in order.
void merge_dice_sums(const PredictionShape& shape, const double* partials, double* sums) {
  const std::int64_t row = shape.channels * kDiceSumCount;
  const std::int64_t per_sample = Blocks(shape).per_sample();
  std::fill_n(sums, shape.n * row, 0.0);
  for (std::int64_t n = 0; n < shape.n; ++n) {
    for (std::int64_t block = n * per_sample; block < (n + 1) * per_sample; ++block) {
      for (std::int64_t i = 0; i < row; ++i) {
        sums[n * row + i] += partials[block * row + i];
      }
    }
  }
}

}  // namespace

template <class T>
void predict(const PredictionShape& shape, bool is_softmax, const T* logits, T* prediction,
             int threads) {
  for_each_block(shape, threads, [&](std::int64_t, std::int64_t first, std::int64_t voxels) {
    predict_block(voxels, shape.channels, is_softmax, logits + first, prediction + first);
  });
}

std::int64_t dice_scratch_bytes(const PredictionShape& shape) {
  return Blocks(shape).count() * shape.channels * kDiceSumCount *
         static_cast<std::int64_t>(sizeof(double));
}

template <class T>
void dice_sums(const PredictionShape& shape, const T* prediction, const T* target, double* sums,
               std::byte* scratch, int threads) {
  double* partials = reinterpret_cast<double*>(scratch);
  for_each_block(shape, threads, [&](std::int64_t block, std::int64_t first, std::int64_t voxels) {
    dice_block(voxels, shape.channels, prediction + first, target + first,
               partials + block * shape.channels * kDiceSumCount);
  });
  merge_dice_sums(shape, partials, sums);
}

template <class T>
void predict_dice_sums(const PredictionShape& shape, bool is_softmax, const T* logits,
                       const T* target, T* prediction, double* sums, std::byte* scratch,
                       int threads) {
  double* partials = reinterpret_cast<double*>(scratch);
  for_each_block(shape, threads, [&](std::int64_t block, std::int64_t first, std::int64_t voxels) {
    predict_block(voxels, shape.channels, is_softmax, logits + first, prediction + first);
    dice_block(voxels, shape.channels, prediction + first, target + first,
               partials + block * shape.channels * kDiceSumCount);
  });
  merge_dice_sums(shape, partials, sums);
}

void dice_loss(std::int64_t rows, const double* sums, double* loss, double* gradient_coefficients) {
  set_dice_loss(dice_totals(rows, sums), loss, gradient_coefficients);
}

template <class T>
void dice_gradient(std::int64_t elements, const T* target, const double* gradient_coefficients,
                   T* grad_prediction, int threads) {
  const float slope = static_cast<float>(gradient_coefficients[0]);
  const float offset = static_cast<float>(gradient_coefficients[1]);
  for_each_block(
      {1, elements, 1}, threads, [&](std::int64_t, std::int64_t first, std::int64_t count) {
        dice_gradient_block(count, target + first, slope, offset, grad_prediction + first);
      });
}

template <class T>
void predict_backward(const PredictionShape& shape, bool is_softmax, const T* prediction,
                      const T* grad_prediction, T* grad_logits, int threads) {
  for_each_block(shape, threads, [&](std::int64_t, std::int64_t first, std::int64_t voxels) {
    predict_backward_block(voxels, shape.channels, is_softmax, prediction + first,
                           grad_prediction + first, grad_logits + first);
  });
}

template <class T>
void predict_dice_backward(const PredictionShape& shape, bool is_softmax, const T* prediction,
                           const T* target, const double* gradient_coefficients, T* grad_logits,
                           int threads) {
  const float slope = static_cast<float>(gradient_coefficients[0]);
  const float offset = static_cast<float>(gradient_coefficients[1]);
  for_each_block(shape, threads, [&](std::int64_t, std::int64_t first, std::int64_t voxels) {
    dice_gradient_block(voxels * shape.channels, target + first, slope, offset,
                        grad_logits + first);
    predict_backward_block(voxels, shape.channels, is_softmax, prediction + first,
                           grad_logits + first, grad_logits + first);
  });
}

template void predict<float>(const PredictionShape&, bool, const float*, float*, int);
template void dice_sums<float>(const PredictionShape&, const float*, const float*, double*,
                               std::byte*, int);
template void predict_dice_sums<float>(const PredictionShape&, bool, const float*, const float*,
                                       float*, double*, std::byte*, int);
template void dice_gradient<float>(std::int64_t, const float*, const double*, float*, int);
template void predict_backward<float>(const PredictionShape&, bool, const float*, const float*,
                                      float*, int);
template void predict_dice_backward<float>(const PredictionShape&, bool, const float*, const float*,
                                           const double*, float*, int);

}  // namespace voxmark::passes
