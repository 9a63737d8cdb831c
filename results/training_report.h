// The report of a training run, in the format "voxmark.training/1" that
// results/training.schema.json defines, and its epochs as CSV.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace voxmark {

constexpr std::string_view kTrainingSchemaName = "voxmark.training/1";

std::string_view training_schema_text();

// Throws Error (bad_input) naming `name`, the place and what is wrong there.
void validate_training_report(const Json& json, std::string_view name);

// Throws Error (bad_input) when the file cannot be read or is no valid report.
Json read_training_report(const std::string& path);

// Replaces the file as a whole. Throws Error: bad_input when it cannot be created, internal when
// writing fails or the report would break its own schema.
void write_training_report(const std::string& path, const Json& report);

// A header line, then a line per epoch: epoch, images, seconds, ..., training_loss, ...,
// validation_hard_dice_1, ...; empty where there is no value.
std::string epochs_csv(const Json& report);

// Lines of epoch, step (from 1) and loss.
std::string steps_csv(const Json& report);

}  // namespace voxmark
