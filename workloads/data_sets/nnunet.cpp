// Version 2 of nnU-Net: dataset.json names channels and labels; the cases are the files
// imagesTr/CASE_0000.nii.gz, ... with labelsTr/CASE.nii.gz.
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/error.h"
#include "workloads/data_sets/description.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSuffix = 5;         // "_0000"
constexpr std::size_t kMostChannels = 64;  // far past any

bool has_suffix(const std::string& stem) {
  return stem.size() > kSuffix && stem[stem.size() - kSuffix] == '_' &&
         std::all_of(stem.end() - 4, stem.end(),
                     [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
}

// Of imagesTr, in order: hidden files (macOS leaves "._" ones) are none.
std::set<std::string> identifiers_in(const fs::path& folder, const std::string& ending) {
  std::set<std::string> identifiers;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with('.') || !name.ends_with(ending)) continue;
    name.resize(name.size() - ending.size());
    if (has_suffix(name)) identifiers.insert(name.substr(0, name.size() - kSuffix));
  }
  return identifiers;
}

std::string ending_of(const Description& description) {
  const Json& document = description.document;
  if (!document.contains("file_ending")) return ".nii.gz";
  const std::string ending =
      member(document, "file_ending", Json::value_t::string, "a string", description.file)
          .get<std::string>();
  check_ending(ending, description.file + ": \"file_ending\"");
  if (ending != ".nii.gz" && ending != ".nii") {
    throw_bad_input("{}: \"file_ending\": {}, expected .nii.gz or .nii", description.file,
                    dump_json(ending));
  }
  return ending;
}

// "dataset": {"CASE": {"images": [...], "label": ...}}, which stands for imagesTr and labelsTr.
void add_listed(const Json& listed, const Description& description, CaseList& cases) {
  for (const auto& item : listed.items()) {
    const std::string where = fmt::format("{}: dataset[\"{}\"]", description.file, item.key());
    DataCase one;
    for (const Json& image :
         member(item.value(), "images", Json::value_t::array, "an array", where)) {
      if (!image.is_string()) {
        throw_bad_input("{}: \"images\": expected strings, found {}", where, image.type_name());
      }
      one.images.push_back(inside_path(image.get<std::string>(), description, where));
    }
    one.label = inside_path(
        member(item.value(), "label", Json::value_t::string, "a string", where).get<std::string>(),
        description, where);
    cases.add(std::move(one), where);
  }
}

void add_found(const std::set<std::string>& identifiers, const std::string& ending,
               const Description& description, CaseList& cases) {
  for (const std::string& identifier : identifiers) {
    const std::string label = "labelsTr/" + identifier + ending;
    std::error_code error;
    if (!fs::exists(fs::symlink_status(description.root / label, error))) {
      throw_bad_input("{}: no such file, expected the labels of imagesTr/{}_0000{}",
                      (fs::path(description.folder) / label).string(), identifier, ending);
    }
    cases.add({channel_files("imagesTr/" + identifier, ending, description.root), label},
              description.file);
  }
}

void check_channels(const DataSet& dataset, const Description& description) {
  for (const DataCase& one : dataset.cases) {
    if (one.images.size() == dataset.modalities.size()) continue;
    throw_bad_input("{}: {} channel files ({}), expected {}: \"channel_names\" has {}",
                    description.file, one.images.size(),
                    one.images.empty() ? "for " + one.label : one.images.front() + ", ...",
                    dataset.modalities.size(), fmt::join(dataset.modalities, ", "));
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

}  // namespace

bool is_nnunet(const Json& document) {
  return document.is_object() &&
         (document.contains("channel_names") || document.contains("file_ending"));
}

std::vector<std::string> channel_files(const std::string& stem, const std::string& ending,
                                       const fs::path& root) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::size_t channel = 0; channel < kMostChannels; ++channel) {
    std::string file = fmt::format("{}_{:04}{}", stem, channel, ending);
    if (!fs::exists(fs::symlink_status(root / file, error))) break;
    files.push_back(std::move(file));
  }
  return files;
}

DataSet read_nnunet(const Description& description) {
  const Json& document = description.document;
  const std::string ending = ending_of(description);
  const std::set<std::string> identifiers = identifiers_in(description.root / "imagesTr", ending);
  const bool has_list = document.contains("dataset");
  if (identifiers.empty() && !has_list) {
    if (document.contains("training")) return read_datalist(description);
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
               description, cases);
  } else {
    add_found(identifiers, ending, description, cases);
  }
  cases.check_files();
  if (dataset.cases.empty()) throw_bad_input("{}: \"dataset\" is empty", description.file);
  check_channels(dataset, description);
  check_count(dataset, description);
  if (description.fold) {
    throw_bad_input("fold:{}: {} lists no folds: nnU-Net keeps them in nnUNet_preprocessed",
                    *description.fold, description.file);
  }
  return dataset;
}

}  // namespace voxmark
