#include "workloads/network/cost.h"

#include <initializer_list>
#include <type_traits>
#include <variant>

namespace voxmark {
namespace {

// Every voxel of the coarser or equal side meets every weight once: for a convolution the output's
// voxels, for a transposed one the input's.
std::int64_t convolution_flops(const Program& program, TensorId voxels_of, TensorId kernel) {
  const Shape& shape = program.tensor(voxels_of).shape;
  return 2 * (elements(shape) / shape.back()) * elements(program.tensor(kernel).shape);
}

}  // namespace

std::int64_t flops(const Program& program, const Op& op) {
  return std::visit(
      [&](const auto& kind) -> std::int64_t {
        using Kind = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Kind, Convolution>) {
          return convolution_flops(program, kind.output, kind.kernel);
        } else if constexpr (std::is_same_v<Kind, ConvolutionBackwardData>) {
          return convolution_flops(program, kind.grad_output, kind.kernel);
        } else if constexpr (std::is_same_v<Kind, ConvolutionBackwardWeights>) {
          return convolution_flops(program, kind.grad_output, kind.grad_kernel);
        } else if constexpr (std::is_same_v<Kind, TransposedConvolution>) {
          return convolution_flops(program, kind.input, kind.kernel);
        } else if constexpr (std::is_same_v<Kind, TransposedConvolutionBackwardData>) {
          return convolution_flops(program, kind.grad_input, kind.kernel);
        } else if constexpr (std::is_same_v<Kind, TransposedConvolutionBackwardWeights>) {
          return convolution_flops(program, kind.input, kind.grad_kernel);
        } else {
          return 0;
        }
      },
      op.kind);
}

std::int64_t flops(const Program& program) {
  std::int64_t sum = 0;
  for (const Op& op : program.ops) {
    sum += flops(program, op);
  }
  return sum;
}

std::int64_t convolution_elements(const Program& program, const Op& op) {
  const auto sum = [&program](std::initializer_list<TensorId> operands) {
    std::int64_t all = 0;
    for (const TensorId id : operands) {
      all += elements(program.tensor(id).shape);
    }
    return all;
  };
  return std::visit(
      [&](const auto& kind) -> std::int64_t {
        using Kind = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Kind, Convolution> ||
                      std::is_same_v<Kind, TransposedConvolution>) {
          return sum({kind.input, kind.kernel, kind.bias, kind.output});
        } else if constexpr (std::is_same_v<Kind, ConvolutionBackwardData> ||
                             std::is_same_v<Kind, TransposedConvolutionBackwardData>) {
          return sum({kind.grad_output, kind.kernel, kind.grad_input});
        } else if constexpr (std::is_same_v<Kind, ConvolutionBackwardWeights> ||
                             std::is_same_v<Kind, TransposedConvolutionBackwardWeights>) {
          return sum({kind.input, kind.grad_output, kind.grad_kernel, kind.grad_bias});
        } else {
          return 0;
        }
      },
      op.kind);
}

ParameterCount count_parameters(const Program& program) {
  ParameterCount count;
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.role == TensorRole::parameter) {
      count.trainable += elements(tensor.shape);
    } else if (tensor.role == TensorRole::moving_statistic) {
      count.moving_statistics += elements(tensor.shape);
    }
  }
  return count;
}

}  // namespace voxmark
