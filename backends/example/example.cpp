#include "backends/example/example.h"

#include "backends/interpreter/interpreter.h"
#include "backends/naive/kernels.h"

namespace voxmark {
namespace {

// Naive's kernels, but for the forward convolution: this one walks a whole row of voxels per weight
// vector, so that a weight is loaded once per row instead of once per voxel.
class ExampleKernels : public NaiveKernels<float> {
 public:
  using NaiveKernels::execute;  // every op that is not overridden below
  using NaiveKernels::NaiveKernels;

  std::string implementation(const Program&, const Op& op) const {
    return std::holds_alternative<Convolution>(op.kind) ? "example:rows" : "naive";
  }

  void execute(const Convolution& op, const Tensors<float>& t) {
    const Volume in(t.shape(op.input)), out(t.shape(op.output));
    const Kernel k(t.shape(op.kernel));
    const float* input = t.data(op.input);
    const float* kernel = t.data(op.kernel);
    const float* bias = t.data(op.bias);
    float* output = t.data(op.output);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t row = 0; row < out.n * out.d * out.h; ++row) {
      const std::int64_t n = row / (out.d * out.h), d = row / out.h % out.d, h = row % out.h;
      float* y = output + row * out.w * out.c;
      for (std::int64_t w = 0; w < out.w; ++w) {
        std::copy_n(bias, out.c, y + w * out.c);
      }
      for (std::int64_t tap = 0; tap < k.taps(); ++tap) {
        for (std::int64_t i = 0; i < in.c; ++i) {
          const float* weights = kernel + (tap * in.c + i) * out.c;
          for (std::int64_t w = 0; w < out.w; ++w) {
            const auto [id, ih, iw] = k.input_voxel(tap, d, h, w);
            if (in.contains(id, ih, iw)) {
              const float x = input[in.at(n, id, ih, iw) + i];
              for (std::int64_t o = 0; o < out.c; ++o) {
                y[w * out.c + o] += x * weights[o];
              }
            }
          }
        }
      }
    }
  }
};

}  // namespace

const Backend& example_backend() {
  static const InterpretedBackend<ExampleKernels> backend(
      "example", "how to add a backend (docs/add-a-backend.md)");
  return backend;
}

}  // namespace voxmark
