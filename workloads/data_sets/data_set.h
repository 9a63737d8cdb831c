// A data set of images and labels: which files it lists, what they mean, and the reading of a case.
// Knows nothing of how a description is laid out: datalist.cpp and nnunet.cpp read those.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workloads/images/nifti_header.h"
#include "workloads/images/preprocess.h"
#include "workloads/images/read_options.h"

namespace voxmark {

struct DataCase {
  std::vector<std::string> images;  // relative to the folder: one of all channels, or one for each
  std::string label;
};

// Which case serves for what.
struct CaseSplit {
  std::vector<std::size_t> training;
  std::vector<std::size_t> validation;
  std::vector<std::size_t> test;

  std::size_t count() const { return training.size() + validation.size() + test.size(); }
};

struct DataSet {
  std::string folder;
  std::string layout;  // "decathlon", "nnunet" or "datalist"
  std::string name;
  std::vector<std::string> modalities;  // by channel; empty when the description does not say
  // By value, 0 first: background. Empty when the description does not say: any value is read.
  std::vector<std::string> labels;
  std::optional<std::uint8_t> ignored_label;  // nnU-Net's "ignore"; read as background
  std::vector<DataCase> cases;
  std::optional<CaseSplit> listed_split;  // as the description has it
  std::vector<std::string> notes;         // how it was read where there was a choice, a line each
  ReadOptions reading;                    // how its files are read
};

// Reads the description of a folder (dataset.json, or the one datalist there) or a datalist by its
// file's name, in the layout of the Medical Segmentation Decathlon, of nnU-Net 1 or 2, or of MONAI.
// "fold:N:PATH": fold N of it validates. Throws Error (bad_input) on what is missing or of another
// type, on label values that are not 0, 1, 2, ..., on a file listed twice, on paths that
// lead elsewhere, hold "..", or are no regular files, on links out of the folder unless they are to
// be followed, with every such file; and on other layouts, by their names.
DataSet read_data_set(const std::string& path, const ReadOptions& reading = {});

// Reads a case. `channels`: how many of the image's are read; 0 means all.
// Throws Error (bad_input) when image and label differ in dims or affine, when the image does not
// have a channel per modality, when voxels are NaN or infinite, and when label values are not in
// the map (with one of them and their count). Labels that are off whole numbers by the rounding of
// scl_slope, or as floats by 0.001, are rounded, with a warning.
Subject read_subject(const DataSet& dataset, std::size_t index, std::int64_t channels = 0);

// The case without its voxels: reads the image's header only, and has no other warnings.
Subject outline_subject(const DataSet& dataset, std::size_t index);

// The parts of the same case, for those that need one only. With a file per channel, the header is
// the first one's with the number of files as the 4th extent.
NiftiHeader read_image_header(const DataSet& dataset, std::size_t index);
// The values as they are in the file. `warnings`: where those of the label's file go.
std::vector<std::uint8_t> read_labels(const DataSet& dataset, std::size_t index,
                                      const NiftiHeader& image,
                                      std::vector<std::string>* warnings = nullptr);

// The images of a folder (or of imagesTs or imagesTr in it) that has neither a description nor
// labels, as paths that begin with its name. None where files are labels, as names tell, or where
// an image has a file per channel.
std::vector<std::string> unlabelled_images(const std::string& folder);

// As the description has it; else split_cases().
CaseSplit split_of(const DataSet& dataset, std::uint64_t seed);

// Proportions 406/32/46, as the paper's code splits its 484 cases. Validation and test are rounded
// down, so that a single case is for training.
CaseSplit split_cases(std::size_t count, std::uint64_t seed);

}  // namespace voxmark
