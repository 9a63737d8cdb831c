// What is to be measured next so that "seconds per image at the largest shape that fits here" can
// be told: by a backend's own plan, or by a line through what it has taken at other sizes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/report.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

// For each backend the largest image of those that the paper and its code train on, from the whole
// scan down, of which one fits in `room_bytes` and which `report` has no word on yet; none where a
// larger one was measured already. `like` names all but backend, image and batch. To be asked
// again: an image that did not come to be measured is followed by the next smaller one.
std::vector<CaseSpec> largest_images(const std::vector<std::string>& backends, const CaseSpec& like,
                                     const Report& report, std::int64_t room_bytes);

}  // namespace voxmark
