// Version 2 of nnU-Net: dataset.json names channels and labels; the cases are the files
// imagesTr/CASE_0000.nii.gz, ... with labelsTr/CASE.nii.gz.
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "workloads/data_sets/description.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSuffix = 5;  // "_0000"
constexpr const char* kSplits = "splits_final.json";
constexpr std::size_t kMostChannels = 64;  // far past any

bool has_suffix(const std::string& stem) {
  return stem.size() > kSuffix && stem[stem.size() - kSuffix] == '_' &&
         std::all_of(stem.end() - 4, stem.end(),
                     [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
}

std::string channel_file(const std::string& stem, std::size_t channel, const std::string& ending) {
  return fmt::format("{}_{:04}{}", stem, channel, ending);
}

bool is_there(const fs::path& file) {
  std::error_code error;
  return fs::exists(fs::symlink_status(file, error));
}

std::string ending_of(const Description& description) {
  const Json& document = description.document;
  if (!document.contains("file_ending")) {
    return ".nii.gz";
  }
  std::string ending =
      member(document, "file_ending", Json::value_t::string, "a string", description.file)
          .get<std::string>();
  check_ending(ending, description.file + ": \"file_ending\"");
  if (ending != ".nii.gz" && ending != ".nii") {
    throw_bad_input("{}: \"file_ending\": {}, expected .nii.gz or .nii", description.file,
                    dump_json(ending));
  }
  return ending;
}

void add_one_listed(const Json& listed, std::size_t channels, const Description& description,
                    const std::string& where, CaseList& cases) {
  DataCase one;
  for (const Json& image : member(listed, "images", Json::value_t::array, "an array", where)) {
    if (!image.is_string()) {
      throw_bad_input("{}: \"images\": expected strings, found {}", where, image.type_name());
    }
    one.images.push_back(inside_path(image.get<std::string>(), description, where));
  }
  if (one.images.size() != channels) {
    throw_bad_input("{}: {} channel files, expected {} as in \"channel_names\"", where,
                    one.images.size(), channels);
  }
  one.label = inside_path(
      member(listed, "label", Json::value_t::string, "a string", where).get<std::string>(),
      description, where);
  cases.add(std::move(one), where);
}

// "dataset": {"CASE": {"images": [...], "label": ...}}, which stands for imagesTr and labelsTr.
void add_listed(const Json& listed, std::size_t channels, const Description& description,
                CaseList& cases) {
  for (const auto& item : listed.items()) {
    const std::string where = fmt::format("{}: dataset[\"{}\"]", description.file, item.key());
    cases.attempt([&] { add_one_listed(item.value(), channels, description, where, cases); });
  }
}

void add_found(const std::set<std::string>& identifiers, const std::string& ending,
               const std::vector<std::string>& names, const Description& description,
               CaseList& cases) {
  for (const std::string& identifier : identifiers) {
    const std::string image = "imagesTr/" + identifier;
    const std::string label = "labelsTr/" + identifier + ending;
    std::vector<std::string> faults = channel_faults(image, ending, names, description);
    if (!is_there(description.root / label)) {
      faults.push_back(fmt::format("{} is missing: the labels of {}_0000{}",
                                   (fs::path(description.folder) / label).string(), image, ending));
    }
    for (std::string& fault : faults) {
      cases.add_fault(std::move(fault));
    }
    if (!faults.empty()) {
      continue;
    }
    cases.add({channel_files(image, ending, description.root), label}, description.file);
  }
}

void check_count(DataSet& dataset, const Description& description) {
  const auto found = description.document.find("numTraining");
  if (found == description.document.end() || !found->is_number_integer() ||
      *found == dataset.cases.size()) {
    return;
  }
  dataset.notes.push_back(fmt::format("cases: {} has {} of them; its \"numTraining\" says {}",
                                      description.file, dataset.cases.size(), dump_json(*found)));
}

// The places of the cases that a fold's list names, each once.
std::vector<std::size_t> places_of(const Json& fold, const char* key, const std::string& where,
                                   const std::map<std::string, std::size_t>& places) {
  std::vector<std::size_t> found;
  for (const Json& name : member(fold, key, Json::value_t::array, "an array", where)) {
    const auto place = name.is_string() ? places.find(name.get<std::string>()) : places.end();
    if (place == places.end()) {
      throw_bad_input("{}: \"{}\": {}: no such case in labelsTr", where, key, dump_json(name));
    }
    if (std::ranges::count(found, place->second) > 0) {
      throw_bad_input("{}: \"{}\": {} is listed twice", where, key, dump_json(name));
    }
    found.push_back(place->second);
  }
  std::ranges::sort(found);
  return found;
}

// nnU-Net writes the folds into nnUNet_preprocessed; beside dataset.json they are read: fold 0
// validates unless another was asked for.
void choose_fold(const Description& description, const std::string& ending, DataSet& dataset) {
  if (!is_there(description.root / kSplits)) {
    if (description.fold) {
      throw_bad_input(
          "fold:{}: no {} beside {}: nnU-Net keeps it in nnUNet_preprocessed; copy it here",
          *description.fold, kSplits, description.file);
    }
    return;
  }
  FileFaults faults(description.root, description.reading);
  faults.check(kSplits);
  faults.throw_if_any();
  const std::string file = (fs::path(description.folder) / kSplits).string();
  const Json folds = read_json_file((description.root / kSplits).string());
  const std::size_t fold = description.fold.value_or(0);
  if (!folds.is_array() || fold >= folds.size()) {
    throw_bad_input("{}: expected a list with a fold {}, found {}", file, fold,
                    folds.is_array() ? fmt::format("{} folds", folds.size()) : folds.type_name());
  }
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < dataset.cases.size(); ++i) {
    const std::string name = fs::path(dataset.cases[i].label).filename().string();
    places[name.substr(0, name.size() - std::min(name.size(), ending.size()))] = i;
  }
  const std::string where = fmt::format("{}: [{}]", file, fold);
  CaseSplit split{places_of(folds[fold], "train", where, places),
                  places_of(folds[fold], "val", where, places),
                  {}};
  if (split.training.empty()) {
    throw_bad_input("{}: \"train\" is empty, expected at least one case", where);
  }
  std::vector<std::size_t> both;
  std::ranges::set_intersection(split.training, split.validation, std::back_inserter(both));
  if (!both.empty()) {
    throw_bad_input("{}: {} trains and validates", where, dataset.cases[both.front()].label);
  }
  const std::size_t neither = dataset.cases.size() - split.count();
  dataset.notes.push_back(fmt::format(
      "folds: fold {} of the {} in {} says which cases train ({}) and which validate ({}){}; "
      "--data fold:N:{} takes another",
      fold, folds.size(), file, split.training.size(), split.validation.size(),
      neither == 0 ? "" : fmt::format("; {} in neither, not used", neither), description.folder));
  dataset.listed_split = std::move(split);
}

}  // namespace

bool is_nnunet(const Json& document) {
  return document.is_object() &&
         (document.contains("channel_names") || document.contains("file_ending"));
}

std::vector<std::string> channel_files(const std::string& stem, const std::string& ending,
                                       const fs::path& root) {
  std::vector<std::string> files;
  for (std::size_t channel = 0; channel < kMostChannels; ++channel) {
    std::string file = channel_file(stem, channel, ending);
    if (!is_there(root / file)) {
      break;
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<std::string> channel_faults(const std::string& stem, const std::string& ending,
                                        const std::vector<std::string>& names,
                                        const Description& description) {
  std::vector<std::string> faults;
  for (std::size_t channel = 0; channel < std::max(kMostChannels, names.size()); ++channel) {
    const std::string file = channel_file(stem, channel, ending);
    const bool expected = channel < names.size();
    if (is_there(description.root / file) == expected) {
      continue;
    }
    const std::string path = (fs::path(description.folder) / file).string();
    if (expected) {
      faults.push_back(fmt::format("{} is missing: channel {}, {}", path, channel, names[channel]));
    } else {
      faults.push_back(fmt::format("{} is one too many: {} names {} channels ({})", path,
                                   description.file, names.size(), fmt::join(names, ", ")));
    }
  }
  return faults;
}

std::optional<std::string> identifier_of(const std::string& name, const std::string& ending) {
  if (name.starts_with('.') || !name.ends_with(ending)) {
    return {};  // macOS leaves "._" files
  }
  const std::string stem = name.substr(0, name.size() - ending.size());
  if (!has_suffix(stem)) {
    return {};
  }
  return stem.substr(0, stem.size() - kSuffix);
}

std::set<std::string> identifiers_in(const fs::path& folder, const std::string& ending) {
  std::set<std::string> identifiers;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (auto found = identifier_of(entry.path().filename().string(), ending)) {
      identifiers.insert(*found);
    }
  }
  return identifiers;
}

DataSet read_nnunet(const Description& description) {
  const Json& document = description.document;
  const std::string ending = ending_of(description);
  const std::set<std::string> identifiers = identifiers_in(description.root / "imagesTr", ending);
  const bool has_list = document.contains("dataset");
  if (identifiers.empty() && !has_list) {
    if (document.contains("training")) {
      return read_datalist(description);
    }
    refuse_folder(description.folder);
  }
  DataSet dataset;
  dataset.folder = description.folder;
  dataset.layout = "nnunet";
  dataset.name = document.contains("name")
                     ? member(document, "name", Json::value_t::string, "a string", description.file)
                           .get<std::string>()
                     : description.root.filename().string();
  const char* names = document.contains("channel_names") ? "channel_names" : "modality";
  if (!document.contains(names)) {
    throw_bad_input("{}: \"channel_names\" is missing", description.file);
  }
  dataset.modalities = names_by_number(document[names], names, description.file);
  if (!document.contains("labels")) {
    throw_bad_input("{}: \"labels\" is missing", description.file);
  }
  read_label_names(document["labels"], description.file, dataset);
  CaseList cases(description, dataset);
  if (has_list) {
    add_listed(member(document, "dataset", Json::value_t::object, "an object", description.file),
               dataset.modalities.size(), description, cases);
  } else {
    add_found(identifiers, ending, dataset.modalities, description, cases);
  }
  cases.check_files();
  if (dataset.cases.empty()) {
    throw_bad_input("{}: \"dataset\" is empty", description.file);
  }
  check_count(dataset, description);
  note_unlabelled(identifiers_in(description.root / "imagesTs", ending).size(), "imagesTs",
                  dataset);
  choose_fold(description, ending, dataset);
  return dataset;
}

}  // namespace voxmark
