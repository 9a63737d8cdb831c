#include "backends/onednn/passes_stages.h"

#include <array>
#include <type_traits>
#include <utility>

#include "backends/onednn/memory_layout.h"
#include "backends/passes/passes.h"
#include "base/error.h"

namespace voxmark::onednn {
namespace {

using passes::PredictionShape;

template <class T>
inline constexpr bool kUnexpected = false;

PredictionShape prediction_shape(const Program& program, TensorId id) {
  const Shape& s = program.tensor(id).shape;
  return {s[0], s[1] * s[2] * s[3], s[4]};
}

PlannedStage stage_of(std::function<Call(const Memory&, std::byte*)> bind,
                      std::int64_t scratch_bytes = 0) {
  return {scratch_bytes, "pass", passes::kNativeIsa, std::move(bind)};
}

class Passes {
 public:
  Passes(const Context& context, const StageOps& stage)
      : program_(context.program),
        formats_(context.formats),
        context_(context),
        stage_(stage),
        threads_(context.threads) {}

  PlannedStage operator()(const BatchNormStatistics& op) const {
    return with_storage(formats_[op.input], [&]<class T>() {
      return stage_of(
          [op, threads = threads_](const Memory& m, std::byte* scratch) -> Call {
            return [=, x = m.in<T>(op.input), statistics = m.reduction(op.statistics)] {
              passes::batch_norm_statistics(x, statistics, scratch, threads);
            };
          },
          passes::reduction_scratch_bytes(formats_[op.input].shape));
    });
  }

  PlannedStage operator()(const NormalizeRelu& op) const {
    const std::int64_t channels = channels_of(op.input);
    return with_storage(formats_[op.input], [&]<class T>() {
      return stage_of(
          [=, threads = threads_, epsilon = program_.batch_norm.epsilon](
              const Memory& m, std::byte* scratch) -> Call {
            float* coefficients = reinterpret_cast<float*>(scratch);
            return [=, x = m.in<T>(op.input), y = m.out<T>(op.output), gamma = m.data(op.gamma),
                    beta = m.data(op.beta), statistics = m.reduction(op.statistics)] {
              passes::forward_coefficients(channels, statistics, gamma, beta, epsilon,
                                           coefficients);
              passes::normalize_relu(x, coefficients, y, threads);
            };
          },
          coefficient_bytes(channels));
    });
  }

  PlannedStage operator()(const InferenceNormalizeRelu& op) const {
    const std::int64_t channels = channels_of(op.input);
    return with_storage(formats_[op.input], [&]<class T>() {
      return stage_of(
          [=, threads = threads_, epsilon = program_.batch_norm.epsilon](
              const Memory& m, std::byte* scratch) -> Call {
            float* coefficients = reinterpret_cast<float*>(scratch);
            return [=, x = m.in<T>(op.input), y = m.out<T>(op.output), gamma = m.data(op.gamma),
                    beta = m.data(op.beta), mean = m.data(op.moving_mean),
                    variance = m.data(op.moving_variance)] {
              passes::inference_coefficients(channels, mean, variance, gamma, beta, epsilon,
                                             coefficients);
              passes::normalize_relu(x, coefficients, y, threads);
            };
          },
          coefficient_bytes(channels));
    });
  }

  PlannedStage operator()(const NormalizeReluReduce& op) const {
    const std::int64_t channels = channels_of(op.input);
    ScratchSpace space;
    const std::int64_t own = space.reserve(coefficient_bytes(channels));
    const std::int64_t sums =
        space.reserve(passes::reduction_scratch_bytes(formats_[op.input].shape));
    return with_storage(formats_[op.input], [&]<class T>() {
      return stage_of(
          [=, threads = threads_, epsilon = program_.batch_norm.epsilon](
              const Memory& m, std::byte* scratch) -> Call {
            float* coefficients = reinterpret_cast<float*>(scratch + own);
            return
                [=, x = m.in<T>(op.input), dy = m.in<T>(op.grad_output), gamma = m.data(op.gamma),
                 beta = m.data(op.beta), statistics = m.reduction(op.statistics),
                 grad_gamma = m.data(op.grad_gamma), grad_beta = m.data(op.grad_beta)] {
                  passes::forward_coefficients(channels, statistics, gamma, beta, epsilon,
                                               coefficients);
                  passes::normalize_relu_reduce(x, dy, coefficients, grad_gamma, grad_beta,
                                                scratch + sums, threads);
                };
          },
          space.bytes());
    });
  }

  PlannedStage operator()(const NormalizeReluApply& op) const {
    const std::int64_t channels = channels_of(op.input);
    return with_storage(formats_[op.input], [&]<class T>() {
      return stage_of(
          [=, threads = threads_, epsilon = program_.batch_norm.epsilon](
              const Memory& m, std::byte* scratch) -> Call {
            float* coefficients = reinterpret_cast<float*>(scratch);
            return [=, x = m.in<T>(op.input), dy = m.in<T>(op.grad_output),
                    gamma = m.data(op.gamma), beta = m.data(op.beta),
                    statistics = m.reduction(op.statistics), grad_gamma = m.data(op.grad_gamma),
                    grad_beta = m.data(op.grad_beta), dx = m.out<T>(op.grad_input)] {
              passes::forward_coefficients(channels, statistics, gamma, beta, epsilon,
                                           coefficients);
              passes::backward_coefficients(channels, statistics[0], grad_gamma, grad_beta,
                                            coefficients);
              passes::normalize_relu_apply(x, dy, coefficients, dx, threads);
            };
          },
          coefficient_bytes(channels));
    });
  }

  PlannedStage operator()(const MaxPool& op) const {
    return with_storage(formats_[op.input], [&]<class T>() {
      return stage_of([op, threads = threads_](const Memory& m, std::byte*) -> Call {
        return [=, x = m.in<T>(op.input), y = m.out<T>(op.output)] {
          passes::max_pool(x, y, threads);
        };
      });
    });
  }

  PlannedStage operator()(const MaxPoolBackward& op) const {
    return with_storage(formats_[op.input], [&]<class T>() {
      if (stage_.ops.size() == 1) {
        return stage_of([op, threads = threads_](const Memory& m, std::byte*) -> Call {
          return [=, x = m.in<T>(op.input), dy = m.in<T>(op.grad_output),
                  dx = m.out<T>(op.grad_input)] { passes::max_pool_backward(x, dy, dx, threads); };
        });
      }
      const auto& add = std::get<Add>(last().kind);
      const TensorId other = add.first == op.grad_input ? add.second : add.first;
      return stage_of([=, sum = add.sum, threads = threads_](const Memory& m, std::byte*) -> Call {
        return [=, x = m.in<T>(op.input), dy = m.in<T>(op.grad_output), more = m.in<T>(other),
                dx = m.out<T>(sum)] { passes::max_pool_backward_add(x, dy, more, dx, threads); };
      });
    });
  }

  PlannedStage operator()(const Concat& op) const {
    return join({op.first, op.second}, op.output,
                [](const auto& part, const auto& whole) { return std::pair(part, whole); });
  }

  PlannedStage operator()(const Split& op) const {
    return join({op.grad_first, op.grad_second}, op.grad_output,
                [](const auto& part, const auto& whole) { return std::pair(whole, part); });
  }

  PlannedStage operator()(const Add& op) const {
    return with_storage(formats_[op.first], [&]<class T>() {
      return stage_of([op, threads = threads_](const Memory& m, std::byte*) -> Call {
        return [=, a = m.in<T>(op.first), b = m.in<T>(op.second), y = m.out<T>(op.sum)] {
          passes::add(a, b, y, threads);
        };
      });
    });
  }

  PlannedStage operator()(const Sigmoid& op) const { return predict(op.input, op.output, false); }
  PlannedStage operator()(const Softmax& op) const { return predict(op.input, op.output, true); }

  PlannedStage operator()(const DiceSums& op) const {
    const PredictionShape shape = prediction_shape(program_, op.prediction);
    return stage_of(
        [=, threads = threads_](const Memory& m, std::byte* scratch) -> Call {
          return [=, p = m.data(op.prediction), t = m.data(op.target), s = m.reduction(op.sums)] {
            passes::dice_sums<float>(shape, p, t, s, scratch, threads);
          };
        },
        passes::dice_scratch_bytes(shape));
  }

  PlannedStage operator()(const DiceLoss& op) const {
    const Shape& shape = program_.tensor(op.sums).shape;
    return stage_of([op, rows = shape[0] * shape[1]](const Memory& m, std::byte*) -> Call {
      return [=, sums = m.reduction(op.sums), loss = m.reduction(op.loss),
              coefficients = m.reduction(op.gradient_coefficients)] {
        passes::dice_loss(rows, sums, loss, coefficients);
      };
    });
  }

  PlannedStage operator()(const DiceGradient& op) const {
    if (stage_.ops.size() == 1) {
      const std::int64_t count = elements(program_.tensor(op.target).shape);
      return stage_of([=, threads = threads_](const Memory& m, std::byte*) -> Call {
        return [=, t = m.data(op.target), c = m.reduction(op.gradient_coefficients),
                g = m.data(op.grad_prediction)] {
          passes::dice_gradient<float>(count, t, c, g, threads);
        };
      });
    }
    const bool is_softmax = std::holds_alternative<SoftmaxBackward>(last().kind);
    const TensorId output = operands(last()).reads.front();
    const TensorId grad_logits = operands(last()).writes.front();
    const PredictionShape shape = prediction_shape(program_, output);
    return stage_of([=, threads = threads_](const Memory& m, std::byte*) -> Call {
      return [=, p = m.data(output), t = m.data(op.target),
              c = m.reduction(op.gradient_coefficients), g = m.data(grad_logits)] {
        passes::predict_dice_backward<float>(shape, is_softmax, p, t, c, g, threads);
      };
    });
  }

  PlannedStage operator()(const SigmoidBackward& op) const {
    return predict_backward(op.output, op.grad_output, op.grad_input, false);
  }
  PlannedStage operator()(const SoftmaxBackward& op) const {
    return predict_backward(op.output, op.grad_output, op.grad_input, true);
  }

  PlannedStage operator()(const AdvanceIteration& op) const {
    return stage_of([op](const Memory& m, std::byte*) -> Call {
      return [iteration = m.data(op.iteration)] { *iteration += 1.0F; };
    });
  }

  // The arrays of all parameters lie one after the other, those of gradients, m and v likewise
  // (memory_layout.h): one pass over all of them.
  PlannedStage operator()(const Adam& op) const {
    const auto& end = std::get<Adam>(last().kind);
    const std::int64_t last_elements = padded_elements(end.parameter);
    return stage_of([=, threads = threads_, settings = program_.adam](const Memory& m,
                                                                      std::byte*) -> Call {
      const std::int64_t count = m.data(end.parameter) - m.data(op.parameter) + last_elements;
      return [=, iteration = m.data(op.iteration), gradient = m.data(op.gradient),
              parameter = m.data(op.parameter), moment = m.data(op.m), variance = m.data(op.v)] {
        const double step_size = adam_step_size(settings, static_cast<double>(*iteration));
        passes::adam(count, settings, step_size, gradient, parameter, moment, variance, threads);
      };
    });
  }

  PlannedStage operator()(const UpdateMovingStatistics&) const {
    std::vector<UpdateMovingStatistics> all;
    all.reserve(stage_.ops.size());
    for (const OpId id : stage_.ops) {
      all.push_back(
          std::get<UpdateMovingStatistics>(program_.ops[static_cast<std::size_t>(id)].kind));
    }
    return stage_of([all, &program = program_](const Memory& m, std::byte*) -> Call {
      struct Update {
        std::int64_t channels;
        const double* statistics;
        float *mean, *variance;
      };
      std::vector<Update> updates;
      updates.reserve(all.size());
      for (const UpdateMovingStatistics& op : all) {
        updates.push_back({elements(program.tensor(op.moving_mean).shape),
                           m.reduction(op.statistics), m.data(op.moving_mean),
                           m.data(op.moving_variance)});
      }
      return [updates, momentum = program.batch_norm.momentum] {
        for (const Update& u : updates) {
          passes::update_moving_statistics(u.channels, u.statistics, momentum, u.mean, u.variance);
        }
      };
    });
  }

  template <class Other>
  PlannedStage operator()(const Other&) const {
    constexpr bool kIsConvolution = std::is_same_v<Other, Convolution> ||
                                    std::is_same_v<Other, ConvolutionBackwardData> ||
                                    std::is_same_v<Other, ConvolutionBackwardWeights> ||
                                    std::is_same_v<Other, TransposedConvolution> ||
                                    std::is_same_v<Other, TransposedConvolutionBackwardData> ||
                                    std::is_same_v<Other, TransposedConvolutionBackwardWeights>;
    static_assert(kIsConvolution || kUnexpected<Other>, "an op without a pass");
    throw_internal("onednn: {} is not a pass", op_name(last()));
  }

 private:
  // Copies between the parts of a concatenation and the whole; what shares memory is there already.
  // direct(part, whole) tells the copy's source and destination.
  template <class Direct>
  PlannedStage join(std::array<TensorId, 2> parts, TensorId whole, Direct direct) const {
    return with_storage(formats_[whole], [&]<class T>() {
      return stage_of([=, *this](const Memory& m, std::byte*) -> Call {
        std::vector<std::pair<passes::View<T>, passes::View<T>>> copies;
        std::int64_t first_channel = 0;
        for (const TensorId part : parts) {
          const passes::View<T> view = m.out<T>(part);
          const passes::View<T> inside = channels_in(m.out<T>(whole), view.shape, first_channel);
          if (inside.data != view.data) {
            copies.push_back(direct(view, inside));
          }
          first_channel += channels_of(part);
        }
        return [copies, threads = threads_] {
          for (const auto& [from, to] : copies) {
            passes::copy<T>(
                {from.data, from.shape, from.voxel_stride, from.panel_stride, from.sample_stride},
                to, threads);
          }
        };
      });
    });
  }

  // The channels of `whole` from the first on that `part` takes.
  template <class T>
  static passes::View<T> channels_in(passes::View<T> whole, const passes::PanelShape& part,
                                     std::int64_t first_channel) {
    whole.data +=
        first_channel / whole.shape.width * whole.panel_stride + first_channel % whole.shape.width;
    whole.shape = part;
    return whole;
  }

  PlannedStage predict(TensorId logits, TensorId prediction, bool is_softmax) const {
    const PredictionShape shape = prediction_shape(program_, prediction);
    if (stage_.ops.size() == 1) {
      return stage_of([=, threads = threads_](const Memory& m, std::byte*) -> Call {
        return [=, x = m.data(logits), y = m.data(prediction)] {
          passes::predict<float>(shape, is_softmax, x, y, threads);
        };
      });
    }
    const auto& dice = std::get<DiceSums>(last().kind);
    return stage_of(
        [=, target = dice.target, sums = dice.sums, threads = threads_](
            const Memory& m, std::byte* scratch) -> Call {
          return [=, x = m.data(logits), y = m.data(prediction), t = m.data(target),
                  s = m.reduction(sums)] {
            passes::predict_dice_sums<float>(shape, is_softmax, x, t, y, s, scratch, threads);
          };
        },
        passes::dice_scratch_bytes(shape));
  }

  PlannedStage predict_backward(TensorId prediction, TensorId grad_prediction, TensorId grad_logits,
                                bool is_softmax) const {
    const PredictionShape shape = prediction_shape(program_, prediction);
    return stage_of([=, threads = threads_](const Memory& m, std::byte*) -> Call {
      return [=, y = m.data(prediction), dy = m.data(grad_prediction), dx = m.data(grad_logits)] {
        passes::predict_backward<float>(shape, is_softmax, y, dy, dx, threads);
      };
    });
  }

  const Op& last() const { return program_.ops[static_cast<std::size_t>(stage_.ops.back())]; }
  std::int64_t channels_of(TensorId id) const { return program_.tensor(id).shape.back(); }
  std::int64_t padded_elements(TensorId parameter) const {
    return stored_bytes(context_, parameter) / std::int64_t{sizeof(float)};
  }
  static std::int64_t coefficient_bytes(std::int64_t channels) {
    return passes::kCoefficientRows * channels * std::int64_t{sizeof(float)};
  }

  const Program& program_;
  const Formats& formats_;
  const Context& context_;
  StageOps stage_;  // a copy: the call outlives what it was made for
  int threads_;
};

}  // namespace

PlannedStage plan_passes(const Context& context, const StageOps& stage) {
  const Op& first = context.program.ops[static_cast<std::size_t>(stage.ops.front())];
  return std::visit(Passes(context, stage), first.kind);
}

}  // namespace voxmark::onednn
