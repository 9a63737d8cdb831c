// One measurement by name: what is trained, on what, by which backend, for how many steps.
// The same from the command line, a suite file, the child protocol and a report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backends/backend.h"
#include "base/json.h"
#include "workloads/images/read_options.h"
#include "workloads/network/network.h"

namespace voxmark {

struct CaseSpec {
  std::string backend;  // of the registry, a peer's, or "exec:PROGRAM ARGUMENTS": see PROTOCOL.md
  Dims image{64, 64, 64};
  std::int64_t batch = 1;
  UnetOptions network;
  Precision precision = Precision::fp32;
  int threads = 1;
  std::optional<std::int64_t> memory_limit_bytes;
  std::string isa;  // instructions that kernels may use: avx, avx2 or avx512; "": what this CPU has
  std::string data = "synthetic";  // "synthetic", "phantom", or a data set
  ReadOptions reading;             // of a data set
  std::uint64_t seed = 1;          // of initial weights and of the batch
  int steps = 5;                   // timed ones
  int warmup = 2;                  // steps before them: reported, and no samples
  int process = 0;                 // which repeat; each is a process of its own
};

// The prefix that makes a backend an external program.
constexpr const char* kExternalPrefix = "exec:";
// Whether the backend is a program of somebody else's: that one, or a peer
// (benches/protocol/peers.h).
bool is_external(const std::string& backend);
bool is_external(const CaseSpec& spec);

// Throws Error (bad_input) naming the key, what was expected and what was found. Does not look for
// the backend or the data.
void check(const CaseSpec& spec);

Json to_json(const CaseSpec& spec);
// Every key must be there, and no other; memory_limit_bytes, isa, follow_links and affine_tolerance
// may be left out. `name` stands in messages. Throws Error (bad_input).
CaseSpec case_from_json(const Json& json, const std::string& name);

// The command that measures this case again, alone.
std::string reproduce_command(const CaseSpec& spec);

// "onednn 64x64x64 batch 1 fp32": what a person calls the case.
std::string describe(const CaseSpec& spec);

Program training_program(const CaseSpec& spec);
// The harness holds one batch beside what a backend plans.
std::int64_t harness_bytes(const CaseSpec& spec);
// A memory limit is the case's: the backend gets what the harness leaves of it.
CompileOptions compile_options(const CaseSpec& spec);

// The batch that the case trains on, the same in every step. A pure function of the case.
// Throws Error (bad_input) when the data cannot be read or is smaller than the image asked for.
Batch case_batch(const CaseSpec& spec);
// Throws Error (bad_input) as case_batch() would, and returns what is read otherwise than files
// say, as far as the headers of a data set tell.
std::vector<std::string> check_data(const CaseSpec& spec);

// The case at which the one that is timed is verified: at most 48 voxels along D and H, from where
// on oneDNN picks the implementations of all larger images, rows of 48 to 96 voxels that are cut as
// the timed ones are, at most two images, synthetic data.
CaseSpec verification_shape(const CaseSpec& spec);

// The same for an external program, which runs more than one step: the second step's loss shows
// that it trains on what it updated.
CaseSpec external_verification_shape(const CaseSpec& spec);

}  // namespace voxmark
