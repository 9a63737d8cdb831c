// voxmark list backends|model|data: what there is to measure, to train and to train on.
#include <fmt/ranges.h>

#include <memory>
#include <string>
#include <vector>

#include "backends/registry/registry.h"
#include "base/json.h"
#include "benches/protocol/peers.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/subcommand.h"
#include "workloads/data_sets/phantom.h"
#include "workloads/network/cost.h"
#include "workloads/network/layer_facts.h"

namespace voxmark {
namespace {

// ---- backends ----

Json backends_json() {
  Json backends = Json::array();
  for (const RegisteredBackend& entry : registered_backends()) {
    const bool built = entry.backend != nullptr;
    backends.push_back(
        {{"name", entry.name},
         {"built", built},
         {"computes", built ? Json(entry.backend->computes()) : Json(nullptr)},
         {"description", built ? Json(std::string(entry.backend->description())) : Json(nullptr)},
         {"missing", built ? Json(nullptr) : Json(entry.missing)}});
  }
  for (const Peer& peer : peers()) {
    const bool installed = peer_command(peer).has_value();
    backends.push_back(
        {{"name", peer.name},
         {"built", installed},
         {"computes", true},
         {"description", peer.description},
         {"missing", installed ? Json(nullptr) : Json("ci/peers " + peer.framework)}});
  }
  return backends;
}

ExitCode list_backends(bool json) {
  const Json backends = backends_json();
  if (json) {
    fmt::print("{}\n", dump_json({{"backends", backends}}, 2));
    return ExitCode::done;
  }
  for (const Json& backend : backends) {
    const auto name = backend["name"].get<std::string>();
    if (backend["built"].get<bool>()) {
      fmt::print("{:<27} {}\n", name, backend["description"].get<std::string>());
    } else {
      fmt::print("{:<27} not here: needs {}\n", name, backend["missing"].get<std::string>());
    }
  }
  return ExitCode::done;
}

// ---- model ----

std::string kind_name(LayerKind kind) {
  switch (kind) {
    case LayerKind::input:
      return "input";
    case LayerKind::convolution:
      return "convolution";
    case LayerKind::batch_norm_relu:
      return "batch norm, ReLU";
    case LayerKind::max_pool:
      return "max pool";
    case LayerKind::transposed_convolution:
      return "transposed convolution";
    case LayerKind::concat:
      return "concat";
    case LayerKind::sigmoid:
      return "sigmoid";
    case LayerKind::softmax:
      return "softmax";
  }
  return "";
}

// 1,234,567
std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t end = digits.size(); end > 3; end -= 3) {
    digits.insert(end - 3, ",");
  }
  return digits;
}

ExitCode list_model(const ModelOptions& options, bool json) {
  const Program program = lower_model(options, Mode::training);
  const std::vector<LayerFacts> layers = layer_facts(unet3d(options.unet), program);
  const ParameterCount parameters = count_parameters(program);
  const std::int64_t voxels = program.images * program.dims.voxels();
  const std::int64_t step_flops = flops(program);
  std::int64_t forward_flops = 0;
  for (const LayerFacts& layer : layers) {
    forward_flops += layer.forward_flops;
  }

  if (json) {
    Json rows = Json::array();
    for (const LayerFacts& layer : layers) {
      rows.push_back({{"name", layer.name},
                      {"kind", kind_name(layer.kind)},
                      {"output_shape", layer.output},
                      {"trainable_parameters", layer.trainable},
                      {"moving_statistics", layer.moving_statistics},
                      {"forward_flops", layer.forward_flops},
                      {"step_flops", layer.step_flops()}});
    }
    fmt::print("{}\n", dump_json({{"layers", rows},
                                  {"parameters", parameters.total()},
                                  {"trainable_parameters", parameters.trainable},
                                  {"moving_statistics", parameters.moving_statistics},
                                  {"forward_flops", forward_flops},
                                  {"step_flops", step_flops},
                                  {"voxels", voxels},
                                  {"step_flops_per_voxel", step_flops / voxels}},
                                 2));
    return ExitCode::done;
  }

  fmt::print("{:<16} {:<23} {:<22} {:>11} {:>14} {:>14}\n", "layer", "kind", "output (N,D,H,W,C)",
             "parameters", "forward MFLOP", "step MFLOP");
  for (const LayerFacts& layer : layers) {
    fmt::print("{:<16} {:<23} {:<22} {:>11} {:>14.1f} {:>14.1f}\n", layer.name,
               kind_name(layer.kind), fmt::format("{}", fmt::join(layer.output, "x")),
               grouped(layer.parameters()), static_cast<double>(layer.forward_flops) * 1e-6,
               static_cast<double>(layer.step_flops()) * 1e-6);
  }
  fmt::print(
      "\n{} parameters: {} trainable, {} moving statistics\n"
      "{} FLOP per voxel and step (forward {}), {} FLOP per step of {} image(s) of {}\n",
      grouped(parameters.total()), grouped(parameters.trainable),
      grouped(parameters.moving_statistics), grouped(step_flops / voxels),
      grouped(forward_flops / voxels), grouped(step_flops), program.images,
      to_string(program.dims));
  return ExitCode::done;
}

// ---- data ----

ExitCode list_data(bool json) {
  const Json sources = {
      {{"name", "synthetic"},
       {"description", "random voxels and a random mask, any number of channels and classes"}},
      {{"name", "phantom"},
       {"description", fmt::format("a drawn head with a tumour: {} channels, {} classes",
                                   kPhantomChannels, kPhantomClasses)}},
      {{"name", "DIR"},
       {"description",
        "a data set in the layout of the Medical Segmentation Decathlon, of nnU-Net (1 or 2), or "
        "with MONAI's datalist: its folder or that file; fold:N:DIR takes fold N to validate"}}};
  if (json) {
    fmt::print("{}\n", dump_json({{"data", sources}}, 2));
    return ExitCode::done;
  }
  for (const Json& source : sources) {
    fmt::print("{:<13} {}\n", source["name"].get<std::string>(),
               source["description"].get<std::string>());
  }
  return ExitCode::done;
}

}  // namespace

void add_list(Command program) {
  struct Options {
    ModelOptions model;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  Command list = program.add_command("list", "What there is: backends, model or data");
  list.set_footer("Example: voxmark list model --image 128x128x96");

  Command backends = list.add_command("backends", "Backends of this build");
  backends.add_flag("--json", options->json, "facts as JSON");
  backends.set_footer("Example: voxmark list backends --json");
  backends.set_action([options] { return list_backends(options->json); });

  Command model = list.add_command("model", "Layers, shapes, parameters and FLOPs");
  add_model_options(model, options->model);
  model.add_flag("--json", options->json, "facts as JSON");
  model.set_footer("Example: voxmark list model --image 240x240x144 --batch 16");
  model.set_action([options] { return list_model(options->model, options->json); });

  Command data = list.add_command("data", "Where batches can come from");
  data.add_flag("--json", options->json, "facts as JSON");
  data.set_footer("Example: voxmark list data");
  data.set_action([options] { return list_data(options->json); });
}

}  // namespace voxmark
