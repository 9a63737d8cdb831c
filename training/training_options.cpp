#include "training/training_options.h"

#include "base/error.h"
#include "training/prediction/predictor.h"

namespace voxmark {
namespace {

const Json& member(const Json& json, const char* key, const std::string& name) {
  if (!json.is_object() || !json.contains(key)) {
    throw_bad_input("{}: state has no \"{}\"", name, key);
  }
  return json.at(key);
}

}  // namespace

std::int64_t steps_per_epoch(const TrainingOptions& options, const SubjectParts& parts) {
  if (options.steps_per_epoch > 0) {
    return options.steps_per_epoch;
  }
  const auto cases = static_cast<std::int64_t>(parts.training.count);
  return (cases + options.batch - 1) / options.batch;
}

TrainingRecipe recipe_of(const TrainingOptions& options) {
  TrainingRecipe recipe;
  recipe.shape = {options.image, options.network.input_channels, options.network.classes};
  recipe.augment = options.augment;
  recipe.downsample = options.downsample;
  recipe.place = options.tile ? WindowPlace::anywhere : WindowPlace::near_middle;
  return recipe;
}

Program step_program(const TrainingOptions& options) {
  Program program =
      lower(unet3d(options.network), options.images_per_rank(), options.image, Mode::training);
  program.batch_norm.across_ranks = options.batch_norm == BatchNormOver::all_ranks;
  return program;
}

std::string_view to_string(BatchNormOver over) {
  switch (over) {
    case BatchNormOver::all_ranks:
      return "global";
    case BatchNormOver::own_images:
      return "local";
  }
  throw_internal("training: no such batch norm");
}

Json to_json(const TrainingOptions& options) {
  Json json = {{"image", {options.image.d, options.image.h, options.image.w}},
               {"batch", options.batch},
               {"channels", options.network.input_channels},
               {"classes", options.network.classes},
               {"filters", options.network.filters},
               {"levels", options.network.levels},
               {"seed", options.seed},
               {"split_seed", options.splitting_seed()},
               {"augment", options.augment},
               {"tile", options.tile},
               {"downsample", options.downsample},
               {"steps_per_epoch", options.steps_per_epoch}};
  // The mathematics depends on ranks only where each has statistics of its own.
  if (options.batch_norm == BatchNormOver::own_images) {
    json["batch_norm"] = to_string(options.batch_norm);
    json["ranks"] = options.ranks;
  }
  return json;
}

Json computing_json(const TrainingOptions& options) {
  Json json = {{"backend", options.backend->name()},
               {"precision", to_string(options.precision)},
               {"threads", options.threads}};
  if (options.ranks > 1) {
    json["ranks"] = options.ranks;
  }
  return json;
}

std::vector<std::string> check_resumable(const TrainingOptions& options, const DataFacts& data,
                                         const Json& state, const std::string& path) {
  const auto found_in = [](const Json& json, const std::string& key) {
    return json.contains(key) ? dump_json(json.at(key)) : "unknown";
  };
  Json found = member(state, "options", path);
  Json wanted = to_json(options);  // outlives its items
  if (found.is_object()) {
    found.emplace("levels", kUnetLevels);  // checkpoints of earlier versions do not say so
  }
  for (Json* json : {&found, &wanted}) {
    if (json->is_object()) {
      json->emplace("batch_norm", to_string(BatchNormOver::all_ranks));
    }
  }
  for (const auto& [key, value] : wanted.items()) {
    if (found_in(found, key) != dump_json(value)) {
      throw_bad_input("--resume {}: made with {} {}, expected {}", path, key, found_in(found, key),
                      dump_json(value));
    }
  }
  const Json& identity = member(state, "data", path);
  if (identity != Json(data.identity)) {
    throw_bad_input("--resume {}: made with other data ({}), expected {}", path,
                    dump_json(identity), data.identity);
  }
  std::vector<std::string> differences;
  Json computed = member(state, "computing", path);
  Json computing = computing_json(options);
  for (Json* json : {&computed, &computing}) {
    if (json->is_object()) {
      json->emplace("ranks", 1);
    }
  }
  for (const auto& [key, value] : computing.items()) {
    if (found_in(computed, key) != dump_json(value)) {
      differences.push_back(fmt::format("--resume {}: made with {} {}, goes on with {}", path, key,
                                        found_in(computed, key), dump_json(value)));
    }
  }
  return differences;
}

TrainingOptions options_from_checkpoint(const Json& state, const std::string& name) {
  const Json& json = member(state, "options", name);
  TrainingOptions options;
  try {
    const Json& image = member(json, "image", name);
    options.image = {image.at(0).get<std::int64_t>(), image.at(1).get<std::int64_t>(),
                     image.at(2).get<std::int64_t>()};
    options.batch = member(json, "batch", name).get<std::int64_t>();
    options.network.input_channels = member(json, "channels", name).get<std::int64_t>();
    options.network.classes = member(json, "classes", name).get<std::int64_t>();
    options.network.filters = member(json, "filters", name).get<std::int64_t>();
    options.network.levels = json.value("levels", kUnetLevels);  // earlier versions: none
    options.seed = member(json, "seed", name).get<std::uint64_t>();
    options.split_seed = member(json, "split_seed", name).get<std::uint64_t>();
    options.augment = member(json, "augment", name).get<bool>();
    options.tile = member(json, "tile", name).get<bool>();
    options.downsample = member(json, "downsample", name).get<std::int64_t>();
    options.steps_per_epoch = member(json, "steps_per_epoch", name).get<std::int64_t>();
  } catch (const Json::exception& error) {
    throw_bad_input("{}: options: {}", name, error.what());
  }
  return options;
}

PredictorOptions predictor_options(const TrainingOptions& options, std::int64_t memory_bytes) {
  PredictorOptions predictor;
  predictor.backend = options.backend;
  predictor.precision = options.precision;
  predictor.threads = options.threads;
  predictor.network = options.network;
  predictor.downsample = options.downsample;
  predictor.small_tile = options.image;
  predictor.memory_bytes = memory_bytes;
  if (options.tile) {
    predictor.tile = options.image;
  } else {
    predictor.scale_window = options.image;
  }
  return predictor;
}

}  // namespace voxmark
