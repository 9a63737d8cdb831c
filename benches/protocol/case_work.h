// What a case asks to be computed: its program, its batch, how it is compiled, and the smaller case
// that proves it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

// Of one rank: every rank runs the same program on images of its own.
Program training_program(const CaseSpec& spec);
// `program`: of one of them.
std::int64_t flops_of_all_ranks(const CaseSpec& spec, const Program& program);
// The harness of each rank holds its batch beside what a backend plans.
std::int64_t harness_bytes(const CaseSpec& spec);
// A memory limit is that of each rank: the backend gets what the harness leaves of it. Without
// collectives, which only a rank itself has.
CompileOptions compile_options(const CaseSpec& spec);

// The batch that the case trains on, the same in every step: the images of all its ranks, in their
// order. A pure function of the case.
// Throws Error (bad_input) when the data cannot be read or is smaller than the image asked for.
Batch case_batch(const CaseSpec& spec);
// Of case_batch(spec), what rank 0..ranks-1 trains on, without making the others' images.
Batch images_of_rank(const CaseSpec& spec, int rank);
// Equal for cases of the same batch and initial weights, whoever computes them and how.
std::string inputs_key(const CaseSpec& spec);
// Throws Error (bad_input) as case_batch() would, and returns what is read otherwise than files
// say, as far as the headers of a data set tell.
std::vector<std::string> check_data(const CaseSpec& spec);

// The case at which the one that is timed is verified: at most 48 voxels along D and H, from where
// on oneDNN picks the implementations of all larger images, rows of 48 to 96 voxels that are cut as
// the timed ones are, at most two images, synthetic data. Of several ranks at most two images each,
// and kReferenceImages together where each has more than one.
constexpr std::int64_t kReferenceImages = 8;  // that one process computes in double for all ranks
CaseSpec verification_shape(const CaseSpec& spec);

// The same for an external program, which runs more than one step: the second step's loss shows
// that it trains on what it updated.
CaseSpec external_verification_shape(const CaseSpec& spec);

}  // namespace voxmark
