// A data set in the layout of the Medical Segmentation Decathlon: dataset.json lists images and
// labels, and names the label values. Trusts nothing in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "workloads/nifti_header.h"
#include "workloads/preprocess.h"

namespace voxmark {

struct DecathlonCase {
  std::string image;  // as dataset.json writes it, relative to the folder
  std::string label;
};

struct DecathlonDataset {
  std::string folder;
  std::string name;
  std::vector<std::string> modalities;  // by channel; empty when dataset.json does not say
  std::vector<std::string> labels;      // by value, 0 first: background
  std::vector<DecathlonCase> cases;     // the "training" list
};

// Reads FOLDER/dataset.json. Throws Error (bad_input) on what is missing or of another type, on
// label values that are not 0, 1, 2, ..., on a file listed twice, and on paths that are absolute,
// hold "..", lead out of the folder by a link, or are no regular files.
DecathlonDataset read_decathlon(const std::string& folder);

// Reads a case. `channels`: how many of the image's are read; 0 means all.
// Throws Error (bad_input) when image and label differ in dims or affine, when the image does not
// have a channel per modality, when voxels are NaN or infinite, and when label values are not in
// the map (with one of them and their count).
Subject read_subject(const DecathlonDataset& dataset, std::size_t index, std::int64_t channels = 0);

// The case without its voxels: reads the image's header only, and has no other warnings.
Subject outline_subject(const DecathlonDataset& dataset, std::size_t index);

// The parts of the same case, for those that need one only.
NiftiHeader read_image_header(const DecathlonDataset& dataset, std::size_t index);
// `warnings`: where those of the label's file go.
std::vector<std::uint8_t> read_labels(const DecathlonDataset& dataset, std::size_t index,
                                      const NiftiHeader& image,
                                      std::vector<std::string>* warnings = nullptr);

// Which case serves for what: proportions 406/32/46, as the paper's code splits its 484 cases.
// Validation and test are rounded down, so that a single case is for training.
struct CaseSplit {
  std::vector<std::size_t> training;
  std::vector<std::size_t> validation;
  std::vector<std::size_t> test;
};
CaseSplit split_cases(std::size_t count, std::uint64_t seed);

}  // namespace voxmark
