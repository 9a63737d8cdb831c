// What a program of somebody else's is: by the digests of the files that its command names.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "results/record_facts.h"

namespace voxmark {

class OutsideProgram {
 public:
  // {"command": "python3 new/step.py --fast",
  //  "files": [{"path": "/usr/bin/python3", "sha256": "..."}, {"path": "new/step.py", ...}]}
  // The program, and every argument that is a file (also behind "--weights="). A module that the
  // program loads by another name (python3 -m) is none of them.
  OutsideProgramFacts facts(const std::vector<std::string>& command);

 private:
  struct Known {
    std::filesystem::file_time_type written;
    std::uintmax_t bytes = 0;
    std::string sha256;
  };
  std::string digest(const std::string& file);

  std::map<std::string, Known> known_;  // by path, as long as the file is not written anew
};

// What a person should know before two contenders are compared whose facts these are: that they are
// the same program; "" where they differ in a file.
std::string same_program_warning(const OutsideProgramFacts& first,
                                 const OutsideProgramFacts& second);

}  // namespace voxmark
