#include "tools/fuzz/fuzz_readers.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "backends/verify/verify.h"
#include "base/error.h"
#include "base/json.h"
#include "benches/protocol/protocol.h"
#include "benches/suite/suite.h"
#include "results/journal.h"
#include "results/report.h"
#include "results/training_report.h"
#include "training/checkpoint.h"
#include "training/position.h"
#include "training/training_options.h"
#include "workloads/data_sets/data_set.h"
#include "workloads/images/gzip.h"
#include "workloads/images/nifti.h"
#include "workloads/network/network.h"
#include "workloads/network/program.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

// One folder per process, in memory where the system has such a place.
class Scratch {
 public:
  Scratch() {
    path_ = (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    path_ += "/voxmark-fuzz-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) {
      throw_internal("fuzz: no temporary folder");
    }
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string scratch_folder() {
  static const Scratch scratch;
  return scratch.path();
}

std::string file_with(const std::string& bytes, const std::string& name) {
  std::string path = scratch_folder() + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// What was read is written and read again: both must agree.
void fuzz_json(const std::string& bytes) {
  const Json json = parse_json(bytes, "input");
  if (parse_json(dump_json(json), "output").size() != json.size()) {
    std::abort();
  }
}

void fuzz_nifti(const std::string& bytes) { read_nifti(file_with(bytes, "image.nii")); }

void fuzz_gzip(const std::string& bytes) {
  constexpr std::size_t kMostBytes = std::size_t{16} << 20;  // a bomb is its reader's to stop
  ByteReader reader(file_with(bytes, "bytes.gz"));
  std::vector<std::byte> buffer(65536);
  std::size_t all = 0;
  while (const std::size_t count = reader.read(buffer)) {
    all += count;
    if (all > kMostBytes) {
      return;
    }
  }
}

void fuzz_dataset(const std::string& bytes) {
  static const bool made = [] {
    for (const char* name : {"imagesTr", "labelsTr"}) {
      std::filesystem::create_directories(scratch_folder() + "/" + name);
      file_with("not read", std::string(name) + "/a.nii.gz");
    }
    return true;
  }();
  static_cast<void>(made);
  file_with(bytes, "dataset.json");
  read_data_set(scratch_folder());
}

void fuzz_safetensors(const std::string& bytes) {
  const SafetensorsFile file(file_with(bytes, "tensors.safetensors"));
  for (const TensorEntry& entry : file.entries()) {
    file.read_doubles(entry.name);
  }
}

void fuzz_suite(const std::string& bytes) {
  const Suite suite = read_suite(file_with(bytes, "suite.json"));
  std::size_t cases = static_cast<std::size_t>(suite.repeats);
  for (const Grid& grid : suite.grids) {  // a million processes are allowed, and slow to list
    for (const auto& [field, values] : grid.values) {
      cases *= values.size();
    }
  }
  if (cases <= 1000) {
    expand(suite, 1, [](const CaseSpec&) { return std::vector<std::int64_t>{}; });
  }
}

void fuzz_protocol(const std::string& bytes) {
  try {
    parse_request(bytes);
  } catch (const Error&) {
    const Message message = parse_message(bytes);
    parse_message(to_line(message));  // what was understood can be said again
  }
}

void fuzz_journal(const std::string& bytes) {
  const std::string path = file_with(bytes, "journal");
  const JournalContents contents = read_journal(path);
  const Journal resumed(path);
  if (resumed.report().records.size() != contents.report.records.size()) {
    std::abort();
  }
}

void fuzz_report(const std::string& bytes) {
  const Report report = report_from_json(parse_json(bytes, "report"), "report");
  validate_report(to_json(report), "written again");
}

void fuzz_training(const std::string& bytes) {
  const Json report = read_training_report(file_with(bytes, "training.json"));
  epochs_csv(report);
  steps_csv(report);
}

// A network of one convolution of two channels and a batch norm: the readers take any.
const Program& small_program() {
  static const Program program = [] {
    NetworkBuilder builder("small", 1);
    const int convolution = builder.convolution("conv", builder.input(), 2, 1);
    builder.sigmoid("mask", builder.batch_norm_relu("bn", convolution));
    return lower(std::move(builder).build(), 1, {2, 2, 2}, Mode::training);
  }();
  return program;
}

// As a run is resumed, and as a model is loaded to predict with it.
void fuzz_checkpoint(const std::string& bytes) {
  const std::string path = file_with(bytes, "checkpoint.safetensors");
  const Json state = read_checkpoint_state(path);
  const TrainingOptions options = options_from_checkpoint(state, path);
  position_from_json(state.value("position", Json()), path);
  load_weights(path, small_program());
  lower(unet3d(options.network), options.batch, options.image, Mode::training);
}

// What an outside program leaves of the step that it computed.
void fuzz_results(const std::string& bytes) {
  load_results(file_with(bytes, "results.safetensors"), small_program(), 2);
}

// What naive computed, left for the next child.
void fuzz_reference(const std::string& bytes) {
  load_reference(file_with(bytes, "reference.safetensors"));
}

// A run of another framework.
void fuzz_recorded(const std::string& bytes) {
  reference_program(file_with(bytes, "recorded.safetensors"));
}

constexpr std::array<FuzzTarget, 14> kTargets = {{{"json", fuzz_json},
                                                  {"nifti", fuzz_nifti},
                                                  {"gzip", fuzz_gzip},
                                                  {"dataset", fuzz_dataset},
                                                  {"safetensors", fuzz_safetensors},
                                                  {"suite", fuzz_suite},
                                                  {"protocol", fuzz_protocol},
                                                  {"journal", fuzz_journal},
                                                  {"report", fuzz_report},
                                                  {"training", fuzz_training},
                                                  {"checkpoint", fuzz_checkpoint},
                                                  {"results", fuzz_results},
                                                  {"reference", fuzz_reference},
                                                  {"recorded", fuzz_recorded}}};

}  // namespace

std::span<const FuzzTarget> fuzz_targets() { return kTargets; }

bool accepts(const FuzzTarget& target, const std::string& bytes) {
  try {
    target.read(bytes);
    return true;
  } catch (const Error& error) {
    if (error.code() != ExitCode::bad_input) {
      throw;
    }
    return false;
  }
}

}  // namespace voxmark
