#include "tools/voxmark/largest_fit.h"

#include <utility>

#include "benches/protocol/case_work.h"
#include "tools/voxmark/images_by_size.h"

namespace voxmark {
namespace {

// Where the search ends, powers of two: 3 TiB of the smallest images there are, or 50 TiB of one
// cube, with oneDNN.
constexpr std::int64_t kMaxBatch = std::int64_t{1} << 20U;
constexpr std::int64_t kMaxSide = 4096;

std::optional<Fit> fit_of(const Backend& backend, const CaseSpec& spec, std::int64_t room_bytes) {
  const Program program = training_program(spec);
  const CompileOptions options = compile_options(spec);
  if (backend.unsupported(program, options)) {
    return std::nullopt;
  }
  MemoryPlan plan = backend.plan(program, options);
  if (plan.total_bytes() + harness_bytes(spec) > room_bytes) {
    return std::nullopt;
  }
  return Fit{spec.image, spec.batch, std::move(plan), false};
}

// The fit of the largest n in [1, most], a power of two, that has one; what fits n fits all below.
template <class FitOf>
std::optional<Fit> largest(std::int64_t most, FitOf fit_of_number) {
  std::optional<Fit> best;
  std::int64_t fits = 0, too_large = most + 1;
  for (std::int64_t number = 1; number <= most; number *= 2) {
    auto fit = fit_of_number(number);
    if (!fit) {
      too_large = number;
      break;
    }
    best = std::move(fit);
    fits = number;
  }
  while (too_large - fits > 1) {
    const std::int64_t middle = fits + (too_large - fits) / 2;
    auto fit = fit_of_number(middle);
    if (fit) {
      best = std::move(fit);
      fits = middle;
    } else {
      too_large = middle;
    }
  }
  if (best) {
    best->is_bound = fits == most;
  }
  return best;
}

}  // namespace

std::optional<Fit> largest_batch(const Backend& backend, const CaseSpec& like,
                                 std::int64_t room_bytes) {
  return largest(kMaxBatch, [&](std::int64_t batch) {
    CaseSpec spec = like;
    spec.batch = batch;
    return fit_of(backend, spec, room_bytes);
  });
}

std::optional<Fit> largest_cube(const Backend& backend, const CaseSpec& like,
                                std::int64_t room_bytes) {
  return largest(kMaxSide / kUnetDimsMultiple, [&](std::int64_t steps) {
    const std::int64_t side = steps * kUnetDimsMultiple;
    CaseSpec spec = like;
    spec.image = {side, side, side};
    return fit_of(backend, spec, room_bytes);
  });
}

std::optional<Fit> largest_fit(const Backend& backend, const CaseSpec& like,
                               std::int64_t room_bytes) {
  for (const Dims& image : kImagesBySize) {
    CaseSpec spec = like;
    spec.image = image;
    if (auto fit = largest_batch(backend, spec, room_bytes)) {
      return fit;
    }
  }
  return std::nullopt;
}

}  // namespace voxmark
