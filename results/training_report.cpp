#include "results/training_report.h"

#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_schema.h"

namespace voxmark {
namespace {

using Columns = std::vector<std::pair<std::string, Json>>;

void add_scores(const Json& scores, const std::string& part, std::size_t labels, Columns& columns) {
  const auto value = [&](const char* key) { return scores.is_null() ? Json() : scores.at(key); };
  for (const char* key : {"loss", "accuracy", "whole_dice"}) {
    columns.emplace_back(part + "_" + key, value(key));
  }
  for (const char* key : {"soft_dice", "hard_dice"}) {
    for (std::size_t label = 0; label < labels; ++label) {
      columns.emplace_back(fmt::format("{}_{}_{}", part, key, label + 1),
                           scores.is_null() ? Json() : scores.at(key).at(label));
    }
  }
}

Columns columns_of(const Json& epoch) {
  Columns columns;
  for (const char* key : {"epoch", "best", "images", "seconds", "seconds_per_image",
                          "waiting_seconds", "waiting_share", "validation_seconds"}) {
    columns.emplace_back(key, epoch.at(key));
  }
  const std::size_t labels = epoch.at("training").at("hard_dice").size();
  add_scores(epoch.at("training"), "training", labels, columns);
  add_scores(epoch.at("validation"), "validation", labels, columns);
  return columns;
}

}  // namespace

void validate_training_report(const Json& json, std::string_view name) {
  check_schema_name(json, name, "training report", kTrainingSchemaName);
  static const JsonSchema schema(training_schema_text());
  schema.check(json, name);
}

Json read_training_report(const std::string& path) {
  Json json = read_json_file(path);
  validate_training_report(json, path);
  return json;
}

void write_training_report(const std::string& path, const Json& report) {
  try {
    validate_training_report(report, path);
  } catch (const Error& error) {
    throw_internal("{} (a fault of the program that writes it)", error.what());
  }
  AtomicFile file(path);
  file.write(dump_json(report, 1));
  file.write("\n");
  file.commit();
}

std::string epochs_csv(const Json& report) {
  std::string text;
  for (const Json& epoch : report.at("epochs")) {
    const Columns columns = columns_of(epoch);
    std::vector<std::string> names;
    std::vector<std::string> values;
    for (const auto& [name, value] : columns) {
      names.push_back(name);
      values.push_back(value.is_null() ? "" : dump_json(value));
    }
    if (text.empty()) {
      text = fmt::format("{}\n", fmt::join(names, ","));
    }
    text += fmt::format("{}\n", fmt::join(values, ","));
  }
  return text;
}

std::string steps_csv(const Json& report) {
  std::string text = "epoch,step,loss\n";
  for (const Json& epoch : report.at("epochs")) {
    int step = 0;
    for (const Json& loss : epoch.at("step_losses")) {
      text += fmt::format("{},{},{}\n", epoch.at("epoch").get<int>(), ++step, dump_json(loss));
    }
  }
  return text;
}

}  // namespace voxmark
