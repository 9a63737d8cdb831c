// "training": [{"image": ..., "label": ...}]: the Decathlon's form. Version 1 of nnU-Net leaves the
// "_0000" out of the images' names; MONAI adds a file per modality, folds and more sections.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "workloads/data_sets/description.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFolds = 1000;

std::string text_of(const Json& value, const std::string& where, const char* key) {
  if (!value.is_string()) {
    throw_bad_input("{}: \"{}\": expected a string, found {}", where, key, value.type_name());
  }
  return value.get<std::string>();
}

std::vector<std::string> listed_images(const Json& entry, const Description& description,
                                       const std::string& where) {
  const auto found = entry.find("image");
  std::vector<std::string> images;
  if (found != entry.end() && found->is_array() && !found->empty()) {
    for (const Json& image : *found) {
      images.push_back(inside_path(text_of(image, where, "image"), description, where));
    }
    return images;
  }
  const Json& image = member(entry, "image", Json::value_t::string, "a string", where);
  return {inside_path(image.get<std::string>(), description, where)};
}

std::string listed_label(const Json& entry, const Description& description,
                         const std::string& where) {
  const auto found = entry.find("label");
  const bool list_of_one = found != entry.end() && found->is_array() && found->size() == 1;
  const Json& label = list_of_one
                          ? found->front()
                          : member(entry, "label", Json::value_t::string, "a string", where);
  return inside_path(text_of(label, where, "label"), description, where);
}

// imagesTr/CASE.nii.gz, which is not there, for imagesTr/CASE_0000.nii.gz and on; also from the
// first of them, where there are several modalities.
bool split_channels(DataCase& one, const Description& description,
                    const std::vector<std::string>& modalities) {
  if (one.images.size() != 1) {
    return false;
  }
  std::string stem = one.images.front();
  const std::string ending = stem.ends_with(".nii.gz") ? ".nii.gz" : ".nii";
  if (!stem.ends_with(ending)) {
    return false;
  }
  stem.resize(stem.size() - ending.size());
  std::error_code error;
  if (fs::exists(fs::symlink_status(description.root / one.images.front(), error))) {
    if (modalities.size() < 2 || !stem.ends_with("_0000")) {
      return false;
    }
    stem.resize(stem.size() - std::string_view("_0000").size());
  }
  std::vector<std::string> channels = channel_files(stem, ending, description.root);
  if (channels.empty()) {
    return false;
  }
  if (!modalities.empty()) {
    const std::vector<std::string> faults = channel_faults(stem, ending, modalities, description);
    if (!faults.empty()) {
      throw_bad_input("{}", fmt::join(faults, "; "));
    }
  }
  one.images = std::move(channels);
  return true;
}

// What a list with the choices that MONAI's have says of each case.
struct Sections {
  std::vector<std::optional<std::size_t>> folds;  // of the training list's cases
  std::size_t validation = 0;                     // cases of that section, behind those
  std::size_t test = 0;                           // and of this one
};

std::optional<std::size_t> fold_of(const Json& entry, const std::string& where) {
  const auto found = entry.find("fold");
  if (found == entry.end() || found->is_null()) {
    return {};
  }
  if (!found->is_number_integer() || *found < 0 || *found >= kMostFolds) {
    throw_bad_input("{}: \"fold\": {}, expected a whole number from 0", where, dump_json(*found));
  }
  return found->get<std::size_t>();
}

class Reader {
 public:
  explicit Reader(const Description& description)
      : description_(description), cases_(description, dataset_) {}

  DataSet read() {
    dataset_.folder = description_.folder;
    dataset_.layout = "decathlon";
    read_names();
    const Json& training = member(description_.document, "training", Json::value_t::array,
                                  "an array", description_.file);
    if (training.empty()) {
      throw_bad_input("{}: \"training\" is empty, expected at least one case", description_.file);
    }
    for (std::size_t i = 0; i < training.size(); ++i) {
      const std::string where = fmt::format("{}: training[{}]", description_.file, i);
      cases_.attempt([&] {
        add(training[i], where);
        sections_.folds.push_back(fold_of(training[i], where));
      });
    }
    sections_.validation = add_labelled("validation");
    sections_.test = add_labelled("test") + add_labelled("testing");
    cases_.check_files();
    if (split_channels_) {
      dataset_.layout = "nnunet";
    } else if (sections_.validation + sections_.test > 0 || has_folds() ||
               dataset_.labels.empty() || dataset_.cases.front().images.size() > 1) {
      dataset_.layout = "datalist";
    }
    check_modalities();
    choose_split();
    return std::move(dataset_);
  }

 private:
  // A datalist may lack all of them.
  void read_names() {
    const Json& document = description_.document;
    const bool named = document.is_object() && document.contains("name");
    dataset_.name =
        named ? member(document, "name", Json::value_t::string, "a string", description_.file)
                    .get<std::string>()
              : fs::path(description_.file).stem().string();
    if (!document.is_object()) {
      return;  // member() refuses it
    }
    if (document.contains("labels")) {
      read_label_names(document["labels"], description_.file, dataset_);
    } else {
      dataset_.notes.push_back(fmt::format(
          "labels: {} does not name any; every value above 0 is one class. To name them, add "
          "\"labels\": {{\"background\": 0, \"tumour\": 1}}",
          description_.file));
    }
    // Of a datalist, "modality" may be a word for all of it ("MRI").
    const char* key = document.contains("channel_names") ? "channel_names" : "modality";
    if (document.contains(key) && !document[key].is_string()) {
      dataset_.modalities = names_by_number(document[key], key, description_.file);
    }
  }

  void add(const Json& entry, const std::string& where) {
    if (!entry.is_object()) {
      throw_bad_input("{}: expected an object, found {}", where, entry.type_name());
    }
    DataCase one;
    one.images = listed_images(entry, description_, where);
    one.label = listed_label(entry, description_, where);
    const bool split = split_channels(one, description_, dataset_.modalities);
    split_channels_ = split_channels_ || split;
    const std::size_t expected =
        dataset_.cases.empty() ? one.images.size() : dataset_.cases.front().images.size();
    if (one.images.size() != expected) {
      throw_bad_input("{}: {} image files, expected {} as in {}", where, one.images.size(),
                      expected, dataset_.cases.front().images.front());
    }
    cases_.add(std::move(one), where);
  }

  // A section's cases with a label. The Decathlon lists test images without, as texts.
  std::size_t add_labelled(const char* section) {
    const auto found = description_.document.find(section);
    if (found == description_.document.end() || !found->is_array()) {
      return 0;
    }
    std::size_t added = 0;
    for (std::size_t i = 0; i < found->size(); ++i) {
      const Json& entry = (*found)[i];
      if (!entry.is_object() || !entry.contains("label")) {
        continue;
      }
      cases_.attempt([&] { add(entry, fmt::format("{}: {}[{}]", description_.file, section, i)); });
      ++added;
    }
    note_unlabelled(found->size() - added, fmt::format("\"{}\"", section), dataset_);
    return added;
  }

  bool has_folds() const {
    return std::ranges::any_of(sections_.folds, [](const auto& fold) { return fold.has_value(); });
  }

  // With a file per modality, "modality" may name all of them at once.
  void check_modalities() {
    const std::size_t files = dataset_.cases.front().images.size();
    if (files == 1 || dataset_.modalities.empty() || dataset_.modalities.size() == files) {
      return;
    }
    dataset_.modalities.clear();
  }

  void choose_split() {
    const std::size_t training = sections_.folds.size();
    const bool by_section = sections_.validation > 0;
    if (description_.fold && (by_section || !has_folds())) {
      throw_bad_input("fold:{}: {} lists no folds, expected \"fold\" in the cases of \"training\"",
                      *description_.fold, description_.file);
    }
    if (!by_section && !has_folds()) {
      if (sections_.test > 0) {
        split_beside_test(training);
      }
      return;
    }
    CaseSplit split;
    const std::size_t fold = description_.fold.value_or(0);
    for (std::size_t i = 0; i < dataset_.cases.size(); ++i) {
      const bool in_fold = i < training && !by_section && sections_.folds[i] == fold;
      const bool validates = in_fold || (i >= training && i < training + sections_.validation);
      const bool tests = i >= training + sections_.validation;
      (tests ? split.test : validates ? split.validation : split.training).push_back(i);
    }
    if (!by_section) {
      note_folds(fold, split);
    }
    dataset_.listed_split = std::move(split);
  }

  void note_folds(std::size_t fold, const CaseSplit& split) {
    std::set<std::size_t> all;
    for (const auto& one : sections_.folds) {
      if (one) {
        all.insert(*one);
      }
    }
    if (split.validation.empty() || split.training.empty()) {
      throw_bad_input("{}: fold {} holds {} of the {} cases; the folds are {}", description_.file,
                      fold, split.validation.size(), sections_.folds.size(), fmt::join(all, ", "));
    }
    dataset_.notes.push_back(
        fmt::format("folds: the cases of fold {} validate, those of the others train (folds {}); "
                    "--data fold:N:{} takes another",
                    fold, fmt::join(all, ", "), description_.folder));
  }

  // Test cases are listed, validation cases are not: these are drawn from the training list, always
  // the same ones.
  void split_beside_test(std::size_t training) {
    const CaseSplit drawn = split_cases(training, 1);
    CaseSplit split = drawn;
    split.training.insert(split.training.end(), drawn.test.begin(), drawn.test.end());
    split.test.clear();
    for (std::size_t i = training; i < dataset_.cases.size(); ++i) {
      split.test.push_back(i);
    }
    dataset_.listed_split = std::move(split);
  }

  const Description& description_;
  DataSet dataset_;
  CaseList cases_;
  Sections sections_;
  bool split_channels_ = false;
};

}  // namespace

bool is_list_of_cases(const Json& document) {
  return document.is_array() && !document.empty() && document.front().is_object() &&
         document.front().contains("image");
}

DataSet read_datalist(const Description& description) { return Reader(description).read(); }

std::vector<std::string> datalists_in(const fs::path& root) {
  constexpr std::uintmax_t kMostBytes = std::uintmax_t{64} << 20U;
  std::vector<std::string> lists;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".json") || name.starts_with('.') || entry.is_symlink(error) ||
        !entry.is_regular_file(error) || entry.file_size(error) > kMostBytes) {
      continue;
    }
    try {
      const Json document = read_json_file(entry.path().string());
      if (is_list_of_cases(document) || (document.is_object() && document.contains("training") &&
                                         document["training"].is_array())) {
        lists.push_back(name);
      }
    } catch (const Error&) {
      continue;  // another JSON file: this one is no description
    }
  }
  std::ranges::sort(lists);
  return lists;
}

}  // namespace voxmark
