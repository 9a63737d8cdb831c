#include "tools/voxmark/train_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/overwrite.h"
#include "results/training_report.h"
#include "training/checkpoint.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

// What a run leaves in its folder; first the one without which nothing goes on.
constexpr const char* kRunFiles[] = {"last.safetensors", "best.safetensors", "training.json",
                                     "training.csv", "steps.csv"};

}  // namespace

TrainFolder::TrainFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) {
    throw_bad_input("--out {}: cannot be made: {}", path, error.message());
  }
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) {
    return;
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor_);
    throw_bad_input("--out {}: another run is writing to it", path);
  }
}

TrainFolder::~TrainFolder() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::string file_in(const TrainFlags& flags, const char* name) {
  return (fs::path(flags.out) / name).string();
}

void remove_run(const TrainFlags& flags) {
  for (const char* name : kRunFiles) {
    std::error_code error;
    fs::remove(file_in(flags, name), error);
    if (error) {
      throw_bad_input("{}: cannot be removed: {}", file_in(flags, name), error.message());
    }
  }
}

bool goes_on(const TrainFlags& flags) {
  if (flags.overwrite) {
    return false;
  }
  std::error_code error;
  const bool has_run = fs::exists(last_checkpoint(flags.out), error);
  if (has_run && (flags.resume || !flags.preset.empty())) {
    return true;
  }
  const char* otherwise = has_run
                              ? "; --resume goes on with the run"
                              : "; there is no last.safetensors from which --resume could go on";
  for (const char* name : kRunFiles) {
    check_overwrite("--out", file_in(flags, name), false, otherwise);
  }
  return false;
}

void check_last_checkpoint(const TrainFlags& flags) {
  try {
    read_checkpoint_state(last_checkpoint(flags.out));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("--resume {}; --overwrite begins anew", error.what()));
  }
}

bool has_ended(const TrainFlags& flags, const TrainingOptions& options, const SubjectParts& parts) {
  const int epochs = epochs_of_finished(options, parts);
  const bool has_all = std::ranges::all_of(
      kRunFiles, [&](const char* name) { return holds_something(file_in(flags, name)); });
  if (epochs == 0 || !has_all) {
    return false;
  }
  try {
    const Json report = read_training_report(file_in(flags, "training.json"));
    const Json& test = report["test"];
    const double tolerance = options.surface_tolerance;
    // Reports of earlier versions have no surfaces: voxmark predict scores them.
    const bool is_judged_so =
        test.is_null() || test.value("surface_tolerance_mm", tolerance) == tolerance;
    return is_judged_so && (report["end"] == "done" || report["end"] == "early_stop") &&
           std::cmp_equal(report["epochs"].size(), epochs) &&
           (parts.test.count == 0 || !test.is_null());
  } catch (const Error&) {
    return false;  // a report that cannot be read is written again
  }
}

}  // namespace voxmark
