#include "backends/eigen/eigen.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <string>

#include "backends/eigen/convolution.h"
#include "backends/eigen/pointwise.h"
#include "backends/eigen/tensor_convolution.h"
#include "backends/eigen/transposed_convolution.h"
#include "backends/interpreter/interpreter.h"
#include "backends/passes/pass_kernels.h"

namespace voxmark {
namespace {

using eigen::ConvolutionShape;
using eigen::TransposedShape;

// `input` and `kernel` are shapes: (N, D, H, W, in), (k, k, k, in, out).
ConvolutionShape convolution_shape(const Shape& input, const Shape& kernel) {
  return {input[0], input[1], input[2], input[3], kernel[3], kernel[4], kernel[0]};
}
// `kernel`: (2, 2, 2, out, in).
TransposedShape transposed_shape(const Shape& input, const Shape& kernel) {
  return {input[0], input[1], input[2], input[3], kernel[4], kernel[3]};
}
bool is_pointwise(const ConvolutionShape& shape) { return shape.extent == 1 && shape.out == 1; }

bool is_convolution(const Op& op) {
  return std::holds_alternative<Convolution>(op.kind) ||
         std::holds_alternative<ConvolutionBackwardData>(op.kind) ||
         std::holds_alternative<ConvolutionBackwardWeights>(op.kind);
}
bool is_transposed_convolution(const Op& op) {
  return std::holds_alternative<TransposedConvolution>(op.kind) ||
         std::holds_alternative<TransposedConvolutionBackwardData>(op.kind) ||
         std::holds_alternative<TransposedConvolutionBackwardWeights>(op.kind);
}

class EigenKernels : public PassKernels {
 public:
  using PassKernels::execute;
  using PassKernels::PassKernels;

  static std::int64_t scratch_bytes(const Program& program, const CompileOptions& options) {
    std::int64_t bytes = PassKernels::scratch_bytes(program, options);
    const auto shape = [&](TensorId id) -> const Shape& { return program.tensor(id).shape; };
    for (const Op& op : program.ops) {
      std::int64_t own = 0;
      if (const auto* forward = std::get_if<Convolution>(&op.kind)) {
        own = eigen::convolution_scratch_bytes(
            convolution_shape(shape(forward->input), shape(forward->kernel)), options.threads);
      } else if (const auto* weights = std::get_if<ConvolutionBackwardWeights>(&op.kind)) {
        const ConvolutionShape s =
            convolution_shape(shape(weights->input), shape(weights->grad_kernel));
        own = is_pointwise(s) ? eigen::pointwise_weights_scratch_bytes(s.in, options.threads)
                              : eigen::convolution_weights_scratch_bytes(s, options.threads);
      } else if (const auto* transposed = std::get_if<TransposedConvolution>(&op.kind)) {
        own = eigen::transposed_scratch_bytes(
            transposed_shape(shape(transposed->input), shape(transposed->kernel)), options.threads);
      }
      bytes = std::max(bytes, own);
    }
    return bytes;
  }

  // Convolutions run differently from shape to shape: what was verified must be what is timed.
  std::string implementation(const Program& program, const Op& op) const {
    const auto shape = [&](TensorId image, TensorId kernel) {
      return convolution_shape(program.tensor(image).shape, program.tensor(kernel).shape);
    };
    const auto name = [](const ConvolutionShape& s, const char* way) {
      return std::string("eigen:") + (is_pointwise(s) ? "pointwise" : way);
    };
    if (const auto* forward = std::get_if<Convolution>(&op.kind)) {
      const ConvolutionShape s = shape(forward->input, forward->kernel);
      return name(s, eigen::convolution_way(s));
    }
    if (const auto* data = std::get_if<ConvolutionBackwardData>(&op.kind)) {
      const ConvolutionShape s = shape(data->grad_input, data->kernel);
      return name(s, eigen::backward_data_way(s));
    }
    if (const auto* weights = std::get_if<ConvolutionBackwardWeights>(&op.kind)) {
      const ConvolutionShape s = shape(weights->input, weights->grad_kernel);
      return name(s, eigen::backward_weights_way(s));
    }
    return is_transposed_convolution(op) ? "eigen:transposed" : "passes";
  }

  void execute(const Convolution& op, const Tensors<float>& t) {
    const ConvolutionShape s = convolution_shape(t.shape(op.input), t.shape(op.kernel));
    if (is_pointwise(s)) {
      eigen::pointwise(s.positions(), s.in, t.data(op.input), t.data(op.kernel), t.data(op.bias),
                       t.data(op.output), threads());
    } else {
      eigen::convolve(s, t.data(op.input), t.data(op.kernel), t.data(op.bias), t.data(op.output),
                      t.scratch(), threads());
    }
  }

  void execute(const ConvolutionBackwardData& op, const Tensors<float>& t) {
    const ConvolutionShape s = convolution_shape(t.shape(op.grad_input), t.shape(op.kernel));
    if (is_pointwise(s)) {
      eigen::pointwise_backward_data(s.positions(), s.in, t.data(op.grad_output), t.data(op.kernel),
                                     t.data(op.grad_input), threads());
    } else {
      eigen::convolve_backward_data(s, t.data(op.grad_output), t.data(op.kernel),
                                    t.data(op.grad_input), t.scratch(), threads());
    }
  }

  void execute(const ConvolutionBackwardWeights& op, const Tensors<float>& t) {
    const ConvolutionShape s = convolution_shape(t.shape(op.input), t.shape(op.grad_kernel));
    if (is_pointwise(s)) {
      eigen::pointwise_backward_weights(s.positions(), s.in, t.data(op.input),
                                        t.data(op.grad_output), t.data(op.grad_kernel), t.scratch(),
                                        threads());
    } else {
      eigen::convolve_backward_weights(s, t.data(op.input), t.data(op.grad_output),
                                       t.data(op.grad_kernel), t.scratch(), threads());
    }
    bias_gradient(op.grad_output, op.grad_bias, t);
  }

  void execute(const TransposedConvolution& op, const Tensors<float>& t) {
    eigen::transposed_convolve(transposed_shape(t.shape(op.input), t.shape(op.kernel)),
                               t.data(op.input), t.data(op.kernel), t.data(op.bias),
                               t.data(op.output), t.scratch(), threads());
  }

  void execute(const TransposedConvolutionBackwardData& op, const Tensors<float>& t) {
    eigen::transposed_backward_data(transposed_shape(t.shape(op.grad_input), t.shape(op.kernel)),
                                    t.data(op.grad_output), t.data(op.kernel),
                                    t.data(op.grad_input), t.scratch(), threads());
  }

  void execute(const TransposedConvolutionBackwardWeights& op, const Tensors<float>& t) {
    eigen::transposed_backward_weights(transposed_shape(t.shape(op.input), t.shape(op.grad_kernel)),
                                       t.data(op.input), t.data(op.grad_output),
                                       t.data(op.grad_kernel), t.scratch(), threads());
    bias_gradient(op.grad_output, op.grad_bias, t);
  }
};

// The same, but for the convolutions. Transposed convolutions stay: TensorFlow computes them as the
// data gradient of a strided convolution, whose patches are seven parts in eight zeros.
class EigenTensorKernels : public EigenKernels {
 public:
  using EigenKernels::EigenKernels;
  using EigenKernels::execute;

  static std::int64_t scratch_bytes(const Program& program, const CompileOptions& options) {
    std::int64_t bytes = EigenKernels::scratch_bytes(program, options);
    for (const Op& op : program.ops) {
      if (const auto* forward = std::get_if<Convolution>(&op.kind)) {
        const ConvolutionShape s = convolution_shape(program.tensor(forward->input).shape,
                                                     program.tensor(forward->kernel).shape);
        bytes = std::max(bytes, eigen::tensor_convolution_scratch_bytes(s, options.threads));
      }
    }
    return bytes;
  }

  std::string implementation(const Program& program, const Op& op) const {
    return is_convolution(op) ? "eigen:volume-patches" : EigenKernels::implementation(program, op);
  }

  void execute(const Convolution& op, const Tensors<float>& t) {
    eigen::tensor_convolve(convolution_shape(t.shape(op.input), t.shape(op.kernel)),
                           t.data(op.input), t.data(op.kernel), t.data(op.bias), t.data(op.output),
                           t.scratch(), threads());
  }

  void execute(const ConvolutionBackwardData& op, const Tensors<float>& t) {
    eigen::tensor_backward_data(convolution_shape(t.shape(op.grad_input), t.shape(op.kernel)),
                                t.data(op.grad_output), t.data(op.kernel), t.data(op.grad_input),
                                t.scratch(), threads());
  }

  void execute(const ConvolutionBackwardWeights& op, const Tensors<float>& t) {
    eigen::tensor_backward_weights(convolution_shape(t.shape(op.input), t.shape(op.grad_kernel)),
                                   t.data(op.input), t.data(op.grad_output), t.data(op.grad_kernel),
                                   t.scratch(), threads());
    bias_gradient(op.grad_output, op.grad_bias, t);
  }
};

BackendLibrary eigen_library() {
  return {"Eigen",
          fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION),
          Eigen::SimdInstructionSetsInUse(), ""};
}

}  // namespace

const Backend& eigen_backend() {
  static const InterpretedBackend<EigenKernels> backend(
      "eigen", "Eigen's block-panel kernel on rows packed once for all taps (fp32)",
      eigen_library());
  return backend;
}

const Backend& eigen_tensor_backend() {
  static const InterpretedBackend<EigenTensorKernels> backend(
      "eigen-tensor", "stock TensorFlow's volume patches and contraction, memory planned (fp32)",
      eigen_library());
  return backend;
}

}  // namespace voxmark
