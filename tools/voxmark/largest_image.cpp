#include "tools/voxmark/largest_image.h"

#include <algorithm>
#include <optional>

#include "backends/registry/registry.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "results/claims/memory_line.h"
#include "results/record.h"
#include "tools/voxmark/images_by_size.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

// Of smaller ones nobody asks the seconds per image.
constexpr Dims kSmallest{64, 64, 64};

// Bytes that a step will take; nothing where that is not known.
std::optional<std::int64_t> needed_bytes(const CaseSpec& spec,
                                         const std::vector<MemoryLine>& lines) {
  const MemoryLine* line = line_of(lines, spec.backend, to_string(spec.precision));
  if (plans_memory(spec.backend)) {
    const Backend* backend = find_backend(spec.backend).backend;
    const Program program = training_program(spec);
    if (backend == nullptr || backend->unsupported(program, compile_options(spec))) {
      return std::nullopt;
    }
    const std::int64_t base =
        line == nullptr ? 0
                        : std::max<std::int64_t>(0, static_cast<std::int64_t>(line->base_bytes));
    return backend->plan(program, compile_options(spec)).total_bytes() + base;
  }
  return line == nullptr ? std::nullopt
                         : std::optional(static_cast<std::int64_t>(
                               line->bytes_at(static_cast<double>(spec.image.voxels())).middle));
}

std::string identity_of(const Json& spec) { return case_key(case_identity(spec)); }

// A word on the case, whatever its steps and process: an outcome.
std::optional<Outcome> known_outcome(const CaseSpec& spec, const Report& report) {
  std::optional<Outcome> outcome;
  const std::string wanted = identity_of(to_json(spec));
  for (const Record& record : report.records) {
    if (outcome != Outcome::ok && identity_of(record.spec) == wanted) {
      outcome = record.outcome;
    }
  }
  return outcome;
}

}  // namespace

std::vector<CaseSpec> largest_images(const std::vector<std::string>& backends, const CaseSpec& like,
                                     const Report& report, std::int64_t room_bytes) {
  const std::vector<MemoryLine> lines = memory_lines(report);
  std::vector<CaseSpec> next;
  for (const std::string& backend : backends) {
    for (const Dims& image : kImagesBySize) {
      if (image.voxels() < kSmallest.voxels()) {
        break;
      }
      CaseSpec spec = like;
      spec.backend = backend;
      spec.image = image;
      spec.batch = 1;
      const std::optional<Outcome> outcome = known_outcome(spec, report);
      if (outcome == Outcome::ok) {
        break;
      }
      const auto bytes = outcome ? std::nullopt : needed_bytes(spec, lines);
      if (bytes && *bytes <= room_bytes) {
        next.push_back(spec);
        break;
      }
    }
  }
  return next;
}

}  // namespace voxmark
