#include "tools/voxmark/layer_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "backends/plan/keeps_everything.h"
#include "base/number_text.h"
#include "results/tables/table.h"

namespace voxmark {
namespace {

const char* keras_name(LayerKind kind) {
  switch (kind) {
    case LayerKind::input:
      return "InputLayer";
    case LayerKind::convolution:
      return "Conv3D";
    case LayerKind::batch_norm_relu:
      return "BatchNorm, ReLU";
    case LayerKind::max_pool:
      return "MaxPooling3D";
    case LayerKind::transposed_convolution:
      return "Conv3DTranspose";
    case LayerKind::concat:
      return "Concatenate";
    case LayerKind::sigmoid:
      return "Sigmoid";
    case LayerKind::softmax:
      return "Softmax";
  }
  return "";
}

std::string type_of(const LayerBytes& row) { return row.facts ? keras_name(row.facts->kind) : ""; }

// Without the batch, which is every row's.
std::string output_of(const LayerBytes& row) {
  if (!row.facts) {
    return "";
  }
  const Shape& output = row.facts->output;
  return fmt::format("{}", fmt::join(output.begin() + 1, output.end(), "x"));
}

std::string flops_text(std::int64_t flops) {
  if (flops == 0) {
    return "";
  }
  constexpr double kTera = 1e12, kGiga = 1e9, kMega = 1e6;
  const double value = static_cast<double>(flops);
  return value >= kTera   ? significant(value / kTera, 3) + " T"
         : value >= kGiga ? significant(value / kGiga, 3) + " G"
                          : significant(value / kMega, 3) + " M";
}

std::string bytes_or_blank(std::int64_t bytes) { return bytes == 0 ? "" : bytes_text(bytes); }

double share_of(const LayerBytes& row, const PlanByLayer& plan) {
  return plan.total_bytes == 0
             ? 0
             : static_cast<double>(row.total()) / static_cast<double>(plan.total_bytes);
}

std::string share_text(double share) { return fmt::format("{:.1f}%", 100 * share); }

struct Sums {
  std::int64_t parameters = 0, forward_flops = 0, backward_flops = 0;
  std::int64_t forward = 0, backward = 0, weights = 0, other = 0, kept = 0;
};

Sums sums_of(const PlanByLayer& plan) {
  Sums sums;
  for (const LayerBytes& row : plan.rows) {
    if (row.facts) {
      sums.parameters += row.facts->parameters();
      sums.forward_flops += row.facts->forward_flops;
      sums.backward_flops += row.facts->backward_flops;
    }
    sums.forward += row.forward;
    sums.backward += row.backward;
    sums.weights += row.weights;
    sums.other += row.other;
    sums.kept += row.kept;
  }
  return sums;
}

Json keeping_json(const LayerBytes& row) {
  return row.keeping == Keeping::not_kept ? Json() : Json(to_string(row.keeping));
}

Json row_json(const LayerBytes& row, const PlanByLayer& plan) {
  Json json = {{"layer", row.layer}};
  json["type"] = row.facts ? Json(type_of(row)) : Json();
  json["output"] = row.facts ? Json(row.facts->output) : Json();
  json["parameters"] = row.facts ? row.facts->parameters() : 0;
  json["forward_flops"] = row.facts ? row.facts->forward_flops : 0;
  json["backward_flops"] = row.facts ? row.facts->backward_flops : 0;
  json["forward_bytes"] = row.forward;
  json["backward_bytes"] = row.backward;
  json["weight_bytes"] = row.weights;
  json["other_bytes"] = row.other;
  json["total_bytes"] = row.total();
  json["share"] = share_of(row, plan);
  json["held"] = keeping_json(row);
  json["lies_in"] = row.lies_in.empty() ? Json() : Json(row.lies_in);
  json["kept_bytes"] = row.kept;
  json["output_bytes"] = row.output_bytes;
  json["gradient_bytes"] = row.gradient_bytes;
  return json;
}

Json plan_json(const LayeredPlan& plan) {
  Json layers = Json::array(), buffers = Json::array();
  for (const LayerBytes& row : plan.layers.rows) {
    layers.push_back(row_json(row, plan.layers));
  }
  for (const LayeredBuffer& buffer : plan.layers.buffers) {
    buffers.push_back({{"layer", buffer.layer},
                       {"tensors", buffer.tensors},
                       {"bytes", buffer.bytes},
                       {"first_step", buffer.first_step},
                       {"last_step", buffer.last_step},
                       {"at_peak", buffer.at_peak}});
  }
  const PlanByLayer& own = plan.layers;
  return {{"backend", plan.backend},
          {"planned_bytes", own.total_bytes},
          {"exact", plan.exact},
          {"extra_time_share", plan.extra_time_share},
          {"peak", own.peak_step ? Json{{"step", *own.peak_step},
                                        {"steps", own.steps},
                                        {"op", own.peak_op},
                                        {"layer", own.peak_layer},
                                        {"phase", own.peak_phase}}
                                 : Json()},
          {"layers", std::move(layers)},
          {"buffers", std::move(buffers)}};
}

Table layer_table(const LayeredPlan& plan) {
  Table table{{{"Layer"},
               {"Type", Align::left, true},
               {"Output", Align::left, true},
               {"Param #", Align::right, true},
               {"FLOP fwd", Align::right, true},
               {"FLOP bwd", Align::right, true},
               {"forward", Align::right},
               {"backward", Align::right},
               {"weights", Align::right},
               {"total", Align::right},
               {"share", Align::right},
               {"held", Align::left, true}},
              {},
              1};
  for (const LayerBytes& row : plan.layers.rows) {
    const LayerFacts facts = row.facts.value_or(LayerFacts());
    table.rows.push_back({row.layer, type_of(row), output_of(row),
                          row.facts ? std::to_string(facts.parameters()) : "",
                          flops_text(facts.forward_flops), flops_text(facts.backward_flops),
                          bytes_or_blank(row.forward), bytes_or_blank(row.backward),
                          bytes_or_blank(row.weights), bytes_text(row.total()),
                          share_text(share_of(row, plan.layers)), to_string(row.keeping)});
  }
  const Sums sums = sums_of(plan.layers);
  table.rows.push_back(
      {"sum", "", "", std::to_string(sums.parameters), flops_text(sums.forward_flops),
       flops_text(sums.backward_flops), bytes_text(sums.forward), bytes_text(sums.backward),
       bytes_text(sums.weights), bytes_text(plan.layers.total_bytes), share_text(1), ""});
  return table;
}

std::string layer_heading(const CaseSpec& spec, const LayeredPlan& plan) {
  const PlanByLayer& own = plan.layers;
  std::string text =
      fmt::format("{}: a step of {} of {} in {} takes {} ({} bytes){}\n", plan.backend,
                  counted(spec.batch, "image"), to_string(spec.image), to_string(spec.precision),
                  bytes_text(own.total_bytes), own.total_bytes, plan.exact ? "" : ", estimated");
  if (own.peak_step) {
    text += fmt::format("Bytes in use at the peak, in the {} pass: {} ({}), step {} of {}.\n",
                        own.peak_phase, own.peak_layer, own.peak_op, *own.peak_step + 1, own.steps);
  } else {
    text += "Bytes in use when the step ends: nothing was given back.\n";
  }
  return text;
}

std::string layer_legend(const LayeredPlan& plan) {
  const PlanByLayer& own = plan.layers;
  const Sums sums = sums_of(own);
  const Shape& image = own.rows.front().facts->output;  // the input's
  const std::int64_t voxels = elements(image) / image.back();
  std::string text = fmt::format(
      "forward: outputs, statistics, and the batch. backward: gradients of outputs. weights: "
      "parameters, their gradients and Adam's state. FLOP: nominal, {} per voxel of an image and "
      "step, multiply-adds as 2.\n",
      (sums.forward_flops + sums.backward_flops) / voxels);
  if (plan.backend == kKeepsEverything) {
    text +=
        "Assumed: memory of its own for every output (batch norm's apart from ReLU's) and for "
        "every gradient of one; where two layers read an output, a gradient from each and their "
        "sum; no scratch, no copies.\n";
  } else {
    text += fmt::format(
        "held: kept for the backward pass ({} in all), again: dropped and computed again, part: "
        "in the memory of a concatenation. workspace: scratch at the peak. gaps: between buffers, "
        "each placed once for its life.\n",
        bytes_text(sums.kept));
  }
  return text + fmt::format("Without weights: {} bytes per voxel of an image.\n",
                            (own.total_bytes - sums.weights) / voxels);
}

// Lines of text, each folded where it is too long.
std::string folded_lines(const std::string& text, std::size_t columns) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    result += fmt::format("{}\n", fmt::join(folded(line, columns), "\n"));
  }
  return result;
}

}  // namespace

std::string layer_text(const CaseSpec& spec, const LayeredPlan& plan,
                       std::optional<std::size_t> terminal_columns) {
  constexpr std::size_t kReadable = 120;  // the table of the paper's step is as wide
  const std::size_t columns = std::min(terminal_columns.value_or(kReadable), kReadable);
  const Table table = layer_table(plan);
  return fmt::format(
      "{}\n{}\n{}", folded_lines(layer_heading(spec, plan), columns),
      terminal_columns ? render_within(table, *terminal_columns) : render_text(table),
      folded_lines(layer_legend(plan), columns));
}

std::string layer_csv(std::span<const LayeredPlan> plans) {
  std::string text =
      "backend,layer,type,output,parameters,forward_flops,backward_flops,forward_bytes,"
      "backward_bytes,weight_bytes,other_bytes,total_bytes,share,held,lies_in,kept_bytes,"
      "output_bytes,gradient_bytes\n";
  for (const LayeredPlan& plan : plans) {
    for (const LayerBytes& row : plan.layers.rows) {
      const LayerFacts facts = row.facts.value_or(LayerFacts());
      text += fmt::format("{},{},\"{}\",{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                          plan.backend, row.layer, type_of(row), output_of(row), facts.parameters(),
                          facts.forward_flops, facts.backward_flops, row.forward, row.backward,
                          row.weights, row.other, row.total(), share_of(row, plan.layers),
                          to_string(row.keeping), row.lies_in, row.kept, row.output_bytes,
                          row.gradient_bytes);
    }
  }
  return text;
}

Json layer_json(const CaseSpec& spec, std::span<const LayeredPlan> plans) {
  Json all = Json::array();
  for (const LayeredPlan& plan : plans) {
    all.push_back(plan_json(plan));
  }
  return {{"schema", "voxmark.plan-by-layer/1"},
          {"image", {spec.image.d, spec.image.h, spec.image.w}},
          {"batch", spec.batch},
          {"filters", spec.network.filters},
          {"channels", spec.network.input_channels},
          {"classes", spec.network.classes},
          {"precision", to_string(spec.precision)},
          {"plans", std::move(all)}};
}

}  // namespace voxmark
