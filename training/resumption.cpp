#include "training/resumption.h"

#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "training/checkpoint.h"
#include "training/trainer.h"

namespace voxmark {

void remove_unfinished(const std::string& checkpoint) {
  const std::filesystem::path path(checkpoint);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(path.filename().string() + ".") && name.ends_with(".part")) {
      std::filesystem::remove(entry.path(), error);
    }
  }
}

// First what it was made with: tensors of other shapes say less.
Position resumed_position(const TrainingOptions& options, const DataFacts& data,
                          const std::function<void(const std::string&)>& warn) {
  const std::string path = last_checkpoint(options.folder);
  const Json state = read_checkpoint_state(path);
  for (const std::string& difference : check_resumable(options, data, state, path)) {
    warn(difference + ": the losses will differ slightly");
  }
  if (!state.contains("position")) {
    throw_bad_input("{}: has no position", path);
  }
  Position position = position_from_json(state.at("position"), path);
  // Checkpoints of earlier versions know only who wrote them.
  if (position.step > 0 && position.computed_by.empty()) {
    position.computed_by.push_back(state.at("computing"));
  }
  return position;
}

bool stopped_early(const TrainingOptions& options, const Position& position) {
  const auto done = static_cast<int>(position.epochs.size());
  return options.patience > 0 && position.step == 0 &&
         done - position.best_epoch >= options.patience;
}

bool is_finished(const TrainingOptions& options, const Position& position) {
  return position.epoch >= options.epochs || stopped_early(options, position);
}

namespace {

// What best.safetensors is instead of the weights of the best epoch; "" where it is them.
std::string fault_of_best(const TrainingOptions& options, const DataFacts& data,
                          const Position& position) {
  const std::string path = best_checkpoint(options.folder);
  try {
    const Json state = read_checkpoint_state(path);
    check_resumable(options, data, state, path);
    const Position found = position_from_json(state.value("position", Json()), path);
    // Another run with the same options has other times, and another backend other losses.
    const auto index = static_cast<std::size_t>(position.best_epoch - 1);
    const bool same = found.epoch == position.best_epoch && found.step == 0 &&
                      found.epochs.size() > index &&
                      to_json(found.epochs[index]) == to_json(position.epochs[index]);
    return same ? "" : fmt::format("{}: of epoch {}, or of another run", path, found.epoch);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

bool has_best(const TrainingOptions& options, const DataFacts& data, const Position& position) {
  if (position.best_epoch == 0) {
    return true;
  }
  const std::string fault = fault_of_best(options, data, position);
  if (fault.empty()) {
    return true;
  }
  if (position.best_epoch != position.epoch || position.step != 0) {
    throw_bad_input("{}; expected the weights of epoch {}, the best of this run", fault,
                    position.best_epoch);
  }
  return false;
}

}  // namespace voxmark
