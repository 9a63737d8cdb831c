// voxmark predict: labels of whole images by a trained model, as NIfTI in place, and pictures.
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error_lines.h"
#include "base/shell_word.h"
#include "base/tell.h"
#include "benches/machine/environment.h"
#include "benches/process/process_status.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/predict_progress.h"
#include "tools/voxmark/predictions.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "training/checkpoint.h"
#include "training/data.h"
#include "training/defaults.h"
#include "training/host_memory.h"
#include "training/prediction/case_files.h"
#include "training/prediction/overlay.h"
#include "training/prediction/predictor.h"
#include "training/prediction/scores.h"
#include "training/prediction/surface_dice.h"
#include "training/trainer.h"
#include "workloads/images/nifti.h"
#include "workloads/images/nifti_writer.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

struct PredictFlags {
  std::string checkpoint;
  std::vector<std::string> images;
  std::string data;
  ReadOptions reading;
  std::string part = "test";
  std::string out = "voxmark-predictions";
  std::string backend = "onednn";
  std::string precision = "fp32";
  std::string memory_limit;
  int threads = 1;
  std::string tile;
  double surface_tolerance = kSurfaceToleranceMillimetres;
  bool overlays = false;
  bool overwrite = false;
  bool json = false;
};

// An image to predict, its grid, and the truth where there is one (subject.labels).
struct Scan {
  std::int64_t channels = 1;  // that the file has
  std::string name;           // of the case: its path in the data set, or as --image has it
  std::string stem;           // how its files begin, with their folder
  Subject subject;
  Affine affine{};
  bool has_truth = false;
};

constexpr const char* kPrediction = "_prediction.nii.gz";
constexpr const char* kOverlay = "_overlay.png";

// Before the first file is written.
void check_no_files(const PredictFlags& flags, const std::string& stem) {
  for (const char* ending : {kPrediction, kOverlay}) {
    const std::string path = stem + ending;
    if (!flags.overwrite && fs::exists(path)) {
      throw_bad_input(
          "--out {}: {} is there already, of this image or of another; --overwrite replaces it",
          flags.out, path);
    }
  }
}

Scan read_scan(const std::string& path, std::int64_t channels, PredictProgress& progress) {
  NiftiImage image = read_nifti(path, channels);
  for (const std::string& warning : image.header.warnings) {
    progress.warn(fmt::format("{}: {}", path, warning));
  }
  Scan scan;
  scan.name = path;
  const std::vector<std::int64_t>& shape = image.header.shape;
  scan.subject = {
      path, {shape[0], shape[1], shape[2]}, image.channels, std::move(image.values), {}};
  scan.subject.labels.resize(static_cast<std::size_t>(scan.subject.dims.voxels()));
  scan.channels = shape.size() > 3 ? shape[3] : 1;
  scan.affine = image.header.affine;
  return scan;
}

struct ChosenCase {
  const SubjectSource* source = nullptr;
  std::size_t index = 0;  // in it
  std::size_t place = 0;  // in the data set
  const char* part = "";

  std::string name() const { return source->case_name(index); }
};

// Of a part of a data set, with what the files of each case of the whole begin with.
struct ChosenCases {
  SubjectParts parts;
  std::vector<ChosenCase> cases;  // in the data set's order
  std::map<std::string, std::string> files;
  std::vector<std::string> lines;  // to be said of the data set
  bool trained_on = false;         // the model was trained on this data set, split like this

  std::int64_t count_of(std::string_view part) const {
    return std::ranges::count(cases, part, &ChosenCase::part);
  }
};

void add_part(ChosenCases& chosen, const char* part, const SubjectSource& source,
              const std::vector<std::size_t>& places) {
  for (std::size_t i = 0; i < source.count; ++i) {
    chosen.cases.push_back({&source, i, places.at(i), part});
  }
}

// What scores of all cases of a data set are worth that the model was trained on; "" of others.
std::string seen_text(const ChosenCases& chosen) {
  if (!chosen.trained_on || chosen.count_of("training") == 0) {
    return "";
  }
  if (chosen.count_of("validation") + chosen.count_of("test") == 0) {
    return "";
  }
  return fmt::format(
      "warning: {} of these cases were trained on, {} chose the epoch: only the mean of the test "
      "cases tells of other data",
      chosen.count_of("training"), chosen.count_of("validation"));
}

// The cases of a part of the data that the model of `state` was trained on, as training split it;
// all of them for other data, which a split says nothing about.
std::unique_ptr<ChosenCases> chosen_cases(const PredictFlags& flags, const TrainingOptions& model,
                                          const Json& state) {
  SubjectParts parts = open_parts(flags.data, model.image, model.splitting_seed(),
                                  !model.tile && model.downsample == 1, flags.reading);
  check_source(parts.training, {model.image, model.network.input_channels, model.network.classes},
               1);
  const Json trained_on = state.value("data", Json());
  if (flags.part != "all" && trained_on != Json(parts.facts.identity)) {
    throw_bad_input(
        "--part {}: {} is {}, expected what {} was trained on, {}: of other data, training may "
        "have "
        "seen any case; --part all takes every one",
        flags.part, flags.data, parts.facts.identity, flags.checkpoint, dump_json(trained_on));
  }
  auto found = std::make_unique<ChosenCases>();
  found->files = case_files(parts);
  found->lines = data_lines(parts.facts, model.network.classes);
  found->trained_on = trained_on == Json(parts.facts.identity);
  const CaseSplit places = places_of(flags.data, parts, model.splitting_seed(), flags.reading);
  found->parts = std::move(parts);
  add_part(*found, kParts[0], found->parts.training, places.training);
  add_part(*found, kParts[1], found->parts.validation, places.validation);
  add_part(*found, kParts[2], found->parts.test, places.test);
  if (flags.part != "all") {
    std::erase_if(found->cases, [&](const ChosenCase& one) { return one.part != flags.part; });
  }
  std::ranges::stable_sort(found->cases, {}, &ChosenCase::place);
  if (found->cases.empty()) {
    throw_bad_input("--part {}: {} has no such case, as it is split; --part all takes every case",
                    flags.part, flags.data);
  }
  return found;
}

class Predicting {
 public:
  // `program`: one that has the weights.
  Predicting(const PredictFlags& flags, const TrainingOptions& model, const Program& program)
      : flags_(flags),
        network_(model.network),
        program_(program),
        memory_bytes_(memory_bytes_of(flags.memory_limit)),
        predictor_(predictor_options_of(flags, model, memory_bytes_)) {
    predictor_.set_weights(load_weights(flags.checkpoint, program));
  }

  Json predict(const Scan& scan, PredictProgress& progress) {
    const Subject& subject = scan.subject;
    const std::int64_t beside = bytes_beside_prediction(network_, program_, subject.dims);
    predictor_.set_memory_bytes(std::max<std::int64_t>(0, memory_bytes_ - beside));
    progress.predicting(to_string(subject.dims));
    const std::vector<float> prediction = predictor_.predict(
        subject, [&](std::int64_t done, std::int64_t all) { progress.tile(done, all); });
    const auto labels = hard_labels(prediction, predictor_.channels(), subject.dims);
    const Dims& dims = subject.dims;
    Json result = {{"case", scan.name},
                   {"image", subject.name},
                   {"prediction", scan.stem + kPrediction},
                   {"overlay", nullptr},
                   {"tiled_for_memory", predictor_.tiled_for_memory()},
                   {"scores", nullptr}};
    write_nifti(scan.stem + kPrediction, {{dims.d, dims.h, dims.w}, scan.affine},
                std::span<const std::uint8_t>(labels));
    if (flags_.overlays) {
      const std::span<const std::uint8_t> truth =
          scan.has_truth ? std::span<const std::uint8_t>(subject.labels)
                         : std::span<const std::uint8_t>();
      result["overlay"] = scan.stem + kOverlay;
      write_png(scan.stem + kOverlay,
                draw_overlay(subject, labels, truth, scan.affine, network_.classes));
    }
    if (scan.has_truth) {
      Scores scores = scores_of(prediction, predictor_.channels(), subject.dims, subject.labels);
      const SurfaceScale scale{spacing_of(scan.affine), flags_.surface_tolerance};
      add_surface_dice(scores, subject.labels, labels, predictor_.channels(), dims, scale);
      result["scores"] = to_json(scores);
      result["spacing_mm"] = scale.spacing;
    }
    return result;
  }

 private:
  static PredictorOptions predictor_options_of(const PredictFlags& flags,
                                               const TrainingOptions& model,
                                               std::int64_t memory_bytes) {
    PredictorOptions options = predictor_options(model, memory_bytes);
    options.backend = &learning_backend(flags.backend);
    options.precision = parse_precision(flags.precision);
    options.threads = flags.threads;
    if (!flags.tile.empty()) {
      options.tile = parse_dims(flags.tile);
      for (const std::int64_t extent : {options.tile->d, options.tile->h, options.tile->w}) {
        if (extent % kUnetDimsMultiple != 0) {
          throw_bad_input("--tile {}: expected multiples of {}", flags.tile, kUnetDimsMultiple);
        }
      }
    }
    return options;
  }

  const PredictFlags& flags_;
  UnetOptions network_;
  const Program& program_;
  std::int64_t memory_bytes_;  // that all of it may take
  Predictor predictor_;
};

// Before the first image is predicted.
void print_lines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    tell(stderr, "{}\n", line);
  }
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw_bad_input("--out {}: cannot be made: {}", path, error.message());
  }
}

std::string stem_in(const PredictFlags& flags, const std::string& file) {
  return (fs::path(flags.out) / file).string();
}

// What the files of each image begin with. Throws Error (bad_input) on an image named twice.
std::map<std::string, std::string> files_of_images(const PredictFlags& flags) {
  if (flags.images.size() == 1) {
    const std::string name = fs::path(flags.images.front()).filename().string();
    return {{flags.images.front(), file_names({name}).at(name)}};
  }
  std::map<std::string, std::string> files = file_names(flags.images);
  if (files.size() < flags.images.size()) {
    throw_bad_input("--image: one of the {} images is named twice", flags.images.size());
  }
  return files;
}

Json predict_image(const PredictFlags& flags, const Scan& scan, Predicting& predicting,
                   PredictProgress& progress) {
  Json result = predicting.predict(scan, progress);
  result["part"] = nullptr;
  progress.finished();
  if (!flags.json) {
    print_prediction(result, flags.surface_tolerance);
  }
  return result;
}

// Goes on past an image that cannot be read, as with a data set's cases.
Predictions predict_images(const PredictFlags& flags, const TrainingOptions& model,
                           const Program& program) {
  const std::map<std::string, std::string> files = files_of_images(flags);
  for (const std::string& image : flags.images) {
    check_no_files(flags, stem_in(flags, files.at(image)));
  }
  Predicting predicting(flags, model, program);
  PredictProgress progress(stderr, flags.images.size());
  Predictions predictions;
  std::set<std::string> said;
  for (const std::string& image : flags.images) {
    try {
      progress.reading(image);
      Scan scan = read_scan(image, model.network.input_channels, progress);
      scan.stem = stem_in(flags, files.at(image));
      for (const std::string& line : prediction_defaults(model, scan.channels, {}, 0, true)) {
        if (said.insert(line).second) {
          progress.say(line);
        }
      }
      predictions.results.push_back(predict_image(flags, scan, predicting, progress));
    } catch (const Error& error) {
      if (flags.images.size() == 1 || error.code() != ExitCode::bad_input) {
        throw;
      }
      progress.finished();
      predictions.failures.push_back({{"case", image}, {"message", error.what()}});
    }
  }
  return predictions;
}

Json predict_case(const PredictFlags& flags, const TrainingOptions& model,
                  const ChosenCases& chosen, const ChosenCase& one, Predicting& predicting,
                  PredictProgress& progress) {
  Scan scan;
  scan.name = one.name();
  progress.reading(scan.name);
  scan.stem = stem_in(flags, chosen.files.at(scan.name));
  scan.subject = one.source->load(one.index, model.network.input_channels);
  for (const std::string& warning : scan.subject.warnings) {
    progress.warn(warning);
  }
  scan.affine = one.source->affine(one.index);
  scan.has_truth = true;
  Json result = predicting.predict(scan, progress);
  result["part"] = chosen.trained_on ? Json(one.part) : Json();
  return result;
}

// Goes on past a case that cannot be read.
Predictions predict_cases(const PredictFlags& flags, const TrainingOptions& model,
                          const Program& program, const ChosenCases& chosen) {
  for (const ChosenCase& one : chosen.cases) {
    check_no_files(flags, stem_in(flags, chosen.files.at(one.name())));
  }
  print_lines(chosen.lines);
  const SubjectSource& source = *chosen.cases.front().source;
  print_lines(prediction_defaults(model, source.channels, source.channel_names, source.classes,
                                  !is_phantom(flags.data)));
  if (const std::string seen = seen_text(chosen); !seen.empty()) {
    print_lines({seen});
  }
  const Spacing spacing = spacing_of(source.affine(chosen.cases.front().index));
  if (const std::string warning = surface_warning({spacing, flags.surface_tolerance});
      !warning.empty()) {
    print_lines({warning});
  }
  Predicting predicting(flags, model, program);
  PredictProgress progress(stderr, chosen.cases.size());
  Predictions predictions;
  for (const ChosenCase& one : chosen.cases) {
    try {
      predictions.results.push_back(predict_case(flags, model, chosen, one, predicting, progress));
      progress.finished();
      if (!flags.json) {
        print_prediction(predictions.results.back(), flags.surface_tolerance);
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::bad_input) {
        throw;
      }
      progress.finished();
      predictions.failures.push_back({{"case", one.name()}, {"message", error.what()}});
    }
  }
  return predictions;
}

bool begins_like_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char first = '\0';
  return (file >> first) && (first == '{' || first == '[');  // skips blanks
}

// A run's folder means its best checkpoint.
std::string checkpoint_of(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    std::string best = best_checkpoint(path);
    if (!fs::exists(best, error)) {
      throw_bad_input("{}: a folder without best.safetensors, expected that of a training run",
                      path);
    }
    return best;
  }
  return path;
}

Json state_of(const std::string& checkpoint) {
  try {
    return read_checkpoint_state(checkpoint);
  } catch (const Error&) {
    if (!begins_like_json(checkpoint)) {
      throw;
    }
    std::error_code error;
    const std::string best = best_checkpoint(fs::path(checkpoint).parent_path().string());
    throw_bad_input("{}: JSON, not a checkpoint: {}", checkpoint,
                    fs::exists(best, error) ? best + " lies beside it"
                                            : "expected best.safetensors of a training run");
  }
}

// Whether --image predicts it by a model of so many channels.
bool is_predictable(const std::string& image, std::int64_t channels) {
  try {
    const auto shape = NiftiReader(image).header().volume_shape();
    return shape && (shape->size() > 3 ? shape->back() : 1) >= channels;
  } catch (const Error&) {
    return false;
  }
}

// How a folder that is no data set but holds images without labels is predicted; "" of others.
std::string way_by_image(const PredictFlags& flags, std::int64_t channels) {
  const std::vector<std::string> images = unlabelled_images(flags.data);
  if (std::ranges::none_of(images,
                           [&](const auto& own) { return is_predictable(own, channels); })) {
    return "";
  }
  std::string command = "voxmark predict " + shell_word(flags.checkpoint) + " --image";
  const fs::path folder = fs::path(images.front()).parent_path() / "";
  for (const char* ending : {".nii.gz", ".nii"}) {
    if (std::ranges::any_of(images, [&](const auto& own) { return own.ends_with(ending); })) {
      command += " " + shell_word(folder.string()) + "*" + ending;
    }
  }
  return "images without labels are predicted by their names, without scores: " + command;
}

std::unique_ptr<ChosenCases> chosen_or_way(const PredictFlags& flags, const TrainingOptions& model,
                                           const Json& state) {
  if (flags.part != "all" && std::ranges::count(kParts, flags.part) == 0) {
    throw_bad_input("--part {}: expected training, validation, test or all", flags.part);
  }
  try {
    return chosen_cases(flags, model, state);
  } catch (const Error& error) {
    const std::string way = error.code() == ExitCode::bad_input
                                ? way_by_image(flags, model.network.input_channels)
                                : "";
    if (way.empty()) {
      throw;
    }
    throw ErrorLines(error.code(), {error.what(), way});
  }
}

ExitCode predict(const PredictFlags& flags) {
  if (flags.images.empty() == flags.data.empty()) {
    throw_bad_input("--image or --data: expected one of the two");
  }
  check_threads(flags.threads);
  const Json state = state_of(flags.checkpoint);
  const TrainingOptions model = options_from_checkpoint(state, flags.checkpoint);
  const Program program = lower(unet3d(model.network), 1, model.image, Mode::training);
  const auto chosen = flags.data.empty() ? nullptr : chosen_or_way(flags, model, state);
  make_folder(flags.out);
  const Predictions predictions = chosen ? predict_cases(flags, model, program, *chosen)
                                         : predict_images(flags, model, program);
  const bool by_part = chosen && !seen_text(*chosen).empty();
  if (flags.json) {
    print_predictions_json(predictions, by_part, flags.surface_tolerance);
  } else {
    print_means(predictions, by_part, flags.surface_tolerance);
  }
  tell_failures(predictions, predictions.results.size() + predictions.failures.size());
  return predictions.failures.empty() ? ExitCode::done : ExitCode::bad_input;
}

}  // namespace

void add_predict(Command program) {
  const auto flags = std::make_shared<PredictFlags>();
  Command command =
      program.add_command("predict", "Labels whole images with a trained model, as NIfTI in place");
  command
      .add_option("checkpoint", flags->checkpoint,
                  "best.safetensors of a training run, or the run's folder")
      .required();
  command.add_option("--image", flags->images,
                     "scans, .nii or .nii.gz: of images without labels there are no scores");
  command.add_option(
      "--data", flags->data,
      "or the cases of a data set (its folder or datalist), or phantom:N as in train");
  add_read_options(command, flags->reading);
  command
      .add_option("--part", flags->part,
                  "of it, as training split it: training, validation, test; or all, for data that "
                  "training has not seen")
      .show_default();
  command.add_option("--out", flags->out, "folder of labels and pictures").show_default();
  command.add_flag("--overlays", flags->overlays,
                   "a picture per case: prediction red, truth blue, agreement purple");
  command.add_flag("--overwrite", flags->overwrite, "replace files that are in --out already");
  command.add_option("--tile", flags->tile,
                     "overlapping tiles of these extents; default: the image in one piece, where "
                     "the memory allows it");
  add_surface_option(command, flags->surface_tolerance);
  command.add_option("--backend", flags->backend, "voxmark list backends").show_default();
  command.add_option("--precision", flags->precision, "fp32, fp64 or bf16").show_default();
  const Option threads = add_threads_option(command, flags->threads, "of the backend");
  command.add_option("--memory-limit", flags->memory_limit, "8GiB; default: what there is");
  command.add_flag("--json", flags->json, "files and scores as JSON");
  command.set_footer(
      "Example: voxmark predict run/best.safetensors --data Task04_Hippocampus --overlays");
  command.set_action([flags, threads] {
    tell_threads(threads);
    flags->checkpoint = checkpoint_of(flags->checkpoint);
    return predict(*flags);
  });
}

}  // namespace voxmark
