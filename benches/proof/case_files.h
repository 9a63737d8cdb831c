// The files that an external program starts from: weights and batch of a case, as safetensors, in a
// folder that is gone with this object. What the program computed is left there too.
#pragma once

#include <string>

#include "workloads/cases/case_spec.h"

namespace voxmark {

struct CasePaths {
  std::string weights;  // parameters and moving statistics, by the program's names
  std::string batch;    // "input" (N, D, H, W, C) and "target" (N, D, H, W, C_out)
};

class CaseFiles {
 public:
  CaseFiles() = default;
  ~CaseFiles();
  CaseFiles(const CaseFiles&) = delete;
  CaseFiles& operator=(const CaseFiles&) = delete;

  // Initial weights, as every backend is timed with. Written when they are not those of the call
  // before, whose files are removed. Throws Error (internal) when they cannot be written.
  CasePaths for_timing(const CaseSpec& spec);
  // verification_weights(); `shape` is a verification_shape().
  CasePaths for_verification(const CaseSpec& shape);
  // Where results are to be written: no file yet.
  std::string results_path();

 private:
  const std::string& folder();
  CasePaths paths(const std::string& kind);

  std::string folder_;    // "" until it is needed
  std::string timed_;     // case_key of what lies there
  std::string verified_;  // likewise
  int results_ = 0;
};

}  // namespace voxmark
