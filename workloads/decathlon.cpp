#include "workloads/decathlon.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "workloads/nifti.h"
#include "workloads/shuffle.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLabels = 256;              // labels are held as bytes
constexpr std::uint64_t kSplitStream = 1ULL << 56U;  // apart from every tensor's stream

// Affines of an image and its label come from different programs, through float32: what is below a
// thousandth of a millimetre is rounding, and no scanner resolves it.
constexpr double kSameAffineMillimetres = 1e-3;

std::string file_of(const DecathlonDataset& dataset, const std::string& relative) {
  return (fs::path(dataset.folder) / relative).lexically_normal().string();
}

void check_lexically(const std::string& path, const std::string& json_name) {
  const fs::path parsed(path);
  const bool climbs = std::find(parsed.begin(), parsed.end(), "..") != parsed.end();
  const bool has_control_characters = std::any_of(
      path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (path.empty() || has_control_characters || parsed.is_absolute() || climbs) {
    throw_bad_input("{}: path {}, expected one inside the folder, without \"..\"", json_name,
                    dump_json(path));
  }
}

// Follows every link, and then insists on a regular file below `root`.
void check_on_disk(const std::string& path, const fs::path& root) {
  std::error_code error;
  const fs::path real = fs::canonical(root / path, error);
  if (error) throw_bad_input("{}: {}", (root / path).string(), error.message());
  const auto [root_end, unused] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  if (root_end != root.end()) {
    throw_bad_input("{}: a link out of the folder, to {}", (root / path).string(), real.string());
  }
  if (!fs::is_regular_file(real, error)) {
    throw_bad_input("{}: expected a regular file", (root / path).string());
  }
}

const Json& member(const Json& object, const char* key, Json::value_t type, const char* type_name,
                   const std::string& where) {
  if (!object.is_object()) {
    throw_bad_input("{}: expected an object, found {}", where, object.type_name());
  }
  const auto found = object.find(key);
  if (found == object.end()) throw_bad_input("{}: \"{}\" is missing", where, key);
  if (found->type() != type) {
    throw_bad_input("{}: \"{}\": expected {}, found {}", where, key, type_name, found->type_name());
  }
  return *found;
}

// {"0": "background", "1": "edema"} -> names by number. The numbers must be 0, 1, 2, ...
std::vector<std::string> names_by_number(const Json& map, const char* key,
                                         const std::string& where) {
  std::vector<std::string> names(map.size());
  if (map.empty() || map.size() > kMaxLabels) {
    throw_bad_input("{}: \"{}\" has {} entries, expected 1 to {}", where, key, map.size(),
                    kMaxLabels);
  }
  for (std::size_t number = 0; number < map.size(); ++number) {
    const auto found = map.find(std::to_string(number));
    if (found == map.end() || !found->is_string()) {
      throw_bad_input(
          "{}: \"{}\": expected a name for each of \"0\" to \"{}\", found none for "
          "\"{}\"",
          where, key, map.size() - 1, number);
    }
    names[number] = found->get<std::string>();
  }
  return names;
}

std::vector<DecathlonCase> read_cases(const Json& document, const fs::path& root,
                                      const std::string& where) {
  const Json& list = member(document, "training", Json::value_t::array, "an array", where);
  if (list.empty()) throw_bad_input("{}: \"training\" is empty, expected at least one case", where);
  std::vector<DecathlonCase> cases;
  std::set<fs::path> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string entry = fmt::format("{}: training[{}]", where, i);
    DecathlonCase subject;
    const auto path = [&](const char* key) {
      return member(list[i], key, Json::value_t::string, "a string", entry).get<std::string>();
    };
    subject.image = path("image");
    subject.label = path("label");
    for (const std::string& file : {subject.image, subject.label}) {
      check_lexically(file, entry);
      check_on_disk(file, root);
      // Listed twice, a case could be trained on and tested on.
      if (!seen.insert(fs::canonical(root / file)).second) {
        throw_bad_input("{}: \"{}\" is listed twice", entry, file);
      }
    }
    cases.push_back(std::move(subject));
  }
  return cases;
}

Dims spatial_dims(const NiftiHeader& header) {
  return {header.shape[0], header.shape[1], header.shape[2]};
}

void check_same_affine(const NiftiHeader& image, const NiftiHeader& label,
                       const std::string& label_file) {
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      const double expected = image.affine[row][column];
      const double found = label.affine[row][column];
      if (!(std::abs(expected - found) <= kSameAffineMillimetres)) {
        throw_bad_input("{}: affine[{}][{}] = {}, expected {} as in the image", label_file, row,
                        column, found, expected);
      }
    }
  }
}

void add_warnings(const std::string& file, const NiftiHeader& header,
                  std::vector<std::string>& warnings) {
  for (const std::string& warning : header.warnings) {
    warnings.push_back(fmt::format("{}: {}", file, warning));
  }
}

}  // namespace

DecathlonDataset read_decathlon(const std::string& folder) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error)
    throw_bad_input("{}: {}, expected phantom data or a Decathlon folder", folder, error.message());
  if (!fs::is_directory(root)) throw_bad_input("{}: expected a Decathlon folder", folder);
  check_on_disk("dataset.json", root);

  const std::string where = (fs::path(folder) / "dataset.json").string();
  const Json document = read_json_file(where);
  DecathlonDataset dataset;
  dataset.folder = folder;
  dataset.name = member(document, "name", Json::value_t::string, "a string", where);
  dataset.labels = names_by_number(
      member(document, "labels", Json::value_t::object, "an object", where), "labels", where);
  if (document.contains("modality")) {
    dataset.modalities = names_by_number(
        member(document, "modality", Json::value_t::object, "an object", where), "modality", where);
  }
  dataset.cases = read_cases(document, root, where);
  return dataset;
}

NiftiHeader read_image_header(const DecathlonDataset& dataset, std::size_t index) {
  const std::string file = file_of(dataset, dataset.cases.at(index).image);
  NiftiHeader header = NiftiReader(file).header();
  if (header.shape.size() != 3 && header.shape.size() != 4) {
    throw_bad_input("{}: shape {}, expected 3 dimensions, or 4 with the channels last", file,
                    fmt::join(header.shape, "x"));
  }
  const std::int64_t channels = header.shape.size() == 4 ? header.shape[3] : 1;
  const auto modalities = static_cast<std::int64_t>(dataset.modalities.size());
  if (modalities != 0 && channels != modalities) {
    throw_bad_input("{}: {} channels, expected {}: one per modality in dataset.json", file,
                    channels, modalities);
  }
  return header;
}

std::vector<std::uint8_t> read_labels(const DecathlonDataset& dataset, std::size_t index,
                                      const NiftiHeader& image,
                                      std::vector<std::string>* warnings) {
  const std::string file = file_of(dataset, dataset.cases.at(index).label);
  const NiftiHeader header = NiftiReader(file).header();
  const bool one_volume =
      header.shape.size() == 3 || (header.shape.size() == 4 && header.shape[3] == 1);
  if (!one_volume || spatial_dims(header) != spatial_dims(image)) {
    throw_bad_input("{}: shape {}, expected {} as in the image", file, fmt::join(header.shape, "x"),
                    to_string(spatial_dims(image)));
  }
  check_same_affine(image, header, file);

  const NiftiImage read = read_nifti(file);
  if (warnings != nullptr) {
    add_warnings(file, read.header, *warnings);
  }
  const std::vector<float>& values = read.values;
  std::vector<std::uint8_t> labels(values.size());
  std::size_t unknown = 0;
  float first_unknown = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = values[i];
    if (value >= 0 && value < static_cast<float>(dataset.labels.size()) &&
        value == std::floor(value)) {
      labels[i] = static_cast<std::uint8_t>(value);
    } else if (unknown++ == 0) {
      first_unknown = value;
    }
  }
  if (unknown > 0) {
    throw_bad_input("{}: label value {} ({} voxels hold values outside the map), expected 0 to {}",
                    file, first_unknown, unknown, dataset.labels.size() - 1);
  }
  return labels;
}

Subject outline_subject(const DecathlonDataset& dataset, std::size_t index) {
  const NiftiHeader header = read_image_header(dataset, index);
  Subject subject;
  subject.name = file_of(dataset, dataset.cases.at(index).image);
  subject.dims = spatial_dims(header);
  subject.channels = header.shape.size() == 4 ? header.shape[3] : 1;
  add_warnings(subject.name, header, subject.warnings);
  return subject;
}

Subject read_subject(const DecathlonDataset& dataset, std::size_t index, std::int64_t channels) {
  const NiftiHeader header = read_image_header(dataset, index);
  Subject subject;
  subject.name = file_of(dataset, dataset.cases.at(index).image);
  subject.dims = spatial_dims(header);
  subject.labels = read_labels(dataset, index, header, &subject.warnings);
  NiftiImage image = read_nifti(subject.name, channels);
  subject.channels = image.channels;
  subject.image = std::move(image.values);
  add_warnings(subject.name, image.header, subject.warnings);
  return subject;
}

CaseSplit split_cases(std::size_t count, std::uint64_t seed) {
  constexpr std::size_t kAll = 484;
  constexpr std::size_t kValidation = 32;
  constexpr std::size_t kTest = 46;
  const std::vector<std::size_t> order = shuffled(count, seed, kSplitStream);
  const std::size_t validation = count * kValidation / kAll;
  const std::size_t test = count * kTest / kAll;
  const auto begin = order.begin();
  const auto validation_begin = begin + static_cast<std::ptrdiff_t>(count - validation - test);
  const auto test_begin = validation_begin + static_cast<std::ptrdiff_t>(validation);
  return {{begin, validation_begin}, {validation_begin, test_begin}, {test_begin, order.end()}};
}

}  // namespace voxmark
