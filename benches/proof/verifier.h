// The proof that a backend computes the step, before it is timed: in a process of its own, at a
// shape that selects the same implementations, remembered as long as nothing that it rests on
// changes.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "benches/exchange/exchange.h"
#include "benches/proof/case_files.h"

namespace voxmark {

struct VerifierResult {
  VerificationRecord record;
  std::optional<Outcome> fault;  // why the case must not be timed
  std::string reason;
  ExitCode code = ExitCode::internal;  // of the fault, as Exchange tells it
  bool interrupted = false;
  std::optional<double> step_seconds;  // of one step at record.image, for predictions
  Json stages = Json::array();         // that were verified
  Json tensors = Json::array();        // of an external program: as VerifiedMessage has them
  std::string hint;                    // likewise
};

class Verifier {
 public:
  // `identity`: all that decides what a case's kernels compute beside the case itself: program,
  // libraries, CPU, settings. `cache_folder`: where proofs are kept between runs; "" keeps none.
  Verifier(ChildProgram program, Json identity, std::string cache_folder);
  // Removes the references of this sweep.
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  // Whether verify() will answer without starting a process.
  bool knows(const CaseSpec& spec) const;
  VerifierResult verify(const CaseSpec& spec);

 private:
  VerifierResult verify_by_files(const CaseSpec& spec);
  Json key(const CaseSpec& spec) const;
  std::string cache_path(const std::string& key_hash) const;
  std::string reference_path(const CaseSpec& shape);
  std::optional<VerifiedMessage> recall(const CaseSpec& spec) const;
  void remember(const CaseSpec& spec, const VerifiedMessage& message) const;

  ChildProgram program_;
  Json identity_;
  std::string cache_folder_;
  std::string scratch_folder_;  // of references; "" until one is needed
  CaseFiles files_;
  // Of this sweep: failures, and proofs of external programs, whose contents nobody hashes. Repeats
  // need no second look.
  std::map<std::string, VerifierResult> decided_;
};

// $XDG_CACHE_HOME/voxmark, or ~/.cache/voxmark; "" where neither is set.
std::string default_cache_folder();

}  // namespace voxmark
