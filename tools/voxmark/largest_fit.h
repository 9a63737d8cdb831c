// The largest step of the paper's model that this machine's memory holds.
#pragma once

#include <cstdint>
#include <optional>

#include "backends/backend.h"
#include "workloads/network/network.h"

namespace voxmark {

struct Fit {
  Dims image;
  std::int64_t batch = 0;
  MemoryPlan plan;
  bool is_bound = false;  // the search ended here: more may fit
};

// The largest batch of an image that fits in `room_bytes` by the backend's own plan.
std::optional<Fit> largest_batch(const Backend& backend, const CompileOptions& options,
                                 const UnetOptions& unet, const Dims& image,
                                 std::int64_t room_bytes);

// The largest cube, in steps of 16 voxels, of which `batch` images fit.
std::optional<Fit> largest_cube(const Backend& backend, const CompileOptions& options,
                                const UnetOptions& unet, std::int64_t batch,
                                std::int64_t room_bytes);

// The largest of the images that the paper and its code train on, from the whole scan
// (240x240x144) down, of which at least one fits in `room_bytes` by the backend's own plan, with
// the largest batch of it that fits. Nothing when not even the smallest does.
std::optional<Fit> largest_fit(const Backend& backend, const CompileOptions& options,
                               const UnetOptions& unet, std::int64_t room_bytes);

}  // namespace voxmark
