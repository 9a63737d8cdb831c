#include "backends/onednn/kernels/formats.h"

#include <algorithm>
#include <map>
#include <set>

#include "backends/onednn/kernels/pointwise.h"
#include "backends/onednn/kernels/stages.h"

namespace voxmark::onednn {
namespace {

bool is_image(TensorRole role) {
  return role == TensorRole::input || role == TensorRole::target ||
         role == TensorRole::activation || role == TensorRole::gradient;
}

// Predictions, logits, their target and gradients: few channels, wanted voxel by voxel.
std::set<TensorId> prediction_tensors(const Program& program) {
  std::set<TensorId> result;
  for (const Op& op : program.ops) {
    if (is_prediction_op(op)) {
      const Operands ids = operands(op);
      for (const TensorList& list : {ids.reads, ids.writes}) {
        for (const TensorId id : list) {
          if (is_image(program.tensor(id).role)) {
            result.insert(id);
          }
        }
      }
    }
  }
  return result;
}

bool touches(const Operands& ids, const std::set<TensorId>& tensors) {
  const auto is_among = [&](TensorId id) { return tensors.contains(id); };
  return std::any_of(ids.reads.begin(), ids.reads.end(), is_among) ||
         std::any_of(ids.writes.begin(), ids.writes.end(), is_among);
}

}  // namespace

std::string LayoutChoice::name() const {
  return block == 0 ? "ndhwc" : "nCdhw" + std::to_string(block) + "c";
}

LayoutChoice choose_layout(const Program& program, std::int64_t block) {
  const LayoutChoice channels_last;
  if (block == 0) {
    return channels_last;
  }
  const std::set<TensorId> predictions = prediction_tensors(program);
  for (const Op& op : program.ops) {
    const auto* convolution = std::get_if<Convolution>(&op.kind);
    const Operands ids = operands(op);
    for (const TensorList& list : {ids.reads, ids.writes}) {
      for (const TensorId id : list) {
        const TensorInfo& tensor = program.tensor(id);
        if (!is_image(tensor.role) || predictions.contains(id)) {
          continue;
        }
        const bool reads_the_image = std::holds_alternative<Convolution>(op.kind) ||
                                     std::holds_alternative<ConvolutionBackwardWeights>(op.kind);
        const bool is_blocked =
            tensor.role != TensorRole::input && tensor.shape.back() % block == 0;
        const bool is_first = tensor.role == TensorRole::input && reads_the_image;
        if (!is_blocked && !is_first) {
          return channels_last;
        }
      }
    }
    if (!is_prediction_op(op) && !is_convolution_op(op) && touches(ids, predictions)) {
      return channels_last;
    }
    // Logits stay channels last: only the 1x1x1 convolution of our own makes them from blocks.
    if (convolution != nullptr && predictions.contains(convolution->output) &&
        (!is_pointwise(program, *convolution) || convolution->input == program.input)) {
      return channels_last;
    }
    if (convolution != nullptr && predictions.contains(convolution->input)) {
      return channels_last;
    }
  }
  return {block};
}

Formats::Formats(const Program& program, const LayoutChoice& layout, Precision precision,
                 std::span<const TensorId> readable)
    : layout_(layout), formats_(program.tensors.size()) {
  choose_shapes(program, precision);
  share_concatenations(program);
  run_in_place(program, readable);
}

void Formats::choose_shapes(const Program& program, Precision precision) {
  const std::set<TensorId> predictions = prediction_tensors(program);
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorInfo& tensor = program.tensors[i];
    TensorFormat& format = formats_[i];
    const TensorId id = static_cast<TensorId>(i);
    format.root = id;
    if (!is_image(tensor.role)) {
      continue;
    }
    format.is_bf16 = precision == Precision::bf16 && !predictions.contains(id);
    const Shape& s = tensor.shape;
    const std::int64_t block = layout_.block, channels = s[4];
    if (block == 0 || predictions.contains(id)) {
      format.shape = passes::channels_last(s[0], s[1], s[2], s[3], channels);
    } else if (channels == 1) {
      // Kernels for one-channel images want ncdhw in blocked networks.
      format.shape = passes::blocked(s[0], s[1], s[2], s[3], channels, 1);
      format.is_flat = true;
    } else {
      const std::int64_t padded = (channels + block - 1) / block * block;
      format.shape = passes::blocked(s[0], s[1], s[2], s[3], padded, block);
    }
  }
}

// The parts of a concatenation live in it where only passes of our own touch them: oneDNN takes no
// tensors with gaps.
void Formats::share_concatenations(const Program& program) {
  std::map<TensorId, int> uses_without_gaps, concat_uses;
  std::set<TensorId> wholes;
  for (const Op& op : program.ops) {
    const bool is_concat = std::holds_alternative<Concat>(op.kind);
    const bool takes_gaps =
        is_concat || std::holds_alternative<Split>(op.kind) || runs_on_views(op);
    const Operands ids = operands(op);
    for (const TensorList& list : {ids.reads, ids.writes}) {
      for (const TensorId id : list) {
        uses_without_gaps[id] += takes_gaps ? 0 : 1;
        concat_uses[id] += is_concat ? 1 : 0;
      }
    }
    if (const auto* concat = std::get_if<Concat>(&op.kind)) {
      wholes.insert(concat->output);
    } else if (const auto* split = std::get_if<Split>(&op.kind)) {
      wholes.insert(split->grad_output);
    }
  }
  const auto share = [&](TensorId part, TensorId whole, std::int64_t first_channel) {
    TensorFormat& format = formats_[static_cast<std::size_t>(part)];
    if (uses_without_gaps[part] == 0 && concat_uses[part] <= 1 && !wholes.contains(part) &&
        program.tensor(part).role != TensorRole::input) {
      format.root = whole;
      format.first_channel = first_channel;
    }
  };
  for (const Op& op : program.ops) {
    if (const auto* concat = std::get_if<Concat>(&op.kind)) {
      share(concat->first, concat->output, 0);
      share(concat->second, concat->output, program.tensor(concat->first).shape.back());
    } else if (const auto* split = std::get_if<Split>(&op.kind)) {
      share(split->grad_first, split->grad_output, 0);
      share(split->grad_second, split->grad_output, program.tensor(split->grad_first).shape.back());
    }
  }
}

// Batch norm's input gradient takes the place of its output gradient.
void Formats::run_in_place(const Program& program, std::span<const TensorId> readable) {
  std::map<TensorId, int> readers;
  std::set<TensorId> roots_of_others;
  for (const Op& op : program.ops) {
    for (const TensorId id : operands(op).reads) {
      ++readers[id];
    }
  }
  for (std::size_t i = 0; i < formats_.size(); ++i) {
    if (formats_[i].root != static_cast<TensorId>(i)) {
      roots_of_others.insert(formats_[i].root);
    }
  }
  constexpr int kReduceAndApply = 2;
  for (const Op& op : program.ops) {
    const auto* apply = std::get_if<NormalizeReluApply>(&op.kind);
    if (apply == nullptr) {
      continue;
    }
    TensorFormat& input = formats_[static_cast<std::size_t>(apply->grad_input)];
    const TensorId output = apply->grad_output;
    const bool is_read_later =
        readers[output] > kReduceAndApply ||
        std::find(readable.begin(), readable.end(), output) != readable.end();
    if (!is_read_later && input.root == apply->grad_input && (*this)[output].root == output &&
        !roots_of_others.contains(apply->grad_input)) {
      input.root = output;
      roots_of_others.insert(output);
    }
  }
}

}  // namespace voxmark::onednn
