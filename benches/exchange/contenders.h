// The two sides of a comparison: builds, backends, or programs of somebody else's. What they must
// not have in common, and what a person should know that they have.
#pragma once

#include <string>
#include <vector>

#include "benches/exchange/exchange.h"
#include "results/report.h"

namespace voxmark {

// The same cases by another backend.
std::vector<CaseSpec> with_backend(std::vector<CaseSpec> cases, const std::string& backend);

// Throws Error (bad_input) when the two sides of a comparison would run the same program
// (`against`, a build, and a case of a program of its own), or when `against_backend` stands
// against several backends.
void check_contenders(const std::vector<CaseSpec>& cases, const std::string& against,
                      const std::string& against_backend);

// That another build, started as `other`, is this binary; "" where it is not. `ours`, `theirs`: the
// headers of both reports.
std::string same_build_warning(const std::string& other, const ReportHeader& ours,
                               const ReportHeader& theirs);

// That the backend of `ours` and `other` are one and the same program; "" where they are not.
std::string same_contenders_warning(const ChildProgram& child, const CaseSpec& ours,
                                    const std::string& other);

}  // namespace voxmark
