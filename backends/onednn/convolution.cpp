#include "backends/onednn/convolution.h"

#include <memory>
#include <optional>

#include "backends/onednn/kernels/blocked_weights.h"
#include "backends/onednn/kernels/compat.h"
#include "backends/onednn/kernels/pointwise.h"
#include "backends/onednn/kernels/primitives.h"
#include "backends/onednn/kernels/winograd.h"
#include "backends/onednn/one_channel.h"

namespace voxmark::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using DataType = dnnl::memory::data_type;
constexpr auto kFloat = DataType::f32;

bool is_reference(const std::string& implementation) { return implementation.rfind("ref", 0) == 0; }

std::int64_t bytes_of(const Desc& desc) { return static_cast<std::int64_t>(desc.get_size()); }

// Of an activation in the layout that the backend gave it.
Tag tag_of(const TensorFormat& format, const LayoutChoice& layout) {
  if (format.is_flat) {
    return Tag::ncdhw;
  }
  if (layout.block != 0 && format.shape.width == layout.block) {
    return layout.block == 16 ? Tag::nCdhw16c : Tag::nCdhw8c;
  }
  return Tag::ndhwc;
}

DataType type_of(const TensorFormat& format) {
  return format.is_bf16 ? DataType::bf16 : DataType::f32;
}

Desc image_desc(const Program& program, TensorId id, DataType type, Tag tag) {
  const Shape& s = program.tensor(id).shape;
  return Desc({s[0], s[4], s[1], s[2], s[3]}, type, tag);
}

Desc any_weights(const Shape& k, DataType type) {
  return Desc({k[4], k[3], k[0], k[1], k[2]}, type, Tag::any);
}

// A convolution of a program with every layout fixed but that of the weights, which have the type
// of the source: bf16 kernels are rounded from the fp32 parameter for every step. With `type`: on
// copies of that type.
ConvolutionDescs describe(const Program& program, const Formats& formats, TensorId source,
                          TensorId kernel, TensorId destination,
                          std::optional<DataType> type = std::nullopt) {
  const Shape& k = program.tensor(kernel).shape;
  const std::int64_t padding = k[0] / 2;
  ConvolutionDescs descs;
  const auto desc_of = [&](TensorId id) {
    return image_desc(program, id, type.value_or(type_of(formats[id])),
                      tag_of(formats[id], formats.layout()));
  };
  descs.source = desc_of(source);
  descs.destination = desc_of(destination);
  descs.weights = any_weights(k, type.value_or(type_of(formats[source])));
  descs.bias = Desc({k[4]}, kFloat, Tag::a);
  descs.padding = {padding, padding, padding};
  return descs;
}

// The same convolution on other layouts of source and destination.
ConvolutionDescs in_layout(const ConvolutionDescs& descs, const Context& context, TensorId source,
                           TensorId destination, Tag tag) {
  ConvolutionDescs other = descs;
  other.source = image_desc(context.program, source, data_type_of(descs.source), tag);
  other.destination =
      image_desc(context.program, destination, data_type_of(descs.destination), tag);
  return other;
}

// A primitive descriptor and the layouts that it runs on.
template <class PrimitiveDesc>
struct Choice {
  ConvolutionDescs descs;
  PrimitiveDesc primitive;
};

// The first layout for which `make` gives more than a reference loop: the tensors' own, channels
// last, channels first. Their own if there is none.
template <class Make>
auto choose(const Context& context, const ConvolutionDescs& own, TensorId source,
            TensorId destination, Make make) {
  using PrimitiveDesc = decltype(*make(own));
  std::optional<Choice<std::decay_t<PrimitiveDesc>>> fallback;
  const auto attempt = [&](const ConvolutionDescs& descs) {
    const auto made = make(descs);
    if (made && (!fallback || (is_reference(fallback->primitive.impl_info_str()) &&
                               !is_reference(made->impl_info_str())))) {
      fallback.emplace(Choice<std::decay_t<PrimitiveDesc>>{descs, *made});
    }
    return fallback && !is_reference(fallback->primitive.impl_info_str());
  };
  static_cast<void>(attempt(own) ||
                    attempt(in_layout(own, context, source, destination, Tag::ndhwc)) ||
                    attempt(in_layout(own, context, source, destination, Tag::ncdhw)));
  if (!fallback) {
    throw_internal("onednn: no implementation of a convolution of {} to {}",
                   context.program.tensor(source).name, context.program.tensor(destination).name);
  }
  return *fallback;
}

template <class Function>
auto if_implemented(Function make) -> std::optional<decltype(make())> {
  try {
    return make();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented || error.status == dnnl_invalid_arguments) {
      return std::nullopt;
    }
    throw;
  }
}

auto choose_forward(const Context& context, const Convolution& op) {
  const ConvolutionDescs own =
      describe(context.program, context.formats, op.input, op.kernel, op.output);
  return choose(context, own, op.input, op.output, [&](const ConvolutionDescs& descs) {
    return if_implemented([&] { return forward_desc(context.engine, descs); });
  });
}

// The gradient of fp32 parameters: `weights` is its layout, that of the forward kernel in `descs`
// is left to oneDNN.
auto make_backward_weights(const Context& context, const ConvolutionDescs& descs,
                           const Desc& weights) {
  const auto hint = if_implemented([&] { return forward_desc(context.engine, descs); });
  using Made = std::optional<dnnl::convolution_backward_weights::primitive_desc>;
  if (!hint) {
    return Made{};
  }
  ConvolutionDescs fixed = descs;
  fixed.weights = weights;
  return if_implemented([&] { return backward_weights_desc(context.engine, fixed, *hint); });
}

auto choose_backward_weights(const Context& context, const ConvolutionBackwardWeights& op) {
  const ConvolutionDescs own =
      describe(context.program, context.formats, op.input, op.grad_kernel, op.grad_output);
  const Desc any = any_weights(context.program.tensor(op.grad_kernel).shape, kFloat);
  return choose(context, own, op.input, op.grad_output, [&](const ConvolutionDescs& descs) {
    return make_backward_weights(context, descs, any);
  });
}

// An argument of a primitive: in its own memory, or in scratch with a reorder before or after.
class Reordering {
 public:
  Reordering(const Desc& stored, const Desc& used, ScratchSpace& scratch)
      : stored_(stored), used_(used), is_needed_(stored != used) {
    offset_ = is_needed_ ? scratch.reserve(bytes_of(used)) : 0;
  }

  bool is_needed() const { return is_needed_; }

  Primitives::Argument argument(int index, void* data, std::byte* scratch) const {
    return {index, used_, is_needed_ ? scratch + offset_ : data};
  }
  void before(Primitives& list, const dnnl::engine& engine, void* data, std::byte* scratch) const {
    if (is_needed_) {
      reorder(list, engine, {DNNL_ARG_FROM, stored_, data},
              {DNNL_ARG_TO, used_, scratch + offset_});
    }
  }
  void after(Primitives& list, const dnnl::engine& engine, void* data, std::byte* scratch) const {
    if (is_needed_) {
      reorder(list, engine, {DNNL_ARG_FROM, used_, scratch + offset_},
              {DNNL_ARG_TO, stored_, data});
    }
  }

 private:
  static void reorder(Primitives& list, const dnnl::engine& engine,
                      const Primitives::Argument& from, const Primitives::Argument& to) {
    list.add(dnnl::reorder(dnnl::reorder::primitive_desc(engine, from.desc, engine, to.desc)),
             {from, to});
  }

  Desc stored_, used_;
  bool is_needed_;
  std::int64_t offset_;
};

// Where a convolution's primitive finds its operands, and what it needs of scratch.
struct Placement {
  // `stored_weights`: the layout of the parameter or its gradient, `used_weights` the primitive's.
  template <class PrimitiveDesc>
  Placement(const ConvolutionDescs& own, const Choice<PrimitiveDesc>& choice,
            const Desc& stored_weights, const Desc& used_weights)
      : scratch(),
        implementation(choice.primitive.impl_info_str()),
        scratchpad(choice.primitive.scratchpad_desc()),
        scratchpad_offset(scratch.reserve(bytes_of(scratchpad))),
        source(own.source, choice.descs.source, scratch),
        weights(stored_weights, used_weights, scratch),
        destination(own.destination, choice.descs.destination, scratch) {}

  // All but `bind`.
  PlannedStage planned() const {
    PlannedStage planned;
    planned.scratch_bytes = scratch.bytes();
    planned.implementation = implementation;
    if (source.is_needed() || destination.is_needed()) {
      planned.implementation += " between reorders";
    }
    planned.isa = isa_in_use().name;
    return planned;
  }

  Primitives::Argument scratchpad_argument(std::byte* base) const {
    return {DNNL_ARG_SCRATCHPAD, scratchpad, base + scratchpad_offset};
  }

  ScratchSpace scratch;
  std::string implementation;
  Desc scratchpad;
  std::int64_t scratchpad_offset;
  Reordering source, weights, destination;
};

Call to_call(Primitives list) {
  // std::function wants copies: share the list.
  return [shared = std::make_shared<Primitives>(std::move(list))] { shared->execute(); };
}

}  // namespace

Desc program_kernel_desc(const Shape& k) {
  return Desc({k[4], k[3], k[0], k[1], k[2]}, kFloat, Tag::dhwio);
}

ParameterFormats choose_parameter_formats(const Context& context) {
  const Program& program = context.program;
  ParameterFormats result;
  for (const Op& op : program.ops) {
    if (const auto* convolution = std::get_if<Convolution>(&op.kind)) {
      if (!is_pointwise(program, *convolution)) {
        result[convolution->kernel] =
            context.formats[convolution->input].is_bf16 ||
                    runs_by_winograd(context, convolution->input, convolution->kernel,
                                     convolution->output)
                ? program_kernel_desc(program.tensor(convolution->kernel).shape)
                : choose_forward(context, *convolution).primitive.weights_desc();
      }
    }
  }
  std::map<TensorId, Desc> bf16_gradients;
  for (const Op& op : program.ops) {
    const auto* weights = std::get_if<ConvolutionBackwardWeights>(&op.kind);
    if (weights != nullptr && context.formats[weights->input].is_bf16 &&
        !runs_by_winograd(context, weights->input, weights->grad_kernel, weights->grad_output) &&
        type_of(context.formats[weights->grad_output]) == DataType::bf16) {
      bf16_gradients[weights->grad_kernel] =
          choose_backward_weights(context, *weights).primitive.diff_weights_desc();
    }
  }
  for (const Op& op : program.ops) {
    if (const auto* adam = std::get_if<Adam>(&op.kind); adam && result.contains(adam->parameter)) {
      if (bf16_gradients.contains(adam->gradient)) {
        result[adam->parameter] = bf16_gradients[adam->gradient];
      }
      result[adam->gradient] = result[adam->m] = result[adam->v] = result[adam->parameter];
    }
  }
  return result;
}

PlannedStage plan_convolution(const Context& context, const Convolution& op) {
  if (runs_by_winograd(context, op.input, op.kernel, op.output)) {
    return plan_winograd(context, op);
  }
  const auto choice = choose_forward(context, op);
  const ConvolutionDescs own =
      describe(context.program, context.formats, op.input, op.kernel, op.output);
  const Placement placed(own, choice, context.parameters.at(op.kernel),
                         choice.primitive.weights_desc());
  PlannedStage planned = placed.planned();
  planned.bind = [=, engine = context.engine](const Memory& memory, std::byte* base) {
    Primitives list(engine);
    placed.source.before(list, engine, memory.bytes(op.input), base);
    placed.weights.before(list, engine, memory.data(op.kernel), base);
    list.add(dnnl::convolution_forward(choice.primitive),
             {placed.source.argument(DNNL_ARG_SRC, memory.bytes(op.input), base),
              placed.weights.argument(DNNL_ARG_WEIGHTS, memory.data(op.kernel), base),
              {DNNL_ARG_BIAS, choice.descs.bias, memory.data(op.bias)},
              placed.destination.argument(DNNL_ARG_DST, memory.bytes(op.output), base),
              placed.scratchpad_argument(base)});
    placed.destination.after(list, engine, memory.bytes(op.output), base);
    return to_call(std::move(list));
  };
  return planned;
}

PlannedStage plan_convolution(const Context& context, const ConvolutionBackwardData& op) {
  if (runs_by_winograd(context, op.grad_input, op.kernel, op.grad_output)) {
    return plan_winograd(context, op);
  }
  const ConvolutionDescs own =
      describe(context.program, context.formats, op.grad_input, op.kernel, op.grad_output);
  const auto choice =
      choose(context, own, op.grad_input, op.grad_output, [&](const ConvolutionDescs& descs) {
        return if_implemented([&] { return backward_data_desc(context.engine, descs); });
      });
  const Placement placed(own, choice, context.parameters.at(op.kernel),
                         choice.primitive.weights_desc());
  PlannedStage planned = placed.planned();
  planned.bind = [=, engine = context.engine](const Memory& memory, std::byte* base) {
    Primitives list(engine);
    placed.destination.before(list, engine, memory.bytes(op.grad_output), base);
    placed.weights.before(list, engine, memory.data(op.kernel), base);
    list.add(dnnl::convolution_backward_data(choice.primitive),
             {placed.source.argument(DNNL_ARG_DIFF_SRC, memory.bytes(op.grad_input), base),
              placed.weights.argument(DNNL_ARG_WEIGHTS, memory.data(op.kernel), base),
              placed.destination.argument(DNNL_ARG_DIFF_DST, memory.bytes(op.grad_output), base),
              placed.scratchpad_argument(base)});
    placed.source.after(list, engine, memory.bytes(op.grad_input), base);
    return to_call(std::move(list));
  };
  return planned;
}

PlannedStage plan_convolution(const Context& context, const ConvolutionBackwardWeights& op) {
  if (runs_by_winograd(context, op.input, op.grad_kernel, op.grad_output)) {
    return plan_winograd(context, op);
  }
  const ConvolutionDescs own =
      describe(context.program, context.formats, op.input, op.grad_kernel, op.grad_output);
  const Desc& stored = context.parameters.at(op.grad_kernel);
  const Desc any = any_weights(context.program.tensor(op.grad_kernel).shape, kFloat);
  const auto make = [&](const ConvolutionDescs& descs) {
    // In the layout of the kernel itself Adam needs no reorder.
    const auto direct = make_backward_weights(context, descs, stored);
    return direct && !is_reference(direct->impl_info_str())
               ? direct
               : make_backward_weights(context, descs, any);
  };
  if (const auto direct = make(own); !direct || is_reference(direct->impl_info_str())) {
    if (context.formats[op.input].is_flat) {
      return plan_one_channel(context, op);
    }
    if (runs_on_blocks(context, op)) {
      return plan_blocked_weights(context, op);
    }
  }
  const TensorFormat& image = context.formats[op.input];
  const bool is_wrong_in_bf16 =
      kNarrowBf16WeightsAreWrong && image.is_bf16 && image.shape.w <= kNarrowImage;
  const ConvolutionDescs used = is_wrong_in_bf16
                                    ? describe(context.program, context.formats, op.input,
                                               op.grad_kernel, op.grad_output, kFloat)
                                    : own;
  const auto choice = choose(context, used, op.input, op.grad_output, make);
  const Placement placed(own, choice, stored, choice.primitive.diff_weights_desc());
  PlannedStage planned = placed.planned();
  planned.bind = [=, engine = context.engine](const Memory& memory, std::byte* base) {
    Primitives list(engine);
    placed.source.before(list, engine, memory.bytes(op.input), base);
    placed.destination.before(list, engine, memory.bytes(op.grad_output), base);
    list.add(dnnl::convolution_backward_weights(choice.primitive),
             {placed.source.argument(DNNL_ARG_SRC, memory.bytes(op.input), base),
              placed.destination.argument(DNNL_ARG_DIFF_DST, memory.bytes(op.grad_output), base),
              placed.weights.argument(DNNL_ARG_DIFF_WEIGHTS, memory.data(op.grad_kernel), base),
              {DNNL_ARG_DIFF_BIAS, choice.descs.bias, memory.data(op.grad_bias)},
              placed.scratchpad_argument(base)});
    placed.weights.after(list, engine, memory.data(op.grad_kernel), base);
    return to_call(std::move(list));
  };
  return planned;
}

}  // namespace voxmark::onednn
