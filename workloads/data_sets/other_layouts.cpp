// Folders that are not read: what they are, as far as names tell, and the way to one that is.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "workloads/data_sets/description.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostEntries = 5000;  // of a folder: enough to see what it is

struct Listing {
  std::vector<std::string> folders;
  std::vector<std::string> files;
};

Listing list_of(const fs::path& folder) {
  Listing listing;
  std::error_code error;
  std::size_t left = kMostEntries;
  for (fs::directory_iterator at(folder, error), end; at != end && left > 0; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with('.')) {
      continue;
    }
    (at->is_directory(error) ? listing.folders : listing.files).push_back(name);
    --left;
  }
  std::ranges::sort(listing.folders);
  std::ranges::sort(listing.files);
  return listing;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_nifti(const std::string& name) {
  return name.ends_with(".nii") || name.ends_with(".nii.gz");
}

bool looks_like_labels(const std::string& name) {
  return std::ranges::any_of(std::array{"seg", "label", "mask", "_gt"}, [&](const char* word) {
    return name.find(word) != std::string::npos;
  });
}

// The entry that a datalist would have for a case's files.
std::string entry_text(const std::string& folder, const std::vector<std::string>& files) {
  Json images = Json::array();
  std::string label = "LABELS.nii.gz";
  for (const std::string& file : files) {
    if (!is_nifti(file)) {
      continue;
    }
    const std::string path = (fs::path(folder) / file).string();
    if (looks_like_labels(file)) {
      label = path;
    } else {
      images.push_back(path);
    }
  }
  const Json entry = {{"image", images.size() == 1 ? images.front() : images}, {"label", label}};
  return dump_json(entry);
}

std::string way(const std::string& folder, const std::string& entry) {
  return fmt::format(
      "write {}: {{\"labels\": {{\"0\": \"background\", \"1\": \"tumour\"}}, \"training\": [{}, "
      "...]}}",
      (fs::path(folder) / "dataset.json").string(), entry);
}

std::optional<std::string> preprocessed(const std::string& folder, const Listing& listing) {
  const bool found = std::ranges::any_of(listing.files, [](const std::string& name) {
    return name == "dataset_fingerprint.json" || name == "plans.json" ||
           name.ends_with("Plans.json") || name == "splits_final.json" ||
           name.find("_plans_") != std::string::npos;
  });
  if (!found && !has(listing.folders, "gt_segmentations")) {
    return {};
  }
  return fmt::format(
      "{}: nnU-Net's preprocessed data or results, which are not read: name the data set's folder "
      "in nnUNet_raw, with imagesTr and labelsTr",
      folder);
}

std::optional<std::string> several(const std::string& folder, const fs::path& root,
                                   const Listing& listing) {
  std::vector<std::string> sets;
  std::error_code error;
  for (const std::string& name : listing.folders) {
    if (fs::exists(root / name / "dataset.json", error)) {
      sets.push_back(name);
    }
  }
  if (sets.empty()) {
    return {};
  }
  return fmt::format("{}: a folder of {} data sets ({}), expected one: name it, as in {}", folder,
                     sets.size(), fmt::join(sets, ", "),
                     (fs::path(folder) / sets.front()).string());
}

std::optional<std::string> bids(const std::string& folder, const Listing& listing) {
  const bool subjects = std::ranges::any_of(
      listing.folders, [](const std::string& name) { return name.starts_with("sub-"); });
  if (!has(listing.files, "dataset_description.json") && !subjects) {
    return {};
  }
  const std::string subject = "sub-01/anat/sub-01_T1w.nii.gz";
  return fmt::format("{}: a BIDS folder, which does not say what its labels are: {}", folder,
                     way(folder, dump_json({{"image", subject},
                                            {"label", "derivatives/labels/sub-01_dseg.nii.gz"}})));
}

const char* name_of_cases(const std::vector<std::string>& files) {
  if (has(files, "imaging.nii.gz")) {
    return "KiTS";
  }
  const auto ends = [&](std::string_view with) {
    return std::ranges::any_of(files, [&](const auto& name) { return name.ends_with(with); });
  };
  const bool brats = ends("_flair.nii.gz") || ends("_flair.nii") || ends("-t2f.nii.gz");
  return brats ? "BraTS" : nullptr;
}

std::optional<std::string> case_folders(const std::string& folder, const fs::path& root,
                                        const Listing& listing) {
  for (const std::string& name : listing.folders) {
    const std::vector<std::string> files = list_of(root / name).files;
    const auto images = std::ranges::count_if(files, is_nifti);
    if (images < 2 || std::ranges::none_of(files, looks_like_labels)) {
      continue;
    }
    const char* known = name_of_cases(files);
    return fmt::format("{}: a folder per case{}, without a description: {}", folder,
                       known == nullptr ? "" : fmt::format(", as {} has it", known),
                       way(folder, entry_text(name, files)));
  }
  return {};
}

std::optional<std::string> dicom(const std::string& folder, const fs::path& root,
                                 const Listing& listing) {
  const auto is_dicom = [](const std::vector<std::string>& files) {
    return std::ranges::any_of(files, [](const std::string& name) {
      return name.ends_with(".dcm") || name == "DICOMDIR";
    });
  };
  bool found = is_dicom(listing.files);
  for (std::size_t i = 0; i < listing.folders.size() && !found; ++i) {
    found = is_dicom(list_of(root / listing.folders[i]).files);
  }
  if (!found) {
    return {};
  }
  return fmt::format(
      "{}: DICOM, which is not read: convert it with dcm2niix, then list images and labels in "
      "dataset.json",
      folder);
}

// imagesTr/CASE_0000.nii.gz without dataset.json: the description that nnU-Net wants.
std::optional<std::string> nnunet_without_description(const std::string& folder,
                                                      const fs::path& root) {
  const bool is_images = root.filename() == "imagesTr";
  const fs::path images = is_images ? root : root / "imagesTr";
  for (const char* ending : {".nii.gz", ".nii"}) {
    const std::set<std::string> identifiers = identifiers_in(images, ending);
    if (identifiers.empty()) {
      continue;
    }
    Json names = Json::object();
    std::size_t channels = 1;
    for (const std::string& identifier : identifiers) {
      channels = std::max(channels, channel_files(identifier, ending, images).size());
    }
    for (std::size_t i = 0; i < channels; ++i) {
      names[std::to_string(i)] = fmt::format("CHANNEL {}", i);
    }
    const Json document = {{"channel_names", names},
                           {"labels", {{"background", 0}, {"tumour", 1}}},
                           {"numTraining", identifiers.size()},
                           {"file_ending", ending}};
    const fs::path place = is_images ? root.parent_path() : fs::path(folder);
    return fmt::format("{}: nnU-Net's images without a description: write {}, with your names: {}",
                       folder, (place / "dataset.json").string(), dump_json(document));
  }
  return {};
}

std::optional<std::string> images_alone(const std::string& folder, const fs::path& root,
                                        const Listing& listing) {
  const bool has_images = has(listing.folders, "imagesTr");
  const std::vector<std::string> files =
      has_images ? list_of(root / "imagesTr").files : listing.files;
  const auto first = std::ranges::find_if(files, is_nifti);
  if (first == files.end()) {
    for (const std::string& file : files) {
      check_ending(file, folder);
    }
    return {};
  }
  const std::string image = has_images ? "imagesTr/" + *first : *first;
  const std::string label = "labelsTr/" + *first;
  return fmt::format("{}: images without a description: {}", folder,
                     way(folder, dump_json({{"image", image}, {"label", label}})));
}

// Whether it is one of several files of an image, a channel each.
bool is_channel(const std::string& file, const std::vector<std::string>& files) {
  for (const std::string ending : {".nii.gz", ".nii"}) {
    if (const auto identifier = identifier_of(file, ending)) {
      return file != *identifier + "_0000" + ending || has(files, *identifier + "_0001" + ending);
    }
  }
  return false;
}

// imagesTs and imagesTr have their labels beside them.
bool has_labels(const fs::path& images) {
  constexpr std::string_view kImages = "images";
  const std::string name = images.filename().string();
  std::error_code error;
  return name.starts_with(kImages) &&
         fs::exists(images.parent_path() / ("labels" + name.substr(kImages.size())), error);
}

bool has_description(const fs::path& root) {
  std::error_code error;
  return fs::exists(fs::symlink_status(root / "dataset.json", error)) ||
         !datalists_in(root).empty();
}

}  // namespace

std::vector<std::string> unlabelled_images(const std::string& folder) {
  std::error_code error;
  fs::path root = fs::canonical(folder, error);
  if (error || !fs::is_directory(root, error) || has_description(root) ||
      fs::exists(root / "labelsTr", error)) {
    return {};
  }
  fs::path named = folder;
  for (const char* part : {"imagesTs", "imagesTr"}) {
    if (fs::is_directory(root / part, error)) {
      root /= part;
      named /= part;
      break;
    }
  }
  const std::vector<std::string> files = list_of(root).files;
  std::vector<std::string> images;
  for (const std::string& file : files) {
    if (!is_nifti(file)) {
      continue;
    }
    if (looks_like_labels(file) || is_channel(file, files)) {
      return {};
    }
    if (fs::is_regular_file(root / file, error)) {
      images.push_back((named / file).string());
    }
  }
  return has_labels(root) ? std::vector<std::string>() : images;
}

void refuse_folder(const std::string& folder) {
  const fs::path root = fs::canonical(folder);
  const Listing listing = list_of(root);
  std::optional<std::string> what = preprocessed(folder, listing);
  if (!what && has(listing.files, "dataset.json")) {
    what = fmt::format(
        "{}: nnU-Net's dataset.json, but no imagesTr/CASE_0000.nii.gz (its "
        "\"file_ending\") and no \"training\" list",
        folder);
  }
  std::error_code error;
  if (!what && fs::exists(root.parent_path() / "dataset.json", error)) {
    what = fmt::format("{}: a part of a data set, expected its folder: {}", folder,
                       root.parent_path().string());
  }
  if (!what) {
    what = several(folder, root, listing);
  }
  if (!what) {
    what = bids(folder, listing);
  }
  if (!what) {
    what = case_folders(folder, root, listing);
  }
  if (!what) {
    what = dicom(folder, root, listing);
  }
  if (!what) {
    what = nnunet_without_description(folder, root);
  }
  if (!what) {
    what = images_alone(folder, root, listing);
  }
  if (!what) {
    what = fmt::format(
        "{}: no dataset.json, expected the folder of a data set of the Medical Segmentation "
        "Decathlon, of nnU-Net, or with MONAI's datalist",
        folder);
  }
  throw_bad_input("{}", *what);
}

}  // namespace voxmark
