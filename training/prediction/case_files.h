// What files of a case are called: predictions, overlays.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "workloads/data_sets/batch_source.h"

namespace voxmark {

// The beginning of a file's name for each case, by the case's name: its path in the data set
// without the folder that all of them lie in and without ".nii.gz", so that a person finds it. What
// separates folders, and what file systems do not take, becomes "_"; names that then differ in
// nothing but capitals are told apart by a number: no two are the same on any file system.
std::map<std::string, std::string> file_names(std::vector<std::string> cases);

// Of all cases of a data set, so that a case has the same name whichever part is asked for.
std::map<std::string, std::string> case_files(const SubjectParts& parts);

}  // namespace voxmark
