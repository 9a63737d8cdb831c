// The largest step of the paper's model that this machine's memory holds.
#pragma once

#include <cstdint>
#include <optional>

#include "backends/backend.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

struct Fit {
  Dims image;
  std::int64_t batch = 0;
  MemoryPlan plan;
  bool is_bound = false;  // the search ended here: more may fit
};

// A step fits in `room_bytes` where the backend's own plan and the batch do together, as in
// `voxmark run`. Where `like` has a memory limit, tensors are computed again to get there.

// The largest batch of `like`'s image that fits.
std::optional<Fit> largest_batch(const Backend& backend, const CaseSpec& like,
                                 std::int64_t room_bytes);

// The largest cube, in steps of 16 voxels, of which `like`'s batch fits.
std::optional<Fit> largest_cube(const Backend& backend, const CaseSpec& like,
                                std::int64_t room_bytes);

// The largest of the images that the paper and its code train on, from the whole scan
// (240x240x144) down, of which at least one fits, with the largest batch of it that
// does. Nothing when not even the smallest fits.
std::optional<Fit> largest_fit(const Backend& backend, const CaseSpec& like,
                               std::int64_t room_bytes);

}  // namespace voxmark
