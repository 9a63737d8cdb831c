#include "training/position.h"

#include "base/error.h"

namespace voxmark {
namespace {

EpochRecord record_from_json(const Json& json) {
  EpochRecord record;
  record.epoch = json.at("epoch").get<int>();
  record.images = json.at("images").get<std::int64_t>();
  record.seconds = json.at("seconds").get<double>();
  record.waiting_seconds = json.at("waiting_seconds").get<double>();
  record.validation_seconds = json.at("validation_seconds").get<double>();
  record.validation_waiting_seconds = json.at("validation_waiting_seconds").get<double>();
  record.training = scores_from_json(json.at("training"));
  if (!json.at("validation").is_null()) {
    record.validation = scores_from_json(json["validation"]);
  }
  record.best = json.at("best").get<bool>();
  record.step_losses = json.at("step_losses").get<std::vector<double>>();
  record.computed_by = json.value("computed_by", std::vector<Json>());  // earlier versions: none
  return record;
}

Forecast forecast_from_json(const Json& json) {
  return {json.at("step_seconds").get<double>(), json.at("epoch_seconds").get<double>(),
          json.at("test_seconds").get<double>(), json.at("total_seconds").get<double>(),
          json.at("planned_bytes").get<std::int64_t>()};
}

}  // namespace

Json to_json(const Forecast& forecast) {
  if (forecast.step_seconds == 0) {
    return {};
  }
  return {{"step_seconds", forecast.step_seconds},
          {"epoch_seconds", forecast.epoch_seconds},
          {"test_seconds", forecast.test_seconds},
          {"total_seconds", forecast.total_seconds},
          {"planned_bytes", forecast.planned_bytes}};
}

Json to_json(const EpochRecord& record) {
  return {{"epoch", record.epoch},
          {"images", record.images},
          {"seconds", record.seconds},
          {"seconds_per_image", record.seconds_per_image()},
          {"waiting_seconds", record.waiting_seconds},
          {"waiting_share", record.waiting_share()},
          {"validation_seconds", record.validation_seconds},
          {"validation_waiting_seconds", record.validation_waiting_seconds},
          {"training", to_json(record.training)},
          {"validation", record.validation ? to_json(*record.validation) : Json()},
          {"best", record.best},
          {"step_losses", record.step_losses},
          {"computed_by", record.computed_by}};
}

Json to_json(const Position& position) {
  Json epochs = Json::array();
  for (const EpochRecord& record : position.epochs) {
    epochs.push_back(to_json(record));
  }
  return {{"epoch", position.epoch},
          {"step", position.step},
          {"scores", position.scores.state()},
          {"step_losses", position.step_losses},
          {"seconds", position.seconds},
          {"waiting_seconds", position.waiting_seconds},
          {"epochs", std::move(epochs)},
          {"best_loss", number_to_json(position.best_loss)},
          {"best_epoch", position.best_epoch},
          {"memory_bytes", position.memory_bytes},
          {"peak_bytes", position.peak_bytes},
          {"forecast", to_json(position.forecast)},
          {"computed_by", position.computed_by}};
}

Position position_from_json(const Json& json, const std::string& name) {
  Position position;
  try {
    position.epoch = json.at("epoch").get<int>();
    position.step = json.at("step").get<std::int64_t>();
    position.scores = ScoreMean::from_state(json.at("scores"));
    position.step_losses = json.at("step_losses").get<std::vector<double>>();
    position.seconds = json.at("seconds").get<double>();
    position.waiting_seconds = json.at("waiting_seconds").get<double>();
    for (const Json& record : json.at("epochs")) {
      position.epochs.push_back(record_from_json(record));
    }
    position.best_loss = number_from_json(json.at("best_loss"), name);
    position.best_epoch = json.at("best_epoch").get<int>();
    position.memory_bytes = json.at("memory_bytes").get<std::int64_t>();
    // Checkpoints of earlier versions have none of them.
    position.peak_bytes = json.value("peak_bytes", std::int64_t{0});
    const Json forecast = json.value("forecast", Json());
    if (!forecast.is_null()) {
      position.forecast = forecast_from_json(forecast);
    }
    position.computed_by = json.value("computed_by", std::vector<Json>());
  } catch (const Json::exception& error) {
    throw_bad_input("{}: position: {}", name, error.what());
  }
  if (position.epoch < 0 || position.step < 0 || position.best_epoch < 0 ||
      position.epoch != static_cast<int>(position.epochs.size()) ||
      position.best_epoch > position.epoch) {
    throw_bad_input("{}: position: epoch {}, step {}, best epoch {} with {} epochs finished", name,
                    position.epoch, position.step, position.best_epoch, position.epochs.size());
  }
  return position;
}

}  // namespace voxmark
