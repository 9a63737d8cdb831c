// Batch normalisation and ReLU.

#include <algorithm>
#include <cmath>

#include "backends/passes/pass_map.h"
#include "backends/passes/passes.h"

namespace voxmark::passes {
namespace {

// Two sums per channel of each piece, (pieces, 2, width): what every reduction leaves in scratch.
constexpr std::int64_t kPartialSums = 2;

// The rows of the coefficients.
const float* row(const float* coefficients, std::int64_t channels, std::int64_t index) {
  return coefficients + index * channels;
}

// The decision of the ReLU, forward and backward, rests on this expression.
template <class V>
V scaled(V x, V scale, V shift) {
  return x * scale + shift;
}

// Fills the partial sums of each piece by accumulate.operator()<V, U>(piece, c, first voxel,
// voxels, sums), which adds voxels of U vectors of channels from c on to sums[0...] and
// sums[width...].
template <class Accumulate>
double* sum_pieces(const PanelShape& shape, std::byte* scratch, int threads,
                   Accumulate accumulate) {
  double* partials = reinterpret_cast<double*>(scratch);
  const Pieces pieces(shape);
  const std::int64_t tile = tile_voxels(shape.width);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < pieces.count(); ++i) {
    const Piece piece = pieces[i];
    double* sums = partials + i * kPartialSums * shape.width;
    std::fill_n(sums, kPartialSums * shape.width, 0.0);
    for (std::int64_t voxel = piece.first_voxel; voxel < piece.last_voxel; voxel += tile) {
      const std::int64_t voxels = std::min(tile, piece.last_voxel - voxel);
      for_each_lane_group(shape.width, [&]<class V, unsigned U>(std::int64_t c) {
        accumulate.template operator()<V, U>(piece, c, voxel, voxels, sums + c);
      });
    }
  }
  return partials;
}

// Calls visit(piece, sums) for the pieces of channel c, in order; sums[0] and sums[width] are its
// two partial sums.
template <class Visit>
void for_each_partial(const PanelShape& shape, std::int64_t c, const double* partials,
                      Visit visit) {
  const Pieces pieces(shape);
  const std::int64_t panel = c / shape.width, lane = c % shape.width;
  for (std::int64_t sample = 0; sample < shape.n; ++sample) {
    const std::int64_t first = (sample * shape.panels + panel) * pieces.per_panel();
    for (std::int64_t i = first; i < first + pieces.per_panel(); ++i) {
      visit(pieces[i], partials + i * kPartialSums * shape.width + lane);
    }
  }
}

template <class V, unsigned U>
void load_sums(const double* from, Wide<V> (&sums)[U]) {
  for (unsigned u = 0; u < U; ++u) {
    sums[u] = Wide<V>::load(from + u * kLanes<V>);
  }
}

template <class V, unsigned U>
void store_sums(const Wide<V> (&sums)[U], double* to) {
  for (unsigned u = 0; u < U; ++u) {
    sums[u].store(to + u * kLanes<V>);
  }
}

// sums[0]: of x - pivot, sums[width]: of their squares, in double: a mean that is large beside the
// deviation costs no digits where the pivot is one of the values.
template <class V, unsigned U, class T>
void add_deviations(const T* x, std::int64_t stride, std::int64_t voxels, const T* pivot,
                    double* sums, std::int64_t width) {
  Wide<V> pivots[U], sum[U], squares[U];
  for (unsigned u = 0; u < U; ++u) {
    pivots[u] = widen(load<V>(pivot + u * kLanes<V>));
  }
  load_sums<V, U>(sums, sum);
  load_sums<V, U>(sums + width, squares);
  for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
    for (unsigned u = 0; u < U; ++u) {
      const Wide<V> deviation = widen(load<V>(x + voxel * stride + u * kLanes<V>)) - pivots[u];
      sum[u].add(deviation);
      squares[u].add_product(deviation, deviation);
    }
  }
  store_sums<V, U>(sum, sums);
  store_sums<V, U>(squares, sums + width);
}

// sums[0]: of dy; sums[width]: of dy * (x - mean).
template <class V, unsigned U, class T>
void add_gradients(const T* x, std::int64_t x_stride, const T* grad_y, std::int64_t grad_stride,
                   std::int64_t voxels, const float* scale, const float* shift, const float* mean,
                   double* sums, std::int64_t width) {
  V scales[U], shifts[U], means[U];
  for (unsigned u = 0; u < U; ++u) {
    scales[u] = load<V>(scale + u * kLanes<V>);
    shifts[u] = load<V>(shift + u * kLanes<V>);
    means[u] = load<V>(mean + u * kLanes<V>);
  }
  Wide<V> sum[U], products[U];
  load_sums<V, U>(sums, sum);
  load_sums<V, U>(sums + width, products);
  for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
    for (unsigned u = 0; u < U; ++u) {
      const V value = load<V>(x + voxel * x_stride + u * kLanes<V>);
      const V gradient = load<V>(grad_y + voxel * grad_stride + u * kLanes<V>);
      const Wide<V> passed =
          widen<V>(scaled<V>(value, scales[u], shifts[u]) > V{} ? gradient : V{});
      sum[u].add(passed);
      products[u].add_product(passed, widen<V>(value - means[u]));
    }
  }
  store_sums<V, U>(sum, sums);
  store_sums<V, U>(products, sums + width);
}

template <class V, unsigned U, class T>
void add_values(const T* x, std::int64_t stride, std::int64_t voxels, double* sums) {
  Wide<V> sum[U];
  load_sums<V, U>(sums, sum);
  for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
    for (unsigned u = 0; u < U; ++u) {
      sum[u].add(widen(load<V>(x + voxel * stride + u * kLanes<V>)));
    }
  }
  store_sums<V, U>(sum, sums);
}

void set_forward_coefficients(std::int64_t channels, std::int64_t c, double mean, double variance,
                              double gamma, double beta, double epsilon, float* coefficients) {
  const double inverse_deviation = 1.0 / std::sqrt(variance + epsilon);
  coefficients[c] = static_cast<float>(gamma * inverse_deviation);
  coefficients[channels + c] = static_cast<float>(beta - mean * gamma * inverse_deviation);
  coefficients[2 * channels + c] = static_cast<float>(mean);
  coefficients[3 * channels + c] = static_cast<float>(inverse_deviation);
}

}  // namespace

std::int64_t reduction_scratch_bytes(const PanelShape& shape) {
  return Pieces(shape).count() * kPartialSums * shape.width *
         static_cast<std::int64_t>(sizeof(double));
}

template <class T>
void batch_norm_statistics(View<const T> x, double* statistics, std::byte* scratch, int threads) {
  const PanelShape& shape = x.shape;
  const auto pivot_of = [&](const Piece& piece, std::int64_t c) {  // of the piece's first voxel
    return x.panel(piece.sample, piece.panel) + piece.first_voxel * x.voxel_stride + c;
  };
  const double* partials = sum_pieces(
      shape, scratch, threads,
      [&]<class V, unsigned U>(const Piece& piece, std::int64_t c, std::int64_t voxel,
                               std::int64_t voxels, double* sums) {
        const T* from = x.panel(piece.sample, piece.panel) + voxel * x.voxel_stride + c;
        add_deviations<V, U>(from, x.voxel_stride, voxels, pivot_of(piece, c), sums, shape.width);
      });
  // Merged as Chan, Golub and LeVeque: deviations of the pieces' means from the whole mean.
  const double count = static_cast<double>(shape.n * shape.voxels());
  for (std::int64_t c = 0; c < shape.channels(); ++c) {
    const auto mean_of = [&](const Piece& piece, const double* sums) {
      const double pivot = static_cast<double>(*pivot_of(piece, c % shape.width));
      return pivot + sums[0] / static_cast<double>(piece.voxels());
    };
    double sum = 0, m2 = 0;
    for_each_partial(shape, c, partials, [&](const Piece& piece, const double* sums) {
      sum += static_cast<double>(piece.voxels()) * mean_of(piece, sums);
    });
    const double mean = sum / count;
    for_each_partial(shape, c, partials, [&](const Piece& piece, const double* sums) {
      const double voxels = static_cast<double>(piece.voxels());
      const double deviation = mean_of(piece, sums) - mean;
      m2 += sums[shape.width] - sums[0] * sums[0] / voxels + voxels * deviation * deviation;
    });
    statistics[c] = count;
    statistics[shape.channels() + c] = mean;
    statistics[2 * shape.channels() + c] = m2;
  }
}

template <class T>
void channel_sums(View<const T> x, float* sums, std::byte* scratch, int threads) {
  const PanelShape& shape = x.shape;
  const double* partials =
      sum_pieces(shape, scratch, threads,
                 [&]<class V, unsigned U>(const Piece& piece, std::int64_t c, std::int64_t voxel,
                                          std::int64_t voxels, double* piece_sums) {
                   const T* from = x.panel(piece.sample, piece.panel) + voxel * x.voxel_stride + c;
                   add_values<V, U>(from, x.voxel_stride, voxels, piece_sums);
                 });
  for (std::int64_t c = 0; c < shape.channels(); ++c) {
    double sum = 0;
    for_each_partial(shape, c, partials,
                     [&](const Piece&, const double* piece_sums) { sum += piece_sums[0]; });
    sums[c] = static_cast<float>(sum);
  }
}

void forward_coefficients(std::int64_t channels, const double* statistics, const float* gamma,
                          const float* beta, double epsilon, float* coefficients) {
  for (std::int64_t c = 0; c < channels; ++c) {
    set_forward_coefficients(
        channels, c, statistics[channels + c], statistics[2 * channels + c] / statistics[c],
        static_cast<double>(gamma[c]), static_cast<double>(beta[c]), epsilon, coefficients);
  }
}

void inference_coefficients(std::int64_t channels, const float* moving_mean,
                            const float* moving_variance, const float* gamma, const float* beta,
                            double epsilon, float* coefficients) {
  for (std::int64_t c = 0; c < channels; ++c) {
    set_forward_coefficients(channels, c, static_cast<double>(moving_mean[c]),
                             static_cast<double>(moving_variance[c]), static_cast<double>(gamma[c]),
                             static_cast<double>(beta[c]), epsilon, coefficients);
  }
}

// grad_x = scale * dy + row 4 * (x - mean) + row 5.
void backward_coefficients(std::int64_t channels, double count, const float* grad_gamma,
                           const float* grad_beta, float* coefficients) {
  const float* scale = row(coefficients, channels, 0);
  const float* inverse_deviation = row(coefficients, channels, 3);
  for (std::int64_t c = 0; c < channels; ++c) {
    const double factor = static_cast<double>(scale[c]) / count;
    coefficients[4 * channels + c] = static_cast<float>(
        -factor * static_cast<double>(inverse_deviation[c]) * static_cast<double>(grad_gamma[c]));
    coefficients[5 * channels + c] =
        static_cast<float>(-factor * static_cast<double>(grad_beta[c]));
  }
}

template <class T>
void normalize_relu(View<const T> x, const float* coefficients, View<T> y, int threads) {
  const std::int64_t channels = x.shape.channels();
  const std::array<const float*, 2> rows = {row(coefficients, channels, 0),
                                            row(coefficients, channels, 1)};
  map_elements(
      rows,
      [](const auto& k, auto value) {
        using V = decltype(value);
        const V result = scaled<V>(value, k[0], k[1]);
        return result > V{} ? result : V{};
      },
      threads, y, x);
}

template <class T>
void normalize_relu_reduce(View<const T> x, View<const T> grad_y, const float* coefficients,
                           float* grad_gamma, float* grad_beta, std::byte* scratch, int threads) {
  const PanelShape& shape = x.shape;
  assert(grad_y.shape == shape);
  const std::int64_t channels = shape.channels();
  const double* partials = sum_pieces(
      shape, scratch, threads,
      [&]<class V, unsigned U>(const Piece& piece, std::int64_t c, std::int64_t voxel,
                               std::int64_t voxels, double* sums) {
        const T* values = x.panel(piece.sample, piece.panel) + voxel * x.voxel_stride + c;
        const T* gradients =
            grad_y.panel(piece.sample, piece.panel) + voxel * grad_y.voxel_stride + c;
        const float* k = coefficients + piece.panel * shape.width + c;
        add_gradients<V, U>(values, x.voxel_stride, gradients, grad_y.voxel_stride, voxels,
                            row(k, channels, 0), row(k, channels, 1), row(k, channels, 2), sums,
                            shape.width);
      });
  const float* inverse_deviation = row(coefficients, channels, 3);
  for (std::int64_t c = 0; c < channels; ++c) {
    double beta = 0, gamma = 0;
    for_each_partial(shape, c, partials, [&](const Piece&, const double* sums) {
      beta += sums[0];
      gamma += sums[shape.width];
    });
    grad_beta[c] = static_cast<float>(beta);
    grad_gamma[c] = static_cast<float>(gamma * static_cast<double>(inverse_deviation[c]));
  }
}

template <class T>
void normalize_relu_apply(View<const T> x, View<const T> grad_y, const float* coefficients,
                          View<T> grad_x, int threads) {
  const std::int64_t channels = x.shape.channels();
  const std::array<const float*, 5> rows = {
      row(coefficients, channels, 0), row(coefficients, channels, 1),
      row(coefficients, channels, 2), row(coefficients, channels, 4),
      row(coefficients, channels, 5)};
  map_elements(
      rows,
      [](const auto& k, auto value, auto gradient) {
        using V = decltype(value);
        const V passed = scaled<V>(value, k[0], k[1]) > V{} ? gradient : V{};
        return k[0] * passed + ((value - k[2]) * k[3] + k[4]);
      },
      threads, grad_x, x, grad_y);
}

template void batch_norm_statistics<float>(View<const float>, double*, std::byte*, int);
template void channel_sums<float>(View<const float>, float*, std::byte*, int);
template void normalize_relu<float>(View<const float>, const float*, View<float>, int);
template void normalize_relu_reduce<float>(View<const float>, View<const float>, const float*,
                                           float*, float*, std::byte*, int);
template void normalize_relu_apply<float>(View<const float>, View<const float>, const float*,
                                          View<float>, int);

template void batch_norm_statistics<Bf16>(View<const Bf16>, double*, std::byte*, int);
template void channel_sums<Bf16>(View<const Bf16>, float*, std::byte*, int);
template void normalize_relu<Bf16>(View<const Bf16>, const float*, View<Bf16>, int);
template void normalize_relu_reduce<Bf16>(View<const Bf16>, View<const Bf16>, const float*, float*,
                                          float*, std::byte*, int);
template void normalize_relu_apply<Bf16>(View<const Bf16>, View<const Bf16>, const float*,
                                         View<Bf16>, int);

}  // namespace voxmark::passes
