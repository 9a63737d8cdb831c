// Lists of values that may have commas of their own, or that may be meant as one value.
#pragma once

#include <string>
#include <vector>

namespace voxmark {

// As split_list(), for values that name files: a folder, "fold:N:FOLDER" or "exec:PROGRAM" whose
// name has commas, and which is there, stays whole. Throws Error (bad_input) as split_list() does.
std::vector<std::string> split_files(const std::string& text, const std::string& name);

// Throws Error (bad_input) for 128,128,64: three cubes, two of them the same, where one image must
// have been meant. `name` stands in the message.
void refuse_one_image_as_cubes(const std::vector<std::string>& images, const std::string& name);

// What is to be said of 128,96,64: three cubes, where one image may have been meant; "" of others.
std::string one_image_meant(const std::vector<std::string>& images);

}  // namespace voxmark
