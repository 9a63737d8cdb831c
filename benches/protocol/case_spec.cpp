#include "benches/protocol/case_spec.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "base/number_text.h"
#include "benches/protocol/isa.h"
#include "benches/protocol/peers.h"
#include "workloads/data_sets/batch_source.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

// Wider than any server; narrow enough that no product of a case's numbers surprises anybody.
constexpr std::int64_t kMaxBatch = 65536;
constexpr std::int64_t kMaxExtent = 65536;
constexpr std::int64_t kMaxChannels = 1024;
constexpr std::int64_t kMaxThreads = 4096;
constexpr std::int64_t kMaxSteps = 1000000;

constexpr std::int64_t kVerifiedExtent = 48;
// Kernels cut rows into registers and tiles: a row that leaves the same rest at every level of the
// network is cut the same way.
constexpr std::int64_t kRowPeriod = 64;
constexpr std::int64_t kVerifiedBatch = 2;  // more than one sample; statistics couple them

// JSON numbers beyond this are not integers to every reader.
constexpr std::int64_t kMaxJsonInteger = (std::int64_t{1} << 53) - 1;

void check_range(std::string_view key, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value < least || value > most) {
    throw_bad_input("{}: {}, expected {} to {}", key, value, least, most);
  }
}

std::int64_t integer(const Json& json, const std::string& name, const char* key) {
  const Json& value = json.at(key);
  const bool fits = value.is_number_integer() &&
                    !(value.is_number_unsigned() &&
                      value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxJsonInteger)) &&
                    value.get<std::int64_t>() >= -kMaxJsonInteger;
  if (!fits) {
    throw_bad_input("{}: {}: expected an integer, found {}", name, key, dump_json(value));
  }
  return value.get<std::int64_t>();
}

int small_integer(const Json& json, const std::string& name, const char* key) {
  const std::int64_t value = integer(json, name, key);
  check_range(key, value, 0, std::numeric_limits<int>::max());
  return static_cast<int>(value);
}

std::string text(const Json& json, const std::string& name, const char* key) {
  const Json& value = json.at(key);
  if (!value.is_string()) {
    throw_bad_input("{}: {}: expected a text, found {}", name, key, dump_json(value));
  }
  return value.get<std::string>();
}

Dims dims(const Json& json, const std::string& name, const char* key) {
  const Json& value = json.at(key);
  const auto is_extent = [](const Json& extent) {
    return extent.is_number_integer() && extent >= 0 && extent <= kMaxExtent;
  };
  if (!value.is_array() || value.size() != 3 ||
      !std::all_of(value.begin(), value.end(), is_extent)) {
    throw_bad_input("{}: {}: expected three extents, found {}", name, key, dump_json(value));
  }
  return {value[0].get<std::int64_t>(), value[1].get<std::int64_t>(), value[2].get<std::int64_t>()};
}

constexpr std::array<std::string_view, 13> kRequiredKeys = {
    "backend", "image", "batch", "input_channels", "classes", "filters", "precision",
    "threads", "data",  "seed",  "steps",          "warmup",  "process"};
constexpr std::string_view kMemoryLimitKey = "memory_limit_bytes";
constexpr std::string_view kIsaKey = "isa";
constexpr std::string_view kFollowLinksKey = "follow_links";
constexpr std::string_view kAffineToleranceKey = "affine_tolerance";
constexpr std::array<std::string_view, 4> kOptionalKeys = {kMemoryLimitKey, kIsaKey,
                                                           kFollowLinksKey, kAffineToleranceKey};

void check_keys(const Json& json, const std::string& name) {
  if (!json.is_object()) {
    throw_bad_input("{}: expected an object with a case, found {}", name, json.type_name());
  }
  for (const std::string_view key : kRequiredKeys) {
    if (!json.contains(key)) {
      throw_bad_input("{}: key \"{}\" is missing", name, key);
    }
  }
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    if (std::find(kOptionalKeys.begin(), kOptionalKeys.end(), key) == kOptionalKeys.end() &&
        std::find(kRequiredKeys.begin(), kRequiredKeys.end(), key) == kRequiredKeys.end()) {
      throw_bad_input("{}: key \"{}\" is unknown", name, key);
    }
  }
}

ReadOptions reading_of(const Json& json, const std::string& name) {
  ReadOptions reading;
  if (json.contains(kFollowLinksKey)) {
    const Json& value = json.at(kFollowLinksKey);
    if (!value.is_boolean()) {
      throw_bad_input("{}: {}: expected true or false, found {}", name, kFollowLinksKey,
                      dump_json(value));
    }
    reading.follow_links = value.get<bool>();
  }
  if (json.contains(kAffineToleranceKey)) {
    const Json& value = json.at(kAffineToleranceKey);
    if (!value.is_number()) {
      throw_bad_input("{}: {}: expected a number, found {}", name, kAffineToleranceKey,
                      dump_json(value));
    }
    reading.affine_tolerance = value.get<double>();
  }
  return reading;
}

void reading_to_json(const ReadOptions& reading, Json& json) {
  if (reading.follow_links) {
    json[kFollowLinksKey] = true;
  }
  if (reading.affine_tolerance != ReadOptions{}.affine_tolerance) {
    json[kAffineToleranceKey] = reading.affine_tolerance;
  }
}

// As a shell reads it back.
std::string shell_word(const std::string& word) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:=+,").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) {
    return word;
  }
  std::string quoted = "'";
  for (const char c : word) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}

SubjectSource subjects(const CaseSpec& spec) {
  return spec.data == "phantom" ? phantom_subjects(spec.image, spec.seed)
                                : data_set_subjects(spec.data, spec.seed, spec.reading);
}

SampleShape sample_shape(const CaseSpec& spec) {
  return {spec.image, spec.network.input_channels, spec.network.classes};
}

}  // namespace

bool is_external(const std::string& backend) {
  return backend.rfind(kExternalPrefix, 0) == 0 || find_peer(backend) != nullptr;
}

bool is_external(const CaseSpec& spec) { return is_external(spec.backend); }

void check(const CaseSpec& spec) {
  if (spec.backend.empty()) {
    throw_bad_input("backend: expected a name, found nothing");
  }
  if (spec.data.empty()) {
    throw_bad_input("data: expected synthetic, phantom or a folder, found nothing");
  }
  for (const std::int64_t extent : {spec.image.d, spec.image.h, spec.image.w}) {
    if (extent < 1 || extent > kMaxExtent || extent % kUnetDimsMultiple != 0) {
      throw_bad_input("image {}: expected extents that are multiples of {}, up to {}",
                      to_string(spec.image), kUnetDimsMultiple, kMaxExtent);
    }
  }
  check_range("batch", spec.batch, 1, kMaxBatch);
  check_range("input_channels", spec.network.input_channels, 1, kMaxChannels);
  check_range("classes", spec.network.classes, 1, kMaxChannels);
  check_range("filters", spec.network.filters, 1, kMaxChannels);
  check_range("threads", spec.threads, 1, kMaxThreads);
  check_range("steps", spec.steps, 1, kMaxSteps);
  check_range("warmup", spec.warmup, 0, kMaxSteps);
  check_range("process", spec.process, 0, kMaxSteps);
  if (spec.memory_limit_bytes) {
    check_range(kMemoryLimitKey, *spec.memory_limit_bytes, 1, kMaxJsonInteger);
  }
  check(spec.reading);
  if (!spec.isa.empty() && find_isa(spec.isa) == nullptr) {
    throw_bad_input("isa: {}, expected avx, avx2 or avx512", spec.isa);
  }
  if (spec.seed > static_cast<std::uint64_t>(kMaxJsonInteger)) {
    throw_bad_input("seed: {}, expected 0 to {}", spec.seed, kMaxJsonInteger);
  }
}

Json to_json(const CaseSpec& spec) {
  Json json = {{"backend", spec.backend},
               {"image", {spec.image.d, spec.image.h, spec.image.w}},
               {"batch", spec.batch},
               {"input_channels", spec.network.input_channels},
               {"classes", spec.network.classes},
               {"filters", spec.network.filters},
               {"precision", to_string(spec.precision)},
               {"threads", spec.threads}};
  if (spec.memory_limit_bytes) {
    json[kMemoryLimitKey] = *spec.memory_limit_bytes;
  }
  if (!spec.isa.empty()) {
    json[kIsaKey] = spec.isa;
  }
  json["data"] = spec.data;
  reading_to_json(spec.reading, json);
  json["seed"] = spec.seed;
  json["steps"] = spec.steps;
  json["warmup"] = spec.warmup;
  json["process"] = spec.process;
  return json;
}

CaseSpec case_from_json(const Json& json, const std::string& name) {
  check_keys(json, name);
  CaseSpec spec;
  spec.backend = text(json, name, "backend");
  spec.image = dims(json, name, "image");
  spec.batch = integer(json, name, "batch");
  spec.network.input_channels = integer(json, name, "input_channels");
  spec.network.classes = integer(json, name, "classes");
  spec.network.filters = integer(json, name, "filters");
  spec.precision = parse_precision(text(json, name, "precision"));
  spec.threads = small_integer(json, name, "threads");
  if (json.contains(kMemoryLimitKey) && !json.at(kMemoryLimitKey).is_null()) {
    spec.memory_limit_bytes = integer(json, name, "memory_limit_bytes");
  }
  if (json.contains(kIsaKey)) {
    spec.isa = text(json, name, "isa");
  }
  spec.data = text(json, name, "data");
  spec.reading = reading_of(json, name);
  const std::int64_t seed = integer(json, name, "seed");
  check_range("seed", seed, 0, kMaxJsonInteger);
  spec.seed = static_cast<std::uint64_t>(seed);
  spec.steps = small_integer(json, name, "steps");
  spec.warmup = small_integer(json, name, "warmup");
  spec.process = small_integer(json, name, "process");
  check(spec);
  return spec;
}

std::string reproduce_command(const CaseSpec& spec) {
  std::string command = fmt::format(
      "voxmark run --backend {} --image {} --batch {} --channels {} --classes {} --filters {} "
      "--precision {} --threads {} --data {} --seed {} --steps {} --warmup {}",
      shell_word(spec.backend), to_string(spec.image), spec.batch, spec.network.input_channels,
      spec.network.classes, spec.network.filters, to_string(spec.precision), spec.threads,
      shell_word(spec.data), spec.seed, spec.steps, spec.warmup);
  if (spec.memory_limit_bytes) {
    command += fmt::format(" --memory-limit {}", *spec.memory_limit_bytes);
  }
  if (!spec.isa.empty()) {
    command += " --isa " + spec.isa;
  }
  for (const std::string& flag : flags_of(spec.reading)) {
    command += " " + flag;
  }
  return command;
}

std::string describe(const CaseSpec& spec) {
  std::string text = fmt::format("{} {} batch {} {}", spec.backend, to_string(spec.image),
                                 spec.batch, to_string(spec.precision));
  if (!spec.isa.empty()) {
    text += " " + spec.isa;
  }
  if (spec.memory_limit_bytes) {
    text += " within " + bytes_text(*spec.memory_limit_bytes);
  }
  return text;
}

Program training_program(const CaseSpec& spec) {
  return lower(unet3d(spec.network), spec.batch, spec.image, Mode::training);
}

std::int64_t harness_bytes(const CaseSpec& spec) {
  return spec.batch * spec.image.voxels() *
         (spec.network.input_channels + output_channels(spec.network)) *
         static_cast<std::int64_t>(sizeof(float));
}

CompileOptions compile_options(const CaseSpec& spec) {
  CompileOptions options;
  options.precision = spec.precision;
  options.threads = spec.threads;
  if (spec.memory_limit_bytes) {
    options.memory_limit_bytes =
        std::max<std::int64_t>(1, *spec.memory_limit_bytes - harness_bytes(spec));
  }
  return options;
}

Batch case_batch(const CaseSpec& spec) {
  if (spec.data == "synthetic") {
    return synthetic_batch(spec.batch, spec.image, spec.network.input_channels,
                           spec.network.classes, spec.seed, 0);
  }
  return make_batch(subjects(spec), sample_shape(spec), spec.batch, spec.seed, 0, 0);
}

std::vector<std::string> check_data(const CaseSpec& spec) {
  if (spec.data == "synthetic" || spec.data == "phantom") {
    return {};
  }
  return check_first_batch(subjects(spec), sample_shape(spec), spec.batch, spec.seed);
}

CaseSpec verification_shape(const CaseSpec& spec) {
  CaseSpec shape = spec;
  const std::int64_t beyond = std::max<std::int64_t>(0, spec.image.w - kVerifiedExtent);
  shape.image = {std::min(spec.image.d, kVerifiedExtent), std::min(spec.image.h, kVerifiedExtent),
                 std::min(spec.image.w, kVerifiedExtent) + beyond % kRowPeriod};
  shape.batch = std::min(spec.batch, kVerifiedBatch);
  shape.data = "synthetic";
  shape.reading = {};
  shape.memory_limit_bytes.reset();
  shape.steps = 1;
  shape.warmup = 0;
  shape.process = 0;
  return shape;
}

CaseSpec external_verification_shape(const CaseSpec& spec) {
  constexpr int kSteps = 2;
  CaseSpec shape = verification_shape(spec);
  shape.steps = kSteps;
  return shape;
}

}  // namespace voxmark
