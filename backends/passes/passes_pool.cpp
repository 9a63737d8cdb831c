// Max-pooling, and the passes that join and share tensors.

#include "backends/passes/pass_map.h"
#include "backends/passes/passes.h"

namespace voxmark::passes {
namespace {

constexpr int kTaps = 8;  // of a 2x2x2 window, in (d, h, w) order

// One row of windows along w.
struct WindowRow {
  std::int64_t sample, panel;
  std::int64_t output_voxel;  // of the row's first window
  std::int64_t input_voxel;   // the first tap of that window
};

// visit(WindowRow) for all rows of the pooled tensor's shape.
template <class Visit>
void for_each_window_row(const PanelShape& pooled, int threads, Visit visit) {
  const std::int64_t rows = pooled.n * pooled.panels * pooled.d * pooled.h;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t h = row % pooled.h, d = row / pooled.h % pooled.d;
    const std::int64_t panel = row / (pooled.h * pooled.d);
    visit(WindowRow{panel / pooled.panels, panel % pooled.panels, (d * pooled.h + h) * pooled.w,
                    (2 * d * 2 * pooled.h + 2 * h) * 2 * pooled.w});
  }
}

// Where tap i lies from the first tap of its window, in voxels of an input of these dims.
std::int64_t tap_voxels(const PanelShape& input, int i) {
  return (i / 4 * input.h + i / 2 % 2) * input.w + i % 2;
}

[[maybe_unused]] bool halves(const PanelShape& input, const PanelShape& output) {
  return input.n == output.n && input.panels == output.panels && input.width == output.width &&
         input.d == 2 * output.d && input.h == 2 * output.h && input.w == 2 * output.w;
}

template <bool Adds, class T>
void pool_backward(View<const T> x, View<const T> grad_y, View<const T> other, View<T> grad_x,
                   int threads) {
  assert(halves(x.shape, grad_y.shape) && grad_x.shape == x.shape);
  assert(!Adds || other.shape == x.shape);
  std::int64_t taps[kTaps];
  for (int i = 0; i < kTaps; ++i) {
    taps[i] = tap_voxels(x.shape, i);
  }
  for_each_window_row(grad_y.shape, threads, [&](const WindowRow& row) {
    const T* values = x.panel(row.sample, row.panel) + row.input_voxel * x.voxel_stride;
    const T* gradients =
        grad_y.panel(row.sample, row.panel) + row.output_voxel * grad_y.voxel_stride;
    const T* others =
        Adds ? other.panel(row.sample, row.panel) + row.input_voxel * other.voxel_stride : nullptr;
    T* results = grad_x.panel(row.sample, row.panel) + row.input_voxel * grad_x.voxel_stride;
    for (std::int64_t w = 0; w < grad_y.shape.w; ++w) {
      for_each_lane_group(x.shape.width, [&]<class V, unsigned U>(std::int64_t first) {
        for (unsigned u = 0; u < U; ++u) {
          const std::int64_t c = first + u * kLanes<V>;
          V largest = load<V>(values + (2 * w) * x.voxel_stride + c);
          IntLanes<V> winner{};
          for (int i = 1; i < kTaps; ++i) {
            const V value = load<V>(values + (2 * w + taps[i]) * x.voxel_stride + c);
            winner = value > largest ? fill_int<V>(i) : winner;
            largest = value > largest ? value : largest;
          }
          const V gradient = load<V>(gradients + w * grad_y.voxel_stride + c);
          for (int i = 0; i < kTaps; ++i) {
            V result = winner == fill_int<V>(i) ? gradient : V{};
            if constexpr (Adds) {
              result += load<V>(others + (2 * w + taps[i]) * other.voxel_stride + c);
            }
            store<V>(result, results + (2 * w + taps[i]) * grad_x.voxel_stride + c);
          }
        }
      });
    }
  });
}

}  // namespace

template <class T>
void max_pool(View<const T> x, View<T> y, int threads) {
  assert(halves(x.shape, y.shape));
  std::int64_t taps[kTaps];
  for (int i = 0; i < kTaps; ++i) {
    taps[i] = tap_voxels(x.shape, i);
  }
  for_each_window_row(y.shape, threads, [&](const WindowRow& row) {
    const T* values = x.panel(row.sample, row.panel) + row.input_voxel * x.voxel_stride;
    T* results = y.panel(row.sample, row.panel) + row.output_voxel * y.voxel_stride;
    for (std::int64_t w = 0; w < y.shape.w; ++w) {
      for_each_lane_group(x.shape.width, [&]<class V, unsigned U>(std::int64_t first) {
        for (unsigned u = 0; u < U; ++u) {
          const std::int64_t c = first + u * kLanes<V>;
          V largest = load<V>(values + (2 * w) * x.voxel_stride + c);
          for (int i = 1; i < kTaps; ++i) {
            const V value = load<V>(values + (2 * w + taps[i]) * x.voxel_stride + c);
            largest = value > largest ? value : largest;
          }
          store<V>(largest, results + w * y.voxel_stride + c);
        }
      });
    }
  });
}

template <class T>
void max_pool_backward(View<const T> x, View<const T> grad_y, View<T> grad_x, int threads) {
  pool_backward<false, T>(x, grad_y, {}, grad_x, threads);
}

template <class T>
void max_pool_backward_add(View<const T> x, View<const T> grad_y, View<const T> other,
                           View<T> grad_x, int threads) {
  pool_backward<true, T>(x, grad_y, other, grad_x, threads);
}

template <class T>
void copy(View<const T> x, View<T> y, int threads) {
  map_elements(
      std::array<const float*, 0>{}, [](const auto&, auto value) { return value; }, threads, y, x);
}

template <class T>
void add(View<const T> a, View<const T> b, View<T> y, int threads) {
  map_elements(
      std::array<const float*, 0>{},
      [](const auto&, auto first, auto second) { return first + second; }, threads, y, a, b);
}

template void max_pool<float>(View<const float>, View<float>, int);
template void max_pool_backward<float>(View<const float>, View<const float>, View<float>, int);
template void max_pool_backward_add<float>(View<const float>, View<const float>, View<const float>,
                                           View<float>, int);
template void copy<float>(View<const float>, View<float>, int);
template void add<float>(View<const float>, View<const float>, View<float>, int);

template void max_pool<Bf16>(View<const Bf16>, View<Bf16>, int);
template void max_pool_backward<Bf16>(View<const Bf16>, View<const Bf16>, View<Bf16>, int);
template void max_pool_backward_add<Bf16>(View<const Bf16>, View<const Bf16>, View<const Bf16>,
                                          View<Bf16>, int);
template void copy<Bf16>(View<const Bf16>, View<Bf16>, int);
template void add<Bf16>(View<const Bf16>, View<const Bf16>, View<Bf16>, int);

}  // namespace voxmark::passes
