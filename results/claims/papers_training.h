// The training that the white paper tells of, and what a run of `voxmark train` says of it.
#pragma once

#include <string>

#include "base/json.h"

namespace voxmark {

// Of whitepaper.json: "scans", "epochs", and "options" as a training report has them.
Json papers_training();

// Why a run is not the white paper's, in words; "" where it is: all scans of a Decathlon
// folder, the preset with nothing changed, all epochs, tested. `report`: a training report.
std::string why_not_papers_training(const Json& report);

// The figures of a paper (claims of kind "training": id, quantity of the scores, value) beside the
// mean of the test split. Null unless the run is the white paper's.
Json paper_figures(const Json& report, const Json& claims);

}  // namespace voxmark
