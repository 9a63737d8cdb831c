// What the readers of data set descriptions share: the document, and the checks of what it lists.
// Trusts nothing in it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "workloads/data_sets/data_files.h"
#include "workloads/data_sets/data_set.h"

namespace voxmark {

inline constexpr std::size_t kMaxLabels = 256;  // they are held as bytes

struct Description {
  std::string folder;          // as it was named
  std::filesystem::path root;  // canonical
  std::string file;            // for messages
  Json document;
  std::optional<std::size_t> fold;  // that was asked for
  ReadOptions reading;
};

// The member `key` of an object. Throws Error (bad_input) when it is missing or of another type.
const Json& member(const Json& object, const char* key, Json::value_t type, const char* type_name,
                   const std::string& where);

// Names for 0, 1, 2, ... of {"0": "FLAIR", "1": "T1w"} (also "0000") or of ["FLAIR", "T1w"].
std::vector<std::string> names_by_number(const Json& map, const char* key,
                                         const std::string& where);

// "labels" in any layout: by number, by name ({"background": 0, "tumour": 1}), or with regions
// ({"whole tumour": [1, 2], "core": 2}). Sets labels, ignored_label and notes.
void read_label_names(const Json& labels, const std::string& where, DataSet& dataset);

// A path as a description has it, relative to the folder. "\" separates too, unless a file has
// that very name. An absolute path that leads into the folder becomes a relative one.
// Throws Error (bad_input), before anything is opened, on one that is not inside the folder.
std::string inside_path(const std::string& written, const Description& description,
                        const std::string& where);

// Notes how many images of `place` ("imagesTs", "\"test\"") have no labels, unless none are there.
void note_unlabelled(std::size_t images, const std::string& place, DataSet& dataset);

// Collects cases, with every check of their files.
class CaseList {
 public:
  CaseList(const Description& description, DataSet& dataset)
      : description_(description),
        dataset_(dataset),
        faults_(description.root, description.reading) {}
  // `where` stands in messages. The paths are those of inside_path().
  void add(DataCase one, const std::string& where);
  // A case that cannot be added.
  void add_fault(std::string fault) { faults_.add(std::move(fault)); }
  // What `add_one` throws of bad input is a fault.
  void attempt(const std::function<void()>& add_one);
  // Throws Error (bad_input) with every fault, once all are added.
  void check_files() const { faults_.throw_if_any(); }

 private:
  const Description& description_;
  DataSet& dataset_;
  FileFaults faults_;
  std::set<std::filesystem::path> seen_;
};

// The Decathlon's list, version 1 of nnU-Net's, and MONAI's.
DataSet read_datalist(const Description& description);

// Version 2 of nnU-Net's: the cases are what lies in imagesTr.
bool is_nnunet(const Json& document);
DataSet read_nnunet(const Description& description);
// CASE_0000.nii.gz, CASE_0001.nii.gz, ... for `stem` CASE, as many as there are. `ending` .nii.gz.
std::vector<std::string> channel_files(const std::string& stem, const std::string& ending,
                                       const std::filesystem::path& root);
// Of a case with a file for each of `names`: the files that are missing, and those too many.
std::vector<std::string> channel_faults(const std::string& stem, const std::string& ending,
                                        const std::vector<std::string>& names,
                                        const Description& description);
// CASE of CASE_0000.nii.gz, where that is the name's form.
std::optional<std::string> identifier_of(const std::string& name, const std::string& ending);
// Of a folder's files.
std::set<std::string> identifiers_in(const std::filesystem::path& folder,
                                     const std::string& ending);

// [{"image": ..., "label": ...}, ...]: a datalist's "training" alone.
bool is_list_of_cases(const Json& document);

// Datalists in a folder without dataset.json, by name.
std::vector<std::string> datalists_in(const std::filesystem::path& root);

// Throws Error (bad_input): what such a folder is, as far as can be seen, and the way to one that
// is read. For folders without a description, and for nnU-Net's without images.
[[noreturn]] void refuse_folder(const std::string& folder);

// Throws Error (bad_input) for a file's ending of another format, by its name.
void check_ending(const std::string& path, const std::string& where);

}  // namespace voxmark
