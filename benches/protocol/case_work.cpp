#include "benches/protocol/case_work.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "results/record.h"
#include "workloads/cases/case_fields.h"
#include "workloads/data_sets/batch_source.h"
#include "workloads/network/cost.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

constexpr std::int64_t kVerifiedExtent = 48;
// Kernels cut rows into registers and tiles: a row that leaves the same rest at every level of the
// network is cut the same way.
constexpr std::int64_t kRowPeriod = 64;
constexpr std::int64_t kVerifiedBatch = 2;  // more than one sample; statistics couple them

SubjectSource subjects(const CaseSpec& spec) {
  return spec.data == "phantom" ? phantom_subjects(spec.image, spec.seed)
                                : data_set_subjects(spec.data, spec.seed, spec.reading);
}

std::int64_t images_of_all_ranks(const CaseSpec& spec) { return spec.ranks * spec.batch; }

SampleShape sample_shape(const CaseSpec& spec) {
  return {spec.image, spec.network.input_channels, spec.network.classes};
}

// Of the batch of all ranks, `count` from `first` on.
Batch images_of(const CaseSpec& spec, std::int64_t first, std::int64_t count) {
  if (spec.data == "synthetic") {
    return synthetic_batch(count, spec.image, spec.network.input_channels, spec.network.classes,
                           spec.seed, 0, first);
  }
  return make_batch(subjects(spec), sample_shape(spec), count, spec.seed, 0, 0, first);
}

}  // namespace

Program training_program(const CaseSpec& spec) {
  Program program = lower(unet3d(spec.network), spec.batch, spec.image, Mode::training);
  program.batch_norm.across_ranks = spec.batch_norm == "global";
  return program;
}

std::int64_t flops_of_all_ranks(const CaseSpec& spec, const Program& program) {
  return spec.ranks * flops(program);
}

std::int64_t harness_bytes(const CaseSpec& spec) {
  return spec.batch * spec.image.voxels() *
         (spec.network.input_channels + output_channels(spec.network)) *
         static_cast<std::int64_t>(sizeof(float));
}

CompileOptions compile_options(const CaseSpec& spec) {
  CompileOptions options;
  options.precision = spec.precision;
  options.threads = spec.threads;
  options.ranks = spec.ranks;
  if (spec.memory_limit_bytes) {
    options.memory_limit_bytes =
        std::max<std::int64_t>(1, *spec.memory_limit_bytes - harness_bytes(spec));
  }
  return options;
}

Batch case_batch(const CaseSpec& spec) { return images_of(spec, 0, images_of_all_ranks(spec)); }

Batch images_of_rank(const CaseSpec& spec, int rank) {
  assert(rank >= 0 && rank < spec.ranks);
  return images_of(spec, rank * spec.batch, spec.batch);
}

std::string inputs_key(const CaseSpec& spec) {
  CaseSpec whole = spec;
  whole.batch = images_of_all_ranks(spec);
  whole.ranks = 1;
  Json inputs;
  for (const CaseField& field : case_fields()) {
    if (field.decides_inputs) {
      inputs[std::string(field.name)] = field.read(whole);
    }
  }
  return case_key(inputs);
}

std::vector<std::string> check_data(const CaseSpec& spec) {
  if (spec.data == "synthetic" || spec.data == "phantom") {
    return {};
  }
  return check_first_batch(subjects(spec), sample_shape(spec), images_of_all_ranks(spec),
                           spec.seed);
}

CaseSpec verification_shape(const CaseSpec& spec) {
  CaseSpec shape = spec;
  const std::int64_t beyond = std::max<std::int64_t>(0, spec.image.w - kVerifiedExtent);
  shape.image = {std::min(spec.image.d, kVerifiedExtent), std::min(spec.image.h, kVerifiedExtent),
                 std::min(spec.image.w, kVerifiedExtent) + beyond % kRowPeriod};
  const std::int64_t of_each = std::max<std::int64_t>(1, kReferenceImages / spec.ranks);
  shape.batch = std::min({spec.batch, kVerifiedBatch, of_each});
  shape.data = "synthetic";
  shape.reading = {};
  shape.memory_limit_bytes.reset();
  shape.steps = 1;
  shape.warmup = 0;
  shape.process = 0;
  shape.copies = 1;  // which do not change the mathematics
  return shape;
}

CaseSpec external_verification_shape(const CaseSpec& spec) {
  constexpr int kSteps = 2;
  CaseSpec shape = verification_shape(spec);
  shape.steps = kSteps;
  return shape;
}

}  // namespace voxmark
